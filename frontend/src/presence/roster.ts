import { type Channel, Presence } from "phoenix";
import { type Meta, type PresentPerson, personOf } from "./person";

/** Diffs that come within this are shown as one. */
const TOGETHER_MS = 60;

/** What is known of a topic's people. Above some number the server tells only how many there are. */
export type Knowledge =
  | { kind: "loading" }
  | { kind: "people"; people: ReadonlyMap<number, PresentPerson> }
  | { kind: "count"; count: number };

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
  #timer = 0;

  constructor(channel: Channel, changed: () => void) {
    this.#changed = changed;
    this.#presence = new Presence<Meta>(channel);
    this.#presence.onSync(() => this.#synced());
    channel.on("presence_counts", (payload) => {
      this.#know({ kind: "count", count: (payload as { count: number }).count });
    });
  }

  /** What is known now. */
  get knowledge(): Knowledge {
    return this.#knowledge;
  }

  #synced(): void {
    const people = this.#presence.list((key, { metas }) => personOf(key, metas));
    // We are here ourselves: an empty list means that there are too many to name, and a count follows.
    if (people.length === 0) return;
    this.#know({ kind: "people", people: new Map(people.map((one) => [one.id, one])) });
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
