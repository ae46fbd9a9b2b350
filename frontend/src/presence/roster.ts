import { type Channel, Presence } from "phoenix";
import { type Meta, type PresentPerson, personOf } from "./person";

/** Diffs that come within this are shown as one. */
const TOGETHER_MS = 60;

/** What is known of a topic's people. Above some number the server tells only how many there are. */
export type Knowledge =
  | { kind: "loading" }
  | { kind: "people"; people: ReadonlyMap<number, PresentPerson> }
  | { kind: "count"; count: number; own: PresentPerson | null };

/**
 * Who is on a topic, by the `Presence` of phoenix.
 *
 * It must be there before the channel joins. What it knew stays while the line is down: a rejoin
 * brings the differences, and nobody seems to leave and come.
 */
export class Roster {
  readonly #presence: Presence<Meta>;
  readonly #changed: () => void;
  #knowledge: Knowledge = { kind: "loading" };
  /** How many there are, while the server names nobody but the reader; null while it names them all. */
  #count: number | null = null;
  #timer = 0;

  constructor(channel: Channel, changed: () => void) {
    this.#changed = changed;
    // Before Presence hears it: a state names everybody, unless a count follows.
    channel.on("presence_state", () => {
      this.#count = null;
    });
    this.#presence = new Presence<Meta>(channel);
    this.#presence.onSync(() => this.#synced());
    channel.on("presence_counts", (payload) => {
      this.#count = (payload as { count: number }).count;
      this.#synced();
    });
  }

  /** What is known now. */
  get knowledge(): Knowledge {
    return this.#knowledge;
  }

  #synced(): void {
    const people = this.#presence.list((key, { metas }) => personOf(key, metas));
    if (this.#count !== null) {
      this.#know({ kind: "count", count: this.#count, own: people[0] ?? null });
    } else {
      this.#know({ kind: "people", people: new Map(people.map((one) => [one.id, one])) });
    }
  }

  #know(knowledge: Knowledge): void {
    this.#knowledge = knowledge;
    if (this.#timer !== 0) return;
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      this.#changed();
    }, TOGETHER_MS);
  }
}
