import type { Lobby } from "./lobby";

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
 * It is asked for now and then while the page is looked at: the server tells members only, each time
 * anew, and the reader does not appear in any of them by asking.
 */
export class Whereabouts {
  readonly #lobby: Pick<Lobby, "isJoined" | "viewers">;
  readonly #places: () => readonly Place[];
  readonly #found: (places: ReadonlyMap<number, Place>) => void;
  #timer = 0;
  #isAsking = false;

  constructor(
    lobby: Pick<Lobby, "isJoined" | "viewers">,
    places: () => readonly Place[],
    found: (places: ReadonlyMap<number, Place>) => void,
  ) {
    this.#lobby = lobby;
    this.#places = places;
    this.#found = found;
    document.addEventListener("visibilitychange", () => void this.ask());
  }

  /** Asks now, and again in a while. */
  async ask(): Promise<void> {
    window.clearTimeout(this.#timer);
    if (document.hidden) return;
    this.#timer = window.setTimeout(() => void this.ask(), EVERY_MS);
    if (!this.#lobby.isJoined || this.#isAsking) return;
    this.#isAsking = true;
    const places = this.#places().slice(0, MOST_ASKED);
    try {
      this.#found(placesOf(await this.#lobby.viewers(places.map(({ topic }) => topic)), places));
    } catch {
      // Not now: what was shown stays, and is asked for again.
    } finally {
      this.#isAsking = false;
    }
  }
}
