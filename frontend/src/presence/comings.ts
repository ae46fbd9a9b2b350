/** Changes within this are told as one; whoever came and went again meanwhile is not worth a word. */
const GATHER_MS = 6_000;
const MOST_NAMED = 3;

type People = ReadonlyMap<number, { username: string }>;

/** Who came and who left between two looks, `ownId` aside. */
export function comingsBetween(
  before: People,
  after: People,
  ownId: number,
): { came: string[]; left: string[] } {
  const missing = (some: People, others: People): string[] =>
    [...some].filter(([id]) => id !== ownId && !others.has(id)).map(([, { username }]) => username);
  return { came: missing(after, before), left: missing(before, after) };
}

/** The sentence that is read out; empty when nobody came or left. */
export function sentenceOf(came: readonly string[], left: readonly string[]): string {
  const parts = [told(came, "is here", "are here"), told(left, "has left", "have left")];
  return parts.filter((part) => part !== "").join(" ");
}

function told(names: readonly string[], one: string, many: string): string {
  if (names.length === 0) return "";
  if (names.length > MOST_NAMED) return `${names.length} people ${many}.`;
  const list = new Intl.ListFormat("en", { type: "conjunction" }).format(names);
  return `${list} ${names.length === 1 ? one : many}.`;
}

/** Says who comes and goes, in one sentence every few seconds at most. */
export class Comings {
  readonly #ownId: number;
  readonly #say: (sentence: string) => void;
  #said: People | null = null;
  #latest: People = new Map();
  #timer = 0;

  constructor(ownId: number, say: (sentence: string) => void) {
    this.#ownId = ownId;
    this.#say = say;
  }

  /** Takes the people who are here now; the first are not told of, they were here before. */
  see(people: People): void {
    this.#latest = people;
    this.#said ??= people;
    if (this.#timer !== 0) return;
    this.#timer = window.setTimeout(() => this.#tell(), GATHER_MS);
  }

  #tell(): void {
    this.#timer = 0;
    const { came, left } = comingsBetween(this.#said ?? this.#latest, this.#latest, this.#ownId);
    this.#said = this.#latest;
    const sentence = sentenceOf(came, left);
    if (sentence !== "") this.#say(sentence);
  }
}
