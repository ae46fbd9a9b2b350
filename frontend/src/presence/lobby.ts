import type { Channel } from "phoenix";
import type { UserSocket } from "../realtime/user_socket";
import type { ActivityWatch } from "./activity";
import { watchPage } from "./activity";
import type { Activity, StatusLine } from "./person";
import { Roster } from "./roster";

const DEADLINE_MS = 5_000;

/** What a person says of themselves; empty text and emoji take it back. */
export interface ChosenStatus {
  text: string;
  emoji: string;
  expires_in_s: number | null;
}

interface Refusal {
  reason?: string;
  message?: string;
  retry_after_ms?: number;
}

/** The topic `presence:lobby`: who is at this site, and what the reader lets the others see. */
export class Lobby {
  readonly roster: Roster;
  readonly #channel: Channel;
  readonly #rooms = new Set<Channel>();
  readonly #watch: ActivityWatch;
  #waiting: (() => void)[] = [];
  #retry = 0;
  #problem = "";
  readonly #changed: () => void;

  constructor(socket: UserSocket, changed: () => void) {
    this.#changed = changed;
    this.#channel = socket.channel("presence:lobby");
    this.roster = new Roster(this.#channel, changed);
    this.#watch = watchPage((activity) => this.#tell(activity));
    document.addEventListener("visibilitychange", () => this.#tellRooms());
  }

  /** Why the people here cannot be shown; empty when they can. */
  get problem(): string {
    return this.#problem;
  }

  /** Whether the server listens now. */
  get isJoined(): boolean {
    return this.#channel.state === "joined";
  }

  /** Resolves once the server listens, at once if it does already. */
  whenJoined(): Promise<void> {
    if (this.isJoined) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Comes in, and comes in again after every outage. */
  join(): void {
    this.#channel
      .join()
      .receive("ok", () => {
        this.#problem = "";
        // After a join the server takes the reader for active.
        if (this.#watch.activity !== "active") this.#tell(this.#watch.activity);
        this.#changed();
        for (const go of this.#waiting.splice(0)) go();
      })
      .receive("error", (reply) => {
        this.#problem = (reply as Refusal).message ?? "The server did not say why.";
        this.#changed();
      });
  }

  /** Tells in a room, too, whether the reader has it before their eyes: a page shows it. */
  tellAlsoOn(channel: Channel): void {
    this.#rooms.add(channel);
  }

  /** After a join the server takes the reader for looking elsewhere, and for active. */
  tellAgain(channel: Channel): void {
    if (!document.hidden) this.#push(channel, "set_viewing", { viewing: true });
    const { activity } = this.#watch;
    if (activity !== "active" && !this.isJoined) this.#push(channel, "set_activity", { activity });
  }

  /** Who has which of these conversations before their eyes, by topic. Rejects when nobody says. */
  viewers(topics: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>> {
    return new Promise((resolve, reject) => {
      this.#channel
        .push("fetch_viewers", { topics }, DEADLINE_MS)
        .receive("ok", (reply) => {
          const { viewers } = reply as { viewers: Record<string, number[]> };
          resolve(new Map(Object.entries(viewers)));
        })
        .receive("error", (reply) => reject(new Error((reply as Refusal).message)))
        .receive("timeout", () => reject(new Error("The server did not answer.")));
    });
  }

  /** Sets the reader's own line. Rejects with a sentence. */
  setStatus(chosen: ChosenStatus): Promise<StatusLine | null> {
    return new Promise((resolve, reject) => {
      this.#channel
        .push("set_status", chosen, DEADLINE_MS)
        .receive("ok", (reply) => resolve((reply as { status: StatusLine | null }).status))
        .receive("error", (reply) => reject(new Error((reply as Refusal).message)))
        .receive("timeout", () => reject(new Error("The server did not answer.")));
    });
  }

  /** One topic is enough: it counts on all of this socket. */
  #tell(activity: Activity): void {
    const heard = [this.#channel, ...this.#rooms].find(({ state }) => state === "joined");
    if (heard !== undefined) this.#push(heard, "set_activity", { activity });
  }

  #tellRooms(): void {
    for (const room of this.#rooms) {
      if (room.state === "joined") this.#push(room, "set_viewing", { viewing: !document.hidden });
    }
  }

  /** Whoever is refused because they changed too often tells how it is in the end. */
  #push(channel: Channel, event: string, payload: object): void {
    channel.push(event, payload, DEADLINE_MS).receive("error", (reply) => {
      const { retry_after_ms } = reply as Refusal;
      if (retry_after_ms === undefined || this.#retry !== 0) return;
      this.#retry = window.setTimeout(() => {
        this.#retry = 0;
        this.#tell(this.#watch.activity);
        this.#tellRooms();
      }, retry_after_ms);
    });
  }
}
