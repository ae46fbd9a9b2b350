/** What the column on the right may hold in place of the details. */
export type PanelKind = "thread" | "search" | "pins";

/** The column on the right: a thread, a search or the pins; the whole window on a phone. */
export class SidePanel {
  readonly #element: HTMLElement;
  readonly #title: HTMLElement;
  readonly #body: HTMLElement;
  #kind: PanelKind | null = null;
  #before: HTMLElement | null = null;
  #closed: (() => void) | null = null;

  constructor(element: HTMLElement) {
    this.#element = element;
    this.#title = element.querySelector("[data-panel-title]") as HTMLElement;
    this.#body = element.querySelector("[data-panel-body]") as HTMLElement;
    element.querySelector("[data-panel-close]")?.addEventListener("click", () => this.close());
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.stopPropagation();
      this.close();
    });
  }

  /** What it holds now. */
  get kind(): PanelKind | null {
    return this.#kind;
  }

  /** Shows `content` under `title`; `closed` is called when something else takes its place. */
  open(kind: PanelKind, title: string, content: HTMLElement[], closed?: () => void): void {
    if (this.#kind === null) this.#before = document.activeElement as HTMLElement | null;
    this.#closed?.();
    this.#closed = closed ?? null;
    this.#kind = kind;
    this.#title.textContent = title;
    this.#element.setAttribute("aria-label", title);
    this.#element.dataset.kind = kind;
    this.#body.replaceChildren(...content);
    this.#element.hidden = false;
    this.#element.parentElement?.toggleAttribute("data-panel", true);
  }

  /** Puts it away; the focus goes back to where it came from. */
  close(): void {
    if (this.#kind === null) return;
    const hadFocus = this.#element.contains(document.activeElement);
    this.#closed?.();
    this.#closed = null;
    this.#kind = null;
    this.#element.hidden = true;
    this.#element.parentElement?.toggleAttribute("data-panel", false);
    this.#body.replaceChildren();
    if (!hadFocus) return;
    if (this.#before?.isConnected) this.#before.focus();
    else document.querySelector<HTMLElement>("#composer-field")?.focus();
  }
}
