/** What a stretch of streamed text asks of whoever shows it. */
export type Step =
  | { kind: "text"; text: string }
  | { kind: "open"; language: string }
  | { kind: "close" };

const FENCE = /^ {0,3}(`{3,})\s*([^\s`]*)[^\n`]*$/u;
const MAYBE_FENCE = /^ {0,3}`{0,2}$|^ {0,3}`{3,}[^\n]*$/u;

/**
 * Cuts a growing text into prose and fenced code, reading each character once.
 *
 * Only the start of a line that may yet become a fence is held back; everything else is given on as
 * it comes. It is no Markdown reader: the server renders the whole once the answer has ended.
 */
export class FenceSplitter {
  #held = "";
  #isLineStart = true;
  #fence = "";

  /** The steps that `delta` adds. */
  feed(delta: string): Step[] {
    const steps: Step[] = [];
    let rest = this.#held + delta;
    this.#held = "";
    while (rest !== "") {
      const end = rest.indexOf("\n");
      const line = end === -1 ? rest : rest.slice(0, end);
      if (this.#isLineStart && end === -1 && MAYBE_FENCE.test(line)) {
        this.#held = rest;
        break;
      }
      const isWhole = end !== -1;
      this.#line(steps, line, isWhole);
      this.#isLineStart = isWhole;
      rest = isWhole ? rest.slice(end + 1) : "";
    }
    return steps;
  }

  /** What was held back when nothing more comes. */
  end(): Step[] {
    const held = this.#held;
    this.#held = "";
    return held === "" ? [] : [{ kind: "text", text: held }];
  }

  #line(steps: Step[], line: string, isWhole: boolean): void {
    const fence = this.#isLineStart && isWhole ? FENCE.exec(line) : null;
    const ticks = fence?.[1] ?? "";
    if (ticks !== "" && this.#fence === "") {
      this.#fence = ticks;
      steps.push({ kind: "open", language: fence?.[2] ?? "" });
    } else if (ticks !== "" && ticks.length >= this.#fence.length && fence?.[2] === "") {
      this.#fence = "";
      steps.push({ kind: "close" });
    } else {
      push(steps, isWhole ? `${line}\n` : line);
    }
  }
}

function push(steps: Step[], text: string): void {
  const last = steps.at(-1);
  if (text === "") return;
  if (last?.kind === "text") last.text += text;
  else steps.push({ kind: "text", text });
}
