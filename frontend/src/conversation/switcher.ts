import { type Destination, ranked } from "./ranking";

const MOST_SHOWN = 8;

/** Ctrl+K: a few letters of its title and Enter go to a conversation. */
export class Switcher {
  readonly #dialog = document.querySelector<HTMLDialogElement>("#switcher");
  readonly #field = document.querySelector<HTMLInputElement>("#switcher-field");
  readonly #list = document.querySelector<HTMLElement>("#switcher-list");
  #all: Destination[] = [];
  #shown: Destination[] = [];
  #chosen = 0;

  constructor() {
    this.#field?.addEventListener("input", () => this.#search());
    this.#field?.addEventListener("keydown", (event) => this.#pressed(event));
    this.#dialog?.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog?.close();
    });
  }

  /** Opens it; false on a page that has none. */
  open(): boolean {
    if (this.#dialog === null || this.#field === null) return false;
    if (this.#dialog.open) return true;
    this.#dialog.showModal();
    this.#field.value = "";
    this.#all = destinationsOf(document);
    this.#search();
    // Pages without the list ask for it.
    if (this.#all.length === 0) void this.#fetch();
    return true;
  }

  async #fetch(): Promise<void> {
    const answer = await fetch("/api/v1/conversations/").catch(() => null);
    if (!answer?.ok) return;
    const { results } = (await answer.json()) as { results: { id: string; title: string }[] };
    this.#all = results.map(({ id, title }) => ({ title, href: `/conversations/${id}/` }));
    this.#search();
  }

  #search(): void {
    const query = this.#field?.value ?? "";
    this.#shown = (query.trim() === "" ? this.#all : ranked(this.#all, query)).slice(0, MOST_SHOWN);
    this.#chosen = 0;
    this.#draw();
  }

  #draw(): void {
    this.#list?.replaceChildren(...this.#shown.map((each, index) => this.#option(each, index)));
    const none = this.#dialog?.querySelector<HTMLElement>("#switcher-none");
    if (none) none.hidden = this.#shown.length > 0;
    this.#field?.setAttribute(
      "aria-activedescendant",
      this.#shown.length > 0 ? `switcher-${this.#chosen}` : "",
    );
  }

  #option({ title, href }: Destination, index: number): HTMLElement {
    const option = document.createElement("li");
    option.id = `switcher-${index}`;
    option.role = "option";
    option.className = "switcher-option";
    option.textContent = title;
    option.setAttribute("aria-selected", String(index === this.#chosen));
    option.addEventListener("click", () => window.location.assign(href));
    return option;
  }

  #pressed(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && this.#shown.length > 0) {
      event.preventDefault();
      this.#chosen = (this.#chosen + step + this.#shown.length) % this.#shown.length;
      this.#draw();
    }
    const chosen = this.#shown[this.#chosen];
    if (event.key === "Enter" && !event.isComposing && chosen !== undefined) {
      event.preventDefault();
      window.location.assign(chosen.href);
    }
  }
}

function destinationsOf(page: ParentNode): Destination[] {
  const links = page.querySelectorAll<HTMLAnchorElement>("[data-conversation] .conversation-link");
  return [...links].map((link) => ({
    title: link.querySelector("[data-row-title]")?.textContent ?? "",
    href: link.href,
  }));
}
