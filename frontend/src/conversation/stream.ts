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

/** A stretch of a line: plain, or in an element. */
export interface InlinePart {
  tag: "strong" | "em" | "code" | null;
  text: string;
}

const INLINE =
  /`([^`\n]+)`|\*\*(\S(?:[^*\n]*\S)?)\*\*|(?<![\w*])\*([^\s*](?:[^*\n]*\S)?)\*(?![\w*])/gu;
/** What a line that goes on has begun and not closed; a mark at its very end may yet begin or close something. */
const OPEN = /`([^`\n]*)$|\*\*(\S[^*\n]*)?\*?$|(?<![\w*])\*([^\s*][^*\n]*)?$/u;
const ITEM = /^( *)(?:[-*+]|\d{1,9}[.)])\s+/u;

/** A line as it will look: bold words, code, headings, items of a list with their depth. */
export function inlineParts(line: string): { depth: number; parts: InlinePart[] } {
  const heading = /^#{1,6}\s+(.*)$/u.exec(line)?.[1];
  if (heading !== undefined) return { depth: 0, parts: [{ tag: "strong", text: heading }] };
  const indent = ITEM.exec(line)?.[1];
  const { parts, rest } = closedParts(line.trimStart().replace(/^[-*+](\s+)/u, "•$1"));
  if (rest !== "") parts.push({ tag: null, text: rest });
  return { depth: depthOf(indent), parts };
}

/**
 * The same for a line that goes on: what it has begun looks so from its first word on, and no mark is seen alone.
 *
 * The last part is the one that grows.
 */
export function growingParts(line: string): { depth: number; parts: InlinePart[] } {
  if (/^#{1,6}(?:\s|$)/u.test(line)) {
    return { depth: 0, parts: [{ tag: "strong", text: line.replace(/^#+\s*/u, "") }] };
  }
  const indent = ITEM.exec(line)?.[1];
  const { parts, rest } = closedParts(line.trimStart().replace(/^[-*+](\s+)/u, "•$1"));
  const open = OPEN.exec(rest);
  if (open === null)
    return { depth: depthOf(indent), parts: [...parts, { tag: null, text: rest }] };
  if (open.index > 0) parts.push({ tag: null, text: rest.slice(0, open.index) });
  parts.push(partOf(open));
  return { depth: depthOf(indent), parts };
}

function depthOf(indent: string | undefined): number {
  return indent === undefined ? 0 : 1 + Math.floor(indent.length / 2);
}

function partOf([, code, strong, em]: RegExpExecArray): InlinePart {
  const tag = code !== undefined ? "code" : strong !== undefined ? "strong" : "em";
  return {
    tag: (code ?? strong ?? em) === undefined ? null : tag,
    text: code ?? strong ?? em ?? "",
  };
}

function closedParts(text: string): { parts: InlinePart[]; rest: string } {
  const parts: InlinePart[] = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) parts.push({ tag: null, text: text.slice(end, match.index) });
    parts.push(partOf(match));
    end = match.index + match[0].length;
  }
  return { parts, rest: text.slice(end) };
}
