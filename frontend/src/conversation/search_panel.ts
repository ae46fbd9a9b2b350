import { html, LitElement, nothing, type TemplateResult } from "lit";
import { icon } from "../icon";
import { clockTime, dayHeading } from "../times";
import type { Message } from "./message";
import { type Snippet, stretchesOf } from "./search_marks";

const WAIT_MS = 200;

/** A message with what was looked for. */
export interface Hit {
  message: Message;
  snippet: Snippet;
}

/** One page of what was found, the newest first. */
export interface Found {
  results: readonly Hit[];
  has_more: boolean;
}

/** How the panel asks. Rejects with a sentence. */
export type Search = (query: string, beforeSeq: number | null) => Promise<Found>;

type Answer =
  | { kind: "nothing" }
  | { kind: "searching" }
  | { kind: "problem"; text: string }
  | { kind: "found"; hits: Hit[]; hasMore: boolean };

/** `<search-panel>`: words in, messages out; choosing one goes there by a `go-to` event. */
export class SearchPanel extends LitElement {
  static override properties = {
    query: { attribute: false },
    answer: { state: true },
    chosen: { state: true },
  };

  declare query: string;
  declare answer: Answer;
  declare chosen: number;
  search: Search = () => Promise.resolve({ results: [], has_more: false });
  #timer = 0;
  #asked = 0;

  constructor() {
    super();
    this.query = "";
    this.answer = { kind: "nothing" };
    this.chosen = -1;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override focus(): void {
    const field = this.querySelector("input");
    field?.focus();
    field?.select();
  }

  /** Searches for these words now. */
  begin(query: string): void {
    this.query = query;
    if (query !== "") void this.#search();
  }

  /** The server listens again: what could not be searched is searched now. */
  again(): void {
    if (this.answer.kind === "problem") void this.#search();
  }

  #typed(event: Event): void {
    this.query = (event.target as HTMLInputElement).value;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#search(), WAIT_MS);
  }

  async #search(before: Hit[] = []): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    const { query } = this;
    if (query.trim() === "") {
      this.answer = { kind: "nothing" };
      return;
    }
    if (before.length === 0 && this.answer.kind !== "found") this.answer = { kind: "searching" };
    try {
      const found = await this.search(query, before.at(-1)?.message.seq ?? null);
      // A later question has been asked meanwhile: this answer is not for it.
      if (asked !== this.#asked) return;
      const hits = [...before, ...found.results];
      this.answer = { kind: "found", hits, hasMore: found.has_more };
      if (before.length === 0) this.chosen = -1;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.answer = { kind: "problem", text: error instanceof Error ? error.message : "" };
    }
  }

  #pressed(event: KeyboardEvent): void {
    if (this.answer.kind !== "found" || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const { hits } = this.answer;
    if (step !== undefined && hits.length > 0) {
      event.preventDefault();
      this.chosen = Math.min(Math.max(0, this.chosen + step), hits.length - 1);
      void this.updateComplete.then(() => {
        this.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
      });
    }
    const message = hits[Math.max(0, this.chosen)]?.message;
    if (event.key === "Enter" && message !== undefined) {
      event.preventDefault();
      this.chosen = Math.max(0, this.chosen);
      this.#go(message);
    }
  }

  #go(message: Message): void {
    this.dispatchEvent(
      new CustomEvent("go-to", { detail: { message, query: this.query }, bubbles: true }),
    );
  }

  protected override render(): TemplateResult {
    return html`<div class="search-head">
        <label class="search-box">
          ${icon("search")}<span class="visually-hidden">Search this conversation</span>
          <input
            type="search"
            placeholder="Search this conversation"
            autocomplete="off"
            spellcheck="false"
            .value=${this.query}
            @input=${(event: Event) => this.#typed(event)}
            @keydown=${(event: KeyboardEvent) => this.#pressed(event)}
          />
        </label>
      </div>
      <div class="search-results" role="status" aria-live="polite">${this.#summary()}</div>
      ${this.#results()}`;
  }

  #summary(): unknown {
    const { answer } = this;
    switch (answer.kind) {
      case "nothing":
        return html`<p class="panel-empty">Type words to find. All of them must be in a message.</p>`;
      case "searching":
        return html`<p class="visually-hidden">Searching…</p>
          <div class="timeline-skeleton" aria-hidden="true">
            ${[0, 1, 2].map(() => html`<div class="skeleton-message"><i></i><b></b><s></s></div>`)}
          </div>`;
      case "problem":
        return html`<p class="notice" data-tone="danger">
          ${icon("error")}<span>The search failed. ${answer.text}</span>
          <button class="link-button" type="button" @click=${() => void this.#search()}>Try again</button>
        </p>`;
      case "found": {
        const count = answer.hits.length;
        if (count === 0) {
          return html`<p class="panel-empty">Nothing here has “${this.query}” in it. Try fewer or other words.</p>`;
        }
        return html`<p class="search-count">
          ${answer.hasMore ? `The newest ${count}` : count === 1 ? "1 message" : `${count} messages`}
        </p>`;
      }
    }
  }

  #results(): unknown {
    if (this.answer.kind !== "found" || this.answer.hits.length === 0) return nothing;
    const { hits, hasMore } = this.answer;
    return html`<ol class="search-list">
        ${hits.map((hit, index) => this.#result(hit, index))}
      </ol>
      ${
        hasMore
          ? html`<button class="button search-more" type="button" @click=${() => void this.#search(hits)}>
              Older ones
            </button>`
          : nothing
      }`;
  }

  #result({ message, snippet }: Hit, index: number): TemplateResult {
    const at = new Date(message.created_at);
    return html`<li>
      <button
        class="search-result"
        type="button"
        aria-current=${index === this.chosen ? "true" : nothing}
        @click=${() => {
          this.chosen = index;
          this.#go(message);
        }}
      >
        <span class="search-result-head">
          <b>${message.author.id === 0 ? "Assistant" : message.author.username}</b>
          <time datetime=${message.created_at}>${dayHeading(at, new Date())}, ${clockTime(at)}</time>
        </span>
        <span class="search-result-body">${stretchesOf(snippet).map((part) =>
          part.isHit ? html`<mark>${part.text}</mark>` : part.text,
        )}</span>
      </button>
    </li>`;
  }
}

customElements.define("search-panel", SearchPanel);
