import { FenceSplitter, growingParts, type InlinePart, inlineParts, type Step } from "./stream";

/** By then a line has said whether it is a heading or an item of a list. */
const MOST_BEGUN = 40;
/** So long is a mark: the end of what is shown may become one with what comes. */
const MARK_CHARS = 2;
const MARK = /[*`]/u;

/**
 * `<running-answer>`: the text of an answer while it is written.
 *
 * A token costs one append to one text node, once per frame, however long the answer is. Only where a
 * line begins, or where a mark comes, is that line looked at again, for bold words, code and lists; the
 * server's own rendering replaces all of it in the end.
 */
export class RunningAnswer extends HTMLElement {
  #splitter = new FenceSplitter();
  #shown = "";
  #wanted = "";
  #frame = 0;
  #line: HTMLElement | null = null;
  /** The line as it was said, marks and all. */
  #said = "";
  /** Where it grows. */
  #tail = document.createTextNode("");
  #code: Text | null = null;

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
    this.#line = null;
    this.#code = null;
    this.replaceChildren();
  }

  #take(step: Step): void {
    if (step.kind === "open") this.#openCode();
    else if (step.kind === "close") this.#code = null;
    else if (this.#code !== null) this.#code.appendData(step.text);
    else this.#write(step.text);
  }

  #openCode(): void {
    this.#line = null;
    this.#code = document.createTextNode("");
    const block = document.createElement("pre");
    const code = document.createElement("code");
    code.append(this.#code);
    block.append(code);
    this.append(block);
  }

  #write(text: string): void {
    const lines = text.split("\n");
    for (const [index, piece] of lines.entries()) {
      if (piece !== "") this.#append(piece);
      if (index < lines.length - 1) this.#endLine();
    }
  }

  #append(piece: string): void {
    if (this.#line === null) {
      this.#line = document.createElement("span");
      this.#line.className = "line";
      this.#said = "";
      this.append(this.#line);
    }
    this.#said += piece;
    const isPlain = !MARK.test(this.#said.slice(-piece.length - MARK_CHARS));
    if (isPlain && this.#said.length - piece.length > MOST_BEGUN) this.#tail.appendData(piece);
    else this.#lay(this.#line, growingParts(this.#said));
  }

  #lay(line: HTMLElement, { depth, parts }: { depth: number; parts: InlinePart[] }): void {
    if (depth > 0) line.dataset.depth = String(Math.min(depth, 3));
    else delete line.dataset.depth;
    line.replaceChildren(
      ...parts.map(({ tag, text }) => {
        this.#tail = document.createTextNode(text);
        if (tag === null) return this.#tail;
        const element = document.createElement(tag);
        element.append(this.#tail);
        return element;
      }),
    );
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = null;
    if (line === null) {
      const last = this.lastElementChild;
      if (last?.className === "line") last.classList.add("line-end");
      return;
    }
    this.#lay(line, inlineParts(this.#said));
  }
}

customElements.define("running-answer", RunningAnswer);
