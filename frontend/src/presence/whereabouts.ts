import type { Channel } from "phoenix";
import type { Lobby } from "./lobby";
import { Roster } from "./roster";

const EVERY_MS = 20_000;
const MOST_ASKED = 100;

/** A conversation that the reader may see. */
export interface Place {
  topic: string;
  title: string;
}

/** Where everybody is, out of who is where: the first of the places counts, for it is the liveliest. */
export function placesOf(
  viewers: ReadonlyMap<string, readonly number[]>,
  places: readonly Place[],
): Map<number, Place> {
  const found = new Map<number, Place>();
  for (const place of places) {
    for (const id of viewers.get(place.topic) ?? []) if (!found.has(id)) found.set(id, place);
  }
  return found;
}

/**
 * Which of the reader's conversations the others have before their eyes.
 *
 * Where the page has joined a conversation it hears of that at once, as any member does. For the others it asks now
 * and then while it is looked at: the server tells members only, each time anew, and the reader does not appear in
 * any of them by asking.
 */
export class Whereabouts {
  readonly #lobby: Pick<Lobby, "viewers" | "whenJoined">;
  readonly #places: () => readonly Place[];
  readonly #found: (places: ReadonlyMap<number, Place>) => void;
  readonly #heard = new Map<string, Roster>();
  #told: ReadonlyMap<string, readonly number[]> = new Map();
  #timer = 0;
  #isAsking = false;

  constructor(
    lobby: Pick<Lobby, "viewers" | "whenJoined">,
    places: () => readonly Place[],
    found: (places: ReadonlyMap<number, Place>) => void,
  ) {
    this.#lobby = lobby;
    this.#places = places;
    this.#found = found;
    document.addEventListener("visibilitychange", () => void this.ask());
  }

  /** Hears who looks at this conversation from now on; before its channel joins. */
  listen(topic: string, channel: Channel): void {
    this.#heard.set(topic, new Roster(channel, () => this.#show()));
  }

  /** Asks now, or as soon as the server listens, and again in a while. */
  async ask(): Promise<void> {
    window.clearTimeout(this.#timer);
    if (document.hidden) return;
    this.#timer = window.setTimeout(() => void this.ask(), EVERY_MS);
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      await this.#lobby.whenJoined();
      const topics = this.#places()
        .map(({ topic }) => topic)
        .filter((topic) => !this.#heard.has(topic))
        .slice(0, MOST_ASKED);
      if (topics.length === 0) return;
      this.#told = await this.#lobby.viewers(topics);
      this.#show();
    } catch {
      // Not now: what was shown stays, and is asked for again.
    } finally {
      this.#isAsking = false;
    }
  }

  #show(): void {
    const viewers = new Map(this.#told);
    for (const [topic, { knowledge }] of this.#heard) {
      if (knowledge.kind !== "people") continue;
      const looking = [...knowledge.people.values()].filter(({ isViewing }) => isViewing);
      viewers.set(
        topic,
        looking.map(({ id }) => id),
      );
    }
    this.#found(placesOf(viewers, this.#places()));
  }
}
