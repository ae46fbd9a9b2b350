import type { Message } from "./message";
import type { Verb } from "./message_view";
import type { ConversationTimeline } from "./timeline_element";

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
const VERBS: ReadonlyMap<string, Verb> = new Map([
  ["r", "reply"],
  ["t", "thread"],
  ["e", "pick"],
  ["m", "menu"],
  ["p", "pin"],
  ["y", "copy"],
  ["Delete", "delete"],
  ["Backspace", "delete"],
]);

/** What keys ask of the page beyond its messages. */
export interface KeysPage {
  write: () => void;
  search: () => void;
  toUnread: () => void;
  /** Shows the first message that there is, and gives it the focus. */
  toStart: () => void;
  /** Shows the newest one; resolves once it is there. */
  toEnd: () => Promise<void>;
  /** Whether the reader may do this with the message. */
  may: (verb: Verb, message: Message) => boolean;
}

/** Moves through the list by keyboard and acts on the message that has the focus. */
export class TimelineKeys {
  readonly #timeline: ConversationTimeline;
  readonly #page: KeysPage;

  constructor(timeline: ConversationTimeline, page: KeysPage) {
    this.#timeline = timeline;
    this.#page = page;
    timeline.addEventListener("focusin", (event) => this.#focused(event));
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Puts the focus on the row that Tab would reach. */
  focusRow(): void {
    const key = this.#timeline.selected ?? this.#keys.at(-1);
    if (key !== undefined) void this.#go(key);
  }

  /** The keys of the rows that can be stepped to, oldest first. */
  get #keys(): string[] {
    return this.#timeline.rows
      .filter(({ kind }) => kind === "message" || kind === "unsent")
      .map(({ key }) => key);
  }

  #focused(event: FocusEvent): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>(".message");
    if (row?.dataset.key !== undefined) this.#timeline.selected = row.dataset.key;
  }

  #pressed(event: KeyboardEvent): void {
    if (event.defaultPrevented) return;
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    // Whoever writes is not kept waiting for a look through the page.
    if (isPlain && isTyping(event.target)) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "f" && !isInSearch(event.target)) {
      // A long conversation is not all in the page: the browser would find a part of it. A second
      // Ctrl+F, from the field of the search, is the browser's own.
      event.preventDefault();
      this.#page.search();
      return;
    }
    if (!isPlain) return;
    if (this.#handle(event.key)) event.preventDefault();
  }

  #handle(key: string): boolean {
    const row = document.activeElement?.closest<HTMLElement>(".message") ?? null;
    const isElsewhere = row !== null && !this.#timeline.contains(row);
    if (isElsewhere) return this.#act(row, VERBS.get(key));
    const step = STEPS.get(key);
    if (step !== undefined) return this.#step(row, step);
    if (key === "End")
      return this.#do(() => void this.#page.toEnd().then(() => this.#focusNewest()));
    const deed = this.#deeds[key];
    if (deed !== undefined) return this.#do(deed);
    if (row === null) return false;
    return key === "Escape" ? this.#do(this.#page.write) : this.#act(row, VERBS.get(key));
  }

  get #deeds(): Partial<Record<string, () => void>> {
    const { search, toStart, toUnread, write } = this.#page;
    return { c: write, "/": search, u: toUnread, Home: toStart };
  }

  #do(deed: () => void): boolean {
    deed();
    return true;
  }

  #step(row: HTMLElement | null, step: number): boolean {
    if (row === null) {
      this.focusRow();
      return true;
    }
    const keys = this.#keys;
    const next = keys[keys.indexOf(row.dataset.key ?? "") + step];
    if (next === undefined && step > 0 && !this.#timeline.hasMoreAfter) this.#page.write();
    if (next !== undefined) void this.#go(next, "nearest");
    return true;
  }

  #focusNewest(): void {
    const key = this.#keys.at(-1);
    if (key !== undefined) void this.#go(key);
  }

  async #go(key: string, block: "nearest" | "center" = "center"): Promise<void> {
    const mounted = this.#timeline.querySelector<HTMLElement>(
      `.timeline > [data-key="${CSS.escape(key)}"]`,
    );
    const row = mounted ?? (await this.#timeline.reveal(key));
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: mounted === null ? block : "nearest" });
  }

  #act(row: HTMLElement, verb: Verb | undefined): boolean {
    const found = this.#timeline.rows.find(({ key }) => key === row.dataset.key);
    const button = verb && row.querySelector<HTMLElement>(`[data-verb="${verb}"]`);
    if (button) {
      button.click();
      return true;
    }
    if (verb === undefined || found?.kind !== "message") return false;
    if (!this.#page.may(verb, found.message)) return false;
    const detail = { verb, key: found.key, message: found.message, anchor: row };
    this.#timeline.dispatchEvent(new CustomEvent("message-action", { detail, bubbles: true }));
    return true;
  }
}

function isInSearch(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("search-panel") !== null;
}
