import { html, LitElement, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { type IconName, icon } from "../icon";
import type { People } from "../presence/attendance";
import { wordsOf } from "../presence/person";
import { clockTime, dayHeading, exactTime, hourCycleOf } from "../times";
import type { Row } from "./grouping";
import { segmentsOf } from "./links";
import type { Message, Person, UnsentMessage } from "./message";

/** What a reader asks for on a message; bubbles from the list as a `message-action` event. */
export interface MessageAction {
  verb: "reply" | "copy" | "link" | "retry" | "discard" | "show";
  key: string;
  message: Message | UnsentMessage;
}

/**
 * `<conversation-timeline>`: the list of messages.
 *
 * The server renders the same markup, so taking over changes no pixel. Rows have keys: an element,
 * its focus and its selection survive every update. One row at a time is a tab stop.
 */
export class ConversationTimeline extends LitElement {
  static override properties = {
    rows: { attribute: false },
    user: { attribute: false },
    hasMore: { attribute: false },
    isOnline: { attribute: false },
    selected: { attribute: false },
    problem: { attribute: false },
    heading: { attribute: false },
    people: { attribute: false },
  };

  declare rows: Row[];
  declare user: Person;
  declare hasMore: boolean;
  declare isOnline: boolean;
  /** The key of the row that Tab reaches; null means the newest. */
  declare selected: string | null;
  /** What went wrong when older messages were asked for. */
  declare problem: string;
  /** What the conversation is called. */
  declare heading: string;
  /** How the authors are here; null while it is not known. */
  declare people: People | null;
  declare find: (id: string) => Message | undefined;

  constructor() {
    super();
    this.rows = [];
    this.hasMore = false;
    this.isOnline = true;
    this.selected = null;
    this.problem = "";
    this.heading = "";
    this.people = null;
    this.find = () => undefined;
  }

  protected override createRenderRoot(): HTMLElement {
    // Only now is everything here to draw the same again.
    this.replaceChildren();
    return this;
  }

  protected override render(): TemplateResult {
    return html`${this.#top()}
      <ol class="timeline" aria-label="Messages">
        ${repeat(
          this.rows,
          (row) => row.key,
          (row) => this.#row(row),
        )}
      </ol>`;
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
    if (this.hasMore) {
      return html`<div class="timeline-top timeline-skeleton" aria-hidden="true">
        ${[0, 1, 2].map(() => html`<div class="skeleton-message"><i></i><b></b><s></s></div>`)}
      </div>`;
    }
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

  #row(row: Row): TemplateResult {
    switch (row.kind) {
      case "day":
        return html`<li class="day"><span>${dayHeading(row.date, new Date())}</span></li>`;
      case "new":
        return html`<li class="new-divider" id="new-messages">
          <span>${row.count === 1 ? "1 new message" : `${row.count} new messages`}</span>
        </li>`;
      case "message":
        return this.#message(row, row.message);
      case "unsent":
        return this.#unsent(row, row.message);
    }
  }

  #message(row: Extract<Row, { kind: "message" }>, message: Message): TemplateResult {
    const isOwn = message.author.id === this.user.id;
    return html`<li
      class="message"
      id=${`message-${message.seq}`}
      data-key=${row.key}
      data-seq=${message.seq}
      ?data-first=${row.isFirst}
      ?data-own=${isOwn}
      tabindex=${this.#tabIndex(row.key)}
    >
      ${this.#gutter(row.isFirst, message.author, new Date(message.created_at))}
      <div class="message-main">
        ${this.#heading(row.isFirst, message.author, new Date(message.created_at))}
        ${message.reply_to === null ? nothing : this.#quote(row.key, message)}
        ${body(message.body)}
      </div>
      ${this.#actions(row.key, message)}
    </li>`;
  }

  #unsent(row: Extract<Row, { kind: "unsent" }>, message: UnsentMessage): TemplateResult {
    const at = new Date(message.created_at);
    const state =
      message.state === "failed"
        ? html`<p class="message-state" data-tone="danger">
            ${icon("error")}<span>Not sent. ${message.problem}</span>
            ${this.#verb("retry", row.key, message, "Try again")}
            ${this.#verb("discard", row.key, message, "Take back")}
          </p>`
        : html`<p class="message-state">
            ${icon("pending")}<span>${this.isOnline ? "Sending…" : "Will be sent when you are back"}</span>
          </p>`;
    return html`<li
      class="message"
      data-key=${row.key}
      data-state=${message.state}
      data-own
      ?data-waits=${!this.isOnline}
      ?data-first=${row.isFirst}
      tabindex=${this.#tabIndex(row.key)}
    >
      ${this.#gutter(row.isFirst, this.user, at)}
      <div class="message-main">
        ${this.#heading(row.isFirst, this.user, at)} ${body(message.body)} ${state}
      </div>
    </li>`;
  }

  #gutter(isFirst: boolean, author: Person, at: Date): TemplateResult {
    return html`<div class="message-gutter" aria-hidden="true">${
      isFirst
        ? html`<span
            class="avatar"
            data-hue=${author.id % 8}
            data-presence=${this.people?.of(author.id) ?? nothing}
            title=${this.#attendance(author)}
            >${initialOf(author)}</span>`
        : html`<time class="message-clock" datetime=${at.toISOString()}>${clock(at)}</time>`
    }</div>`;
  }

  #heading(isFirst: boolean, author: Person, at: Date): TemplateResult {
    const isOwn = author.id === this.user.id;
    return html`<p class=${isFirst ? "message-heading" : "message-heading visually-hidden"}>
      <b class="message-author">${author.username}</b>${this.#spoken(isFirst, author)}${
        isOwn ? html`<span class="tag">you</span>` : nothing
      }
      <time class="message-time" datetime=${at.toISOString()} title=${exact(at)}
        >${clock(at)}</time
      >
    </p>`;
  }

  /** Heard with the first message of a group; the eye has the dot. */
  #spoken(isFirst: boolean, author: Person): TemplateResult | typeof nothing {
    const words = wordsOf(this.people?.of(author.id));
    if (!isFirst || words === "" || author.id === this.user.id) return nothing;
    return html`<span class="visually-hidden">, ${words}</span>`;
  }

  #attendance(author: Person): string {
    const words = wordsOf(this.people?.of(author.id));
    return words === "" ? author.username : `${author.username}, ${words}`;
  }

  #quote(key: string, message: Message): TemplateResult {
    const answered = this.find(message.reply_to ?? "");
    return html`<button
      class="message-quote"
      type="button"
      tabindex=${this.#tabIndex(key)}
      @click=${() => this.#ask("message-action", { verb: "show", key, message })}
    >
      ${
        answered === undefined
          ? html`<span>Answer to an earlier message</span>`
          : html`<b>${answered.author.username}</b> <span>${answered.body}</span>`
      }
    </button>`;
  }

  #actions(key: string, message: Message): TemplateResult {
    const button = (verb: MessageAction["verb"], name: string, drawing: IconName) => html`<button
      class="icon-button"
      type="button"
      title=${name}
      aria-label=${name}
      tabindex=${this.#tabIndex(key)}
      @click=${() => this.#ask("message-action", { verb, key, message })}
    >
      ${icon(drawing)}
    </button>`;
    return html`<div class="message-actions">
      ${button("reply", "Answer (r)", "reply")} ${button("copy", "Copy text (y)", "copy")}
      ${button("link", "Copy link", "link")}
    </div>`;
  }

  #verb(
    verb: MessageAction["verb"],
    key: string,
    message: UnsentMessage,
    label: string,
  ): TemplateResult {
    return html`<button
      class="link-button"
      type="button"
      @click=${() => this.#ask("message-action", { verb, key, message })}
    >
      ${label}
    </button>`;
  }

  #tabIndex(key: string): number {
    return key === (this.selected ?? this.rows.at(-1)?.key) ? 0 : -1;
  }

  #ask(name: string, detail: MessageAction | null = null): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}

function body(text: string): TemplateResult {
  return html`<div class="message-body" dir="auto">${segmentsOf(text).map((segment) =>
    "href" in segment
      ? html`<a href=${segment.href} rel="noopener noreferrer nofollow" target="_blank"
          >${segment.text}</a
        >`
      : segment.text,
  )}</div>`;
}

const reader = hourCycleOf(document.documentElement);

function clock(at: Date): string {
  return clockTime(at, undefined, reader);
}

function exact(at: Date): string {
  return exactTime(at, undefined, reader);
}

function initialOf(person: Person): string {
  return [...person.username].slice(0, 1).join("").toLocaleUpperCase();
}

customElements.define("conversation-timeline", ConversationTimeline);
