import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { icon } from "../icon";
import { dayHeading } from "../times";
import type { Row } from "./grouping";
import { messageRow, unsentRow } from "./message_row";
import { focusEdit, type MessageAction, type MessageView } from "./message_view";
import type { RunningAnswer } from "./running_answer";
import type { LiveRun } from "./runs";
import type { Scroller } from "./scroller";
import { isWorthDrawing, type Range, Windowing } from "./windowing";

/** What the page knows and the rows need; the list itself adds which row Tab reaches. */
export type RowsView = Omit<MessageView, "tabIndex" | "isAtHand" | "ask">;

/**
 * `<conversation-timeline>`: the list of messages.
 *
 * The server renders the same markup, so taking over changes no pixel. Rows have keys: an element,
 * its focus and its selection survive every update. One row at a time is a tab stop. Of a long list
 * only the rows near the view are in the page; space stands in for the others.
 */
export class ConversationTimeline extends LitElement {
  static override properties = {
    rows: { attribute: false },
    view: { attribute: false },
    hasMore: { attribute: false },
    hasMoreAfter: { attribute: false },
    selected: { attribute: false },
    problem: { attribute: false },
    heading: { attribute: false },
    pointed: { state: true },
  };

  declare rows: Row[];
  declare view: RowsView | null;
  declare hasMore: boolean;
  declare hasMoreAfter: boolean;
  /** The key of the row that Tab reaches; null means the newest. */
  declare selected: string | null;
  /** What went wrong when older messages were asked for. */
  declare problem: string;
  /** What the conversation is called. */
  declare heading: string;
  /** The key of the row under the pointer. */
  declare pointed: string | null;
  /** Where the reader is; without one the whole list is drawn. */
  scroller: Scroller | null = null;
  readonly #windowing = new Windowing();
  readonly #sizes: ResizeObserver;
  #range: Range = { start: 0, end: 0, above: 0, below: 0 };
  #focusedKey: string | null = null;
  #width = 0;

  constructor() {
    super();
    this.rows = [];
    this.view = null;
    this.hasMore = false;
    this.hasMoreAfter = false;
    this.selected = null;
    this.problem = "";
    this.heading = "";
    this.pointed = null;
    this.addEventListener("pointerover", ({ target }) => {
      this.pointed = (target as Element).closest<HTMLElement>(".message")?.dataset.key ?? null;
    });
    this.addEventListener("pointerleave", () => {
      this.pointed = null;
    });
    this.#sizes = new ResizeObserver(() => this.#resized());
  }

  protected override createRenderRoot(): HTMLElement {
    // Only now is everything here to draw the same again.
    this.replaceChildren();
    return this;
  }

  /** The reader has moved: draws other rows if these do not reach far enough. */
  moved(): void {
    if (isWorthDrawing(this.#range, this.#wanted(), this.rows.length)) this.requestUpdate();
  }

  /** A run has grown: only its text is touched. */
  streamed(run: LiveRun): void {
    const answer = this.querySelector<RunningAnswer>(`running-answer[data-run="${run.id}"]`);
    if (answer !== null) answer.text = run.text;
  }

  /** Brings the row with this key into the middle of the view; null when there is none. */
  async reveal(key: string): Promise<HTMLElement | null> {
    await this.updateComplete;
    if (this.#rowElement(key) === null) {
      const distance = this.#windowing.bottomOf(key);
      if (distance === null) return null;
      this.scroller?.goTo(distance);
      this.requestUpdate();
      await this.updateComplete;
    }
    const row = this.#rowElement(key);
    row?.scrollIntoView({ block: "center" });
    this.scroller?.hold();
    return row;
  }

  protected override willUpdate(changed: PropertyValues): void {
    this.#range = this.#wanted(changed.has("rows") ? this.#takeRows() : 0);
    const focused = document.activeElement?.closest<HTMLElement>(".message");
    this.#focusedKey = focused && this.contains(focused) ? (focused.dataset.key ?? null) : null;
  }

  protected override updated(): void {
    const list = this.querySelector("ol");
    for (const gap of [list?.firstElementChild, list?.lastElementChild] as HTMLElement[]) {
      const side = gap?.dataset.gap as "above" | "below" | undefined;
      if (side !== undefined) gap.style.blockSize = `${this.#range[side]}px`;
    }
    if (list !== null) this.#sizes.observe(list);
    this.#measure();
    this.scroller?.settle();
    if (this.view?.editing) focusEdit(this);
    // A row that has left the page takes its focus along: the list keeps it.
    if (this.#focusedKey !== null && this.#rowElement(this.#focusedKey) === null) {
      this.closest<HTMLElement>("[data-scroller]")?.focus({ preventScroll: true });
    }
  }

  /** Says by how much the row that the reader looks at is now further from the end. */
  #takeRows(): number {
    const held = this.scroller?.heldKey ?? null;
    const before = held === null ? null : this.#windowing.bottomOf(held);
    this.#windowing.keys = this.rows.map(({ key }) => key);
    const after = held === null ? null : this.#windowing.bottomOf(held);
    return before === null || after === null ? 0 : after - before;
  }

  #wanted(moved = 0): Range {
    const { scroller } = this;
    const count = this.rows.length;
    if (scroller === null) return { start: 0, end: count, above: 0, below: 0 };
    return this.#windowing.range(scroller.scrolled + moved, scroller.height);
  }

  #resized(): void {
    const width = this.clientWidth;
    if (this.#width !== 0 && this.#width !== width) this.#windowing.forget();
    this.#width = width;
    this.#measure();
    this.scroller?.settle();
    this.moved();
  }

  /** A row is as high as it is far to the next, so that margins count. */
  #measure(): void {
    const { start, above, below } = this.#range;
    const drawn = [...(this.querySelector<HTMLElement>("ol")?.children ?? [])] as HTMLElement[];
    const rows = drawn.slice(above > 0 ? 1 : 0);
    const tops = rows.map((row) => row.offsetTop);
    for (let place = 1; place < tops.length; place += 1) {
      const height = (tops[place] ?? 0) - (tops[place - 1] ?? 0);
      this.#windowing.measured(start + place - 1, height);
    }
    const last = rows.at(-1);
    if (below === 0 && last !== undefined) {
      this.#windowing.measured(start + rows.length - 1, last.offsetHeight);
    }
  }

  #rowElement(key: string): HTMLElement | null {
    return this.querySelector(`.timeline > [data-key="${CSS.escape(key)}"]`);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { view } = this;
    if (view === null) return nothing;
    const { start, end, above, below } = this.#range;
    const stop = this.selected ?? this.rows.at(-1)?.key;
    const whole: MessageView = {
      ...view,
      tabIndex: (key) => (key === stop ? 0 : -1),
      isAtHand: (key) => key === stop || key === this.pointed,
      ask: (detail) => this.#ask("message-action", detail),
    };
    return html`${this.#top()}
      <ol class="timeline" aria-label="Messages">
        ${above > 0 ? html`<li class="gap" data-gap="above" aria-hidden="true"></li>` : nothing}
        ${repeat(
          this.rows.slice(start, end),
          (row) => row.key,
          (row) => this.#row(whole, row),
        )}
        ${below > 0 ? html`<li class="gap" data-gap="below" aria-hidden="true"></li>` : nothing}
      </ol>
      ${this.hasMoreAfter ? skeleton("timeline-more") : nothing}`;
  }

  #top(): TemplateResult {
    if (this.problem !== "") {
      return html`<div class="timeline-top">
        <p class="notice" data-tone="danger">
          ${icon("error")}<span>${this.problem}</span>
          <button class="link-button" type="button" @click=${() => this.#ask("history")}>
            Try again
          </button>
        </p>
      </div>`;
    }
    if (this.hasMore) return skeleton("timeline-top");
    return html`<div class="timeline-top timeline-beginning">
      <p class="timeline-beginning-title">This is where ${this.heading} begins</p>
      <p>
        ${
          this.rows.length === 0
            ? "Nobody has said anything yet. Write the first message below."
            : "Everything said here is seen by its people, and kept."
        }
      </p>
    </div>`;
  }

  #row(view: MessageView, row: Row): TemplateResult {
    switch (row.kind) {
      case "day":
        return html`<li class="day" data-key=${row.key}><span>${dayHeading(row.date, new Date())}</span></li>`;
      case "new":
        return html`<li class="new-divider" id="new-messages" data-key=${row.key}>
          <span>${row.count === 1 ? "1 new message" : `${row.count} new messages`}</span>
        </li>`;
      case "message":
        return messageRow(view, row);
      case "unsent":
        return unsentRow(view, row);
    }
  }

  #ask(name: string, detail: MessageAction | null = null): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}

function skeleton(place: string): TemplateResult {
  return html`<div class=${`${place} timeline-skeleton`} aria-hidden="true">
    ${[0, 1, 2].map(() => html`<div class="skeleton-message"><i></i><b></b><s></s></div>`)}
  </div>`;
}

customElements.define("conversation-timeline", ConversationTimeline);
