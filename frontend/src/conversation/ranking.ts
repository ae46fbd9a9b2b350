/** A conversation that can be gone to. */
export interface Destination {
  title: string;
  href: string;
}

/**
 * The destinations whose titles hold every word of the query, best first.
 *
 * A title that starts with the query goes before one with a word that does, and that before any
 * other; among equals the order given stays, which is that of life.
 */
export function ranked<T extends Destination>(destinations: readonly T[], query: string): T[] {
  const words = folded(query).split(/\s+/u).filter(Boolean);
  const scored = destinations.map((destination) => ({
    destination,
    score: scoreOf(folded(destination.title), words),
  }));
  return scored
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score)
    .map(({ destination }) => destination);
}

function scoreOf(title: string, words: readonly string[]): number {
  if (!words.every((word) => title.includes(word))) return 0;
  if (title.startsWith(words.join(" "))) return 3;
  return words.some((word) => title.includes(` ${word}`)) ? 2 : 1;
}

/** Without case and accents, as people type. */
function folded(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();
}
