import { html, nothing, render } from "lit";
import { icon } from "../icon";
import type { Person } from "./message";
import type { LiveRun } from "./runs";
import { typingLine } from "./typing";

/** What the line above the composer may ask for. */
export interface StatusLinePage {
  stop: (run: LiveRun) => void;
  show: (run: LiveRun) => void;
}

/** A run, and whether the reader may stop it. */
export type ShownRun = LiveRun & { isMine: boolean };

/** The one quiet line above the composer: what the assistant does, else who types. Always as high. */
export class StatusLine {
  readonly #element: HTMLElement;
  readonly #spoken: HTMLElement;
  readonly #page: StatusLinePage;
  #said = "";

  constructor(element: HTMLElement, spoken: HTMLElement, page: StatusLinePage) {
    this.#element = element;
    this.#spoken = spoken;
    this.#page = page;
  }

  /** Shows these runs (the active ones, oldest first) and these typists (without the reader). */
  show(runs: readonly ShownRun[], typing: readonly Person[]): void {
    const run = runs[0];
    const words = typingLine(typing);
    render(
      run === undefined
        ? words === ""
          ? nothing
          : html`<span class="typing"><i class="typing-dots" aria-hidden="true"></i>${words}</span>`
        : this.#run(run, runs.length - 1),
      this.#element,
    );
    this.#say(words);
  }

  #run(run: ShownRun, waiting: number): unknown {
    const more = waiting === 0 ? "" : ` · ${waiting} waiting`;
    return html`<i class="pulse" aria-hidden="true"></i
      ><button class="status-run" type="button" @click=${() => this.#page.show(run)}>
        The assistant answers${run.started_by === null ? "" : ` ${run.started_by.username}`}${more}
      </button>
      <span class="number" data-elapsed=${run.started_at ?? run.created_at}></span>
      ${
        run.isMine
          ? html`<button class="button" data-size="small" type="button" @click=${() => this.#page.stop(run)}>
              ${icon("stop")}Stop
            </button>`
          : nothing
      }`;
  }

  /** Heard when somebody begins, not again while they go on. */
  #say(words: string): void {
    if (words === this.#said) return;
    this.#said = words;
    this.#spoken.textContent = words;
  }
}

const SECOND = 1_000;

/** "12 s", "1:05": how long something has been going on. */
export function elapsedText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / SECOND));
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Keeps every `[data-elapsed]` of the page up to date, once a second. */
export function keepElapsed(now: () => number = Date.now): void {
  const tick = (): void => {
    for (const place of document.querySelectorAll<HTMLElement>("[data-elapsed]")) {
      const since = Date.parse(place.dataset.elapsed ?? "");
      if (!Number.isNaN(since)) place.textContent = elapsedText(now() - since);
    }
  };
  tick();
  window.setInterval(tick, SECOND);
}
