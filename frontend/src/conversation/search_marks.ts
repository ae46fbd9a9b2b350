/** A line of what was found, and where in it: [start, end) in UTF-16 units. */
export interface Snippet {
  text: string;
  highlights: readonly (readonly [number, number])[];
}

/** A stretch of text that was looked for, or not. */
export interface Stretch {
  text: string;
  isHit: boolean;
}

/** The snippet cut into what was looked for and what stands between. */
export function stretchesOf({ text, highlights }: Snippet): Stretch[] {
  const stretches: Stretch[] = [];
  let at = 0;
  for (const [start, end] of highlights) {
    if (start > at) stretches.push({ text: text.slice(at, start), isHit: false });
    stretches.push({ text: text.slice(Math.max(at, start), end), isHit: true });
    at = Math.max(at, end);
  }
  if (at < text.length) stretches.push({ text: text.slice(at), isHit: false });
  return stretches.filter((stretch) => stretch.text !== "");
}

/** The beginnings of words that the query asks for; null when it has none. */
export function patternOf(query: string): RegExp | null {
  const words = query.match(/[\p{L}\p{N}_]+/gu);
  if (words === null) return null;
  const longestFirst = [...new Set(words)].sort((one, other) => other.length - one.length);
  return new RegExp(`(?<![\\p{L}\\p{N}_])(?:${longestFirst.join("|")})`, "giu");
}

/** Shows hits inside what is on the page by the browser's own highlighting: no markup changes. */
export function highlight(place: HTMLElement, query: string): void {
  const pattern = patternOf(query);
  if (pattern === null || !("highlights" in CSS)) return;
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const ranges: Range[] = [];
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    for (const match of (node.nodeValue ?? "").matchAll(pattern)) {
      const range = new Range();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("search", new Highlight(...ranges));
}
