import { html, LitElement, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { icon } from "../icon";
import { dayHeading } from "../times";
import { type Row, rowsOf } from "./grouping";
import type { Message, UnsentMessage } from "./message";
import { messageRow, unsentRow } from "./message_row";
import { focusEdit, type MessageAction, type MessageView } from "./message_view";
import type { RunningAnswer } from "./running_answer";
import type { LiveRun } from "./runs";
import type { RowsView } from "./timeline_element";

/** `<thread-panel>`: a message and what was answered to it, newest in view. */
export class ThreadPanel extends LitElement {
  static override properties = {
    root: { attribute: false },
    replies: { attribute: false },
    unsent: { attribute: false },
    view: { attribute: false },
    isLoading: { attribute: false },
    hasMore: { attribute: false },
    problem: { attribute: false },
    selected: { state: true },
  };

  declare root: Message | null;
  declare replies: readonly Message[];
  declare unsent: readonly UnsentMessage[];
  declare view: RowsView | null;
  declare isLoading: boolean;
  declare hasMore: boolean;
  declare problem: string;
  declare selected: string | null;

  constructor() {
    super();
    this.root = null;
    this.replies = [];
    this.unsent = [];
    this.view = null;
    this.isLoading = true;
    this.hasMore = false;
    this.problem = "";
    this.selected = null;
    this.addEventListener("focusin", (event) => {
      const row = (event.target as HTMLElement).closest<HTMLElement>(".message");
      if (row !== null) this.selected = row.dataset.key ?? null;
    });
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** A run has grown: only its text is touched. */
  streamed(run: LiveRun): void {
    const answer = this.querySelector<RunningAnswer>(`running-answer[data-run="${run.id}"]`);
    if (answer !== null) answer.text = run.text;
  }

  protected override updated(): void {
    focusEdit(this);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { view, root } = this;
    if (view === null) return nothing;
    const rows = rowsOf(this.replies, this.unsent, view.user.id, null);
    const last = rows.at(-1)?.key ?? "root";
    const whole: MessageView = {
      ...view,
      hasThreads: false,
      faces: new Map(),
      crowdAt: () => null,
      tabIndex: (key) => (key === (this.selected ?? last) ? 0 : -1),
      isAtHand: () => true,
      ask: (detail) => this.#ask("message-action", detail),
    };
    return html`<div class="timeline-scroll" data-thread-scroller role="region" aria-label="Thread" tabindex="0">
      <div class="thread-content">
        <ol class="timeline" aria-label="The message of this thread">
          ${
            root === null
              ? nothing
              : messageRow(whole, { kind: "message", key: "root", message: root, isFirst: true })
          }
        </ol>
        <p class="thread-count"><span>${this.#count(rows.length)}</span></p>
        ${this.#before()}
        <ol class="timeline" aria-label="Replies">
          ${repeat(
            rows,
            (row) => row.key,
            (row) => rowOf(whole, row),
          )}
        </ol>
      </div>
    </div>`;
  }

  #count(shown: number): string {
    const count = Math.max(this.root?.reply_count ?? 0, this.replies.length);
    if (count === 0 && shown === 0) return "No replies yet";
    return count === 1 ? "1 reply" : `${count} replies`;
  }

  #before(): unknown {
    if (this.problem !== "") {
      return html`<p class="notice" data-tone="danger">
        ${icon("error")}<span>The replies could not be read. ${this.problem}</span>
        <button class="link-button" type="button" @click=${() => this.#ask("history")}>Try again</button>
      </p>`;
    }
    if (this.isLoading) {
      return html`<div class="timeline-skeleton thread-skeleton" aria-hidden="true">
        ${[0, 1].map(() => html`<div class="skeleton-message"><i></i><b></b><s></s></div>`)}
      </div>`;
    }
    if (!this.hasMore) return nothing;
    return html`<button class="button thread-more" type="button" @click=${() => this.#ask("history")}>
      Earlier replies
    </button>`;
  }

  #ask(name: string, detail: MessageAction | null = null): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}

function rowOf(view: MessageView, row: Row): TemplateResult | typeof nothing {
  switch (row.kind) {
    case "day":
      return html`<li class="day"><span>${dayHeading(row.date, new Date())}</span></li>`;
    case "message":
      return messageRow(view, row);
    case "unsent":
      return unsentRow(view, row);
    case "new":
      return nothing;
  }
}

customElements.define("thread-panel", ThreadPanel);
