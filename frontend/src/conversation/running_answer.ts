import { FenceSplitter, type Step } from "./stream";

/**
 * `<running-answer>`: the text of an answer while it is written.
 *
 * A token costs one append to one text node, once per frame, however long the answer is. Fenced code
 * stands as code at once; everything else is plain until the server's own rendering replaces it.
 */
export class RunningAnswer extends HTMLElement {
  #splitter = new FenceSplitter();
  #shown = "";
  #wanted = "";
  #frame = 0;
  #text: Text | null = null;
  #place: HTMLElement = this;

  /** The whole text so far. */
  set text(text: string) {
    this.#wanted = text;
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  connectedCallback(): void {
    this.#draw();
  }

  disconnectedCallback(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #draw(): void {
    this.#frame = 0;
    const text = this.#wanted;
    // A snapshot may differ from what came before it: then all of it is shown anew.
    if (!text.startsWith(this.#shown)) this.#restart();
    for (const step of this.#splitter.feed(text.slice(this.#shown.length))) this.#take(step);
    this.#shown = text;
  }

  #restart(): void {
    this.#splitter = new FenceSplitter();
    this.#shown = "";
    this.#text = null;
    this.#place = this;
    this.replaceChildren();
  }

  #take(step: Step): void {
    if (step.kind === "text") {
      if (this.#text === null) {
        this.#text = document.createTextNode("");
        this.#place.append(this.#text);
      }
      this.#text.appendData(step.text);
      return;
    }
    this.#text = null;
    this.#place = this;
    if (step.kind === "close") return;
    const block = document.createElement("pre");
    const code = document.createElement("code");
    block.append(code);
    this.append(block);
    this.#place = code;
  }
}

customElements.define("running-answer", RunningAnswer);
