/** A stretch of a message's text: plain, or an address that may be followed. */
export type Segment = { text: string } | { text: string; href: string };

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\p{Cc}]+/giu;
const TRAILING = /[.,;:!?…]+$/u;
const PAIRS: readonly (readonly [string, string])[] = [
  ["(", ")"],
  ["[", "]"],
];

/**
 * Splits text into plain stretches and http(s) addresses.
 *
 * Only addresses that the URL parser accepts become links, so `javascript:` and the like cannot; what
 * ends a sentence, or closes a bracket that the address did not open, is left outside.
 */
export function segmentsOf(text: string): Segment[] {
  const segments: Segment[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = hrefOf(address);
    if (href === null) continue;
    if (match.index > end) segments.push({ text: text.slice(end, match.index) });
    segments.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) segments.push({ text: text.slice(end) });
  return segments;
}

function trimmed(address: string): string {
  let kept = address;
  for (;;) {
    const shorter = withoutOpenEnd(kept.replace(TRAILING, ""));
    if (shorter === kept) return kept;
    kept = shorter;
  }
}

function withoutOpenEnd(address: string): string {
  for (const [open, close] of PAIRS) {
    const isUnmatched = address.split(close).length > address.split(open).length;
    if (address.endsWith(close) && isUnmatched) return address.slice(0, -1);
  }
  return address;
}

function hrefOf(address: string): string | null {
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  const isPlain = (url.protocol === "https:" || url.protocol === "http:") && url.hostname !== "";
  return isPlain ? url.href : null;
}
