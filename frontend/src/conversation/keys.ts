import type { ConversationTimeline, MessageAction } from "./timeline_element";

/** Whether a key belongs to what is being written and not to the page. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

const STEPS: ReadonlyMap<string, number> = new Map([
  ["ArrowDown", 1],
  ["j", 1],
  ["ArrowUp", -1],
  ["k", -1],
]);
const VERBS: ReadonlyMap<string, MessageAction["verb"]> = new Map([
  ["r", "reply"],
  ["y", "copy"],
]);

/** Moves through the list by keyboard and acts on the message that has the focus. */
export class TimelineKeys {
  readonly #timeline: ConversationTimeline;
  readonly #write: () => void;

  constructor(timeline: ConversationTimeline, write: () => void) {
    this.#timeline = timeline;
    this.#write = write;
    timeline.addEventListener("focusin", (event) => this.#focused(event));
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Puts the focus on the row that Tab would reach. */
  focusRow(): void {
    this.#timeline.querySelector<HTMLElement>('.message[tabindex="0"]')?.focus();
  }

  #focused(event: FocusEvent): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>(".message");
    if (row?.dataset.key !== undefined) this.#timeline.selected = row.dataset.key;
  }

  #pressed(event: KeyboardEvent): void {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!isPlain || event.defaultPrevented || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (this.#handle(event.key)) event.preventDefault();
  }

  #handle(key: string): boolean {
    const row = document.activeElement?.closest<HTMLElement>(".message") ?? null;
    const step = STEPS.get(key);
    if (step !== undefined) return this.#step(row, step);
    if (key === "c" || (key === "Escape" && row !== null)) {
      this.#write();
      return true;
    }
    if (key === "End" || key === "Home") return this.#jump(key === "End");
    return row !== null && this.#act(row, VERBS.get(key));
  }

  #step(row: HTMLElement | null, step: number): boolean {
    if (row === null) {
      this.focusRow();
      return true;
    }
    const rows = this.#rows();
    const next = rows[rows.indexOf(row) + step];
    if (next === undefined && step > 0) this.#write();
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
    return true;
  }

  #jump(isToEnd: boolean): boolean {
    const row = this.#rows().at(isToEnd ? -1 : 0);
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
    return row !== undefined;
  }

  #act(row: HTMLElement, verb: MessageAction["verb"] | undefined): boolean {
    const found = this.#timeline.rows.find(({ key }) => key === row.dataset.key);
    if (verb === undefined || found?.kind !== "message") return false;
    const detail: MessageAction = { verb, key: found.key, message: found.message };
    this.#timeline.dispatchEvent(new CustomEvent("message-action", { detail, bubbles: true }));
    return true;
  }

  #rows(): HTMLElement[] {
    return [...this.#timeline.querySelectorAll<HTMLElement>(".message")];
  }
}
