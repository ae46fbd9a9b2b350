/** A stretch of text that was searched for, or not. */
export interface Stretch {
  text: string;
  isHit: boolean;
}

const BEFORE_HIT = 60;
const LONGEST = 240;

/** The text around the first hit, cut into what was searched for and what stands between. */
export function marked(text: string, query: string): Stretch[] {
  const line = text.replace(/\s+/gu, " ").trim();
  const pattern = patternOf(query);
  const first = pattern === null ? -1 : line.search(pattern);
  const from = first > BEFORE_HIT ? line.lastIndexOf(" ", first - BEFORE_HIT / 2) + 1 : 0;
  const piece = line.slice(from, from + LONGEST);
  const shown = `${from > 0 ? "…" : ""}${piece}${from + LONGEST < line.length ? "…" : ""}`;
  if (pattern === null) return [{ text: shown, isHit: false }];
  return shown
    .split(new RegExp(`(${pattern.source})`, "giu"))
    .map((part, index) => ({ text: part, isHit: index % 2 === 1 }))
    .filter((part) => part.text !== "");
}

/** The beginnings of words that the query asks for; null when it has none. */
export function patternOf(query: string): RegExp | null {
  const words = query.match(/[\p{L}\p{N}_]+/gu);
  if (words === null) return null;
  const longestFirst = [...new Set(words)].sort((one, other) => other.length - one.length);
  return new RegExp(`(?<![\\p{L}\\p{N}_])(?:${longestFirst.join("|")})`, "iu");
}

/** Shows hits inside what is on the page by the browser's own highlighting: no markup changes. */
export function highlight(place: HTMLElement, query: string): void {
  const pattern = patternOf(query);
  if (pattern === null || !("highlights" in CSS)) return;
  const every = new RegExp(pattern.source, "giu");
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const ranges: Range[] = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    for (const match of (node.nodeValue ?? "").matchAll(every)) {
      const range = new Range();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("search", new Highlight(...ranges));
}
