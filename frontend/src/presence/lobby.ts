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
}

/** The topic `presence:lobby`: who is at this site, and what the reader lets the others see. */
export class Lobby {
  readonly roster: Roster;
  readonly #channel: Channel;
  readonly #others = new Set<Channel>();
  readonly #watch: ActivityWatch;
  #problem = "";
  readonly #changed: () => void;

  constructor(socket: UserSocket, changed: () => void) {
    this.#changed = changed;
    this.#channel = socket.channel("presence:lobby");
    this.roster = new Roster(this.#channel, changed);
    this.#watch = watchPage((activity) => this.#tell(activity));
  }

  /** Why the people here cannot be shown; empty when they can. */
  get problem(): string {
    return this.#problem;
  }

  /** Whether the server listens now. */
  get isJoined(): boolean {
    return this.#channel.state === "joined";
  }

  /** Comes in, and comes in again after every outage. */
  join(): void {
    this.#channel
      .join()
      .receive("ok", () => {
        this.#problem = "";
        this.tellAgain(this.#channel);
        this.#changed();
      })
      .receive("error", (reply) => {
        this.#problem = (reply as Refusal).message ?? "The server did not say why.";
        this.#changed();
      });
  }

  /** Tells on another topic too, where the reader is seen, how attentive they are. */
  tellAlsoOn(channel: Channel): void {
    this.#others.add(channel);
  }

  /** After a join the server takes the reader for active. */
  tellAgain(channel: Channel): void {
    if (this.#watch.activity !== "active") push(channel, this.#watch.activity);
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

  #tell(activity: Activity): void {
    for (const channel of [this.#channel, ...this.#others]) {
      if (channel.state === "joined") push(channel, activity);
    }
  }
}

function push(channel: Channel, activity: Activity): void {
  channel.push("set_activity", { activity }, DEADLINE_MS);
}
