import type { Announcer } from "../announcer";
import { type ConnectionLine, spokenLink } from "../realtime/connection_line";
import type { Link } from "../realtime/link";
import type { UserSocket } from "../realtime/user_socket";
import { required } from "./required";
import type { Room } from "./room";

/** Shows the state of the line, says it once, and marks what is shown as old while it is gone. */
export class LineWatch {
  readonly #line = required<ConnectionLine>("connection-line");
  readonly #announcer: Announcer;
  readonly #page: (link: Link) => void;

  constructor(announcer: Announcer, changed: (link: Link) => void) {
    this.#announcer = announcer;
    this.#page = changed;
  }

  /** Whether what is written goes out at once. */
  get isOnline(): boolean {
    const { state } = this.#line.link;
    return state === "open" || state === "connecting";
  }

  /** There is nothing more here for the reader, whatever becomes of the line. */
  close(reason: string): void {
    this.#line.closed = reason;
    this.#showAge();
    this.#announcer.say(reason);
  }

  follow(socket: UserSocket, room: Pick<Room, "watch">): void {
    this.#line.addEventListener("retry", () => socket.retryNow());
    socket.watch((link) => this.#changed(link));
    // What is done while the server listens is done at once.
    room.watch((isJoined) => {
      required(".conversation").toggleAttribute("data-joined", isJoined);
    });
  }

  #changed(link: Link): void {
    const before = this.#line.link.state;
    if (before === "open" && link.state !== "open") this.#line.lastSeenAt = new Date();
    if (before !== link.state) {
      const spoken = spokenLink(link);
      if (spoken !== "") this.#announcer.say(spoken);
    }
    this.#line.link = link;
    this.#showAge();
    this.#page(link);
  }

  #showAge(): void {
    const isOld = !this.isOnline || this.#line.closed !== "";
    required(".conversation").toggleAttribute("data-stale", isOld);
  }
}
