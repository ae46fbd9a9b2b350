import { type Channel, Socket } from "phoenix";
import { reconnectDelay, rejoinDelay } from "./backoff";
import { type Closing, type EndReason, endOf, type Link, lossOf, readClosing } from "./link";

const PING_DEADLINE_MS = 4_000;

/** What the socket needs from the page around it; tests hand in their own. */
export interface SocketSurroundings {
  isOnline: () => boolean;
  /** Asks over HTTP whether the page's session still counts; a refused handshake does not say why. */
  isSignedIn: () => Promise<boolean>;
}

/**
 * The page's one socket: npm `phoenix` with the session cookie, plus what it leaves to the page.
 *
 * It adds jitter and the server's advice to reconnecting, stops on the close codes that mean "do
 * not come back", notices the browser going on and off line, and reports all of it as one `Link`.
 */
export class UserSocket {
  readonly #socket: Socket;
  readonly #surroundings: SocketSurroundings;
  readonly #listeners = new Set<(link: Link) => void>();
  #link: Link = { state: "connecting" };
  #closing: Closing | null = null;
  #failures = 0;

  constructor(endPoint: string, surroundings: SocketSurroundings) {
    this.#surroundings = surroundings;
    this.#socket = new Socket(endPoint, {
      reconnectAfterMs: (tries) => this.#planReturn(tries),
      rejoinAfterMs: (tries) => rejoinDelay(tries),
    });
    this.#socket.onOpen(() => this.#opened());
    this.#socket.onClose((event) => this.#closed(event.code));
    const client = this.#socket.channel("client");
    client.on("closing", (payload) => {
      this.#closing = readClosing(payload);
    });
    client.join();
  }

  /** The state of the line now. */
  get link(): Link {
    return this.#link;
  }

  /** A channel on `topic`; `params` is asked again at every join, so it may carry the newest seq. */
  channel(topic: string, params: () => object = () => ({})): Channel {
    return this.#socket.channel(topic, params);
  }

  /** Calls `listener` with the link now and at every change. */
  watch(listener: (link: Link) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#link);
    return () => this.#listeners.delete(listener);
  }

  /** Opens the line and follows the browser's own idea of being on line. */
  open(): void {
    window.addEventListener("offline", () => this.#wentOffline());
    window.addEventListener("online", () => this.#cameOnline());
    if (!this.#surroundings.isOnline()) this.#become({ state: "offline" });
    this.#socket.connect();
  }

  /** Tries at once instead of waiting out the delay. */
  retryNow(): void {
    this.#closing = null;
    this.#become({ state: "connecting" });
    this.#socket.disconnect();
    this.#socket.connect();
  }

  #opened(): void {
    this.#failures = 0;
    this.#closing = null;
    this.#become({ state: "open" });
  }

  #closed(code: number): void {
    const end = endOf(this.#closing?.code ?? code) ?? endOf(code);
    if (end !== null) {
      this.#end(end);
      return;
    }
    if (this.#link.state === "ended") return;
    // A close without our last frame (daphne cannot send one then) still has its code.
    if (this.#link.state === "waiting" && this.#closing === null) {
      this.#become({ ...this.#link, reason: lossOf(code) });
    }
    this.#failures += 1;
    // A refused handshake looks like any broken line (1006), so ask once it repeats.
    if (this.#failures === 2 || this.#failures % 5 === 0) void this.#checkSession();
  }

  #planReturn(tries: number): number {
    const closing = this.#closing;
    const delay = reconnectDelay(tries, closing?.retryAfterMs);
    if (this.#link.state === "ended") return delay;
    this.#become(
      this.#surroundings.isOnline()
        ? { state: "waiting", retryAt: Date.now() + delay, reason: lossOf(closing?.code ?? 1006) }
        : { state: "offline" },
    );
    // The advice has been followed once; from here on our own back-off is polite enough.
    if (closing !== null) this.#closing = { ...closing, retryAfterMs: 0 };
    return delay;
  }

  async #checkSession(): Promise<void> {
    const isSignedIn = await this.#surroundings.isSignedIn();
    if (!isSignedIn && this.#link.state !== "open") this.#end("signed_out");
  }

  #end(reason: EndReason): void {
    this.#become({ state: "ended", reason });
    this.#socket.disconnect();
  }

  #wentOffline(): void {
    if (this.#link.state === "ended") return;
    this.#become({ state: "offline" });
    // The browser knows about its networks, not about this line: a server on this machine is still there.
    this.#ask();
  }

  #cameOnline(): void {
    if (this.#link.state === "ended") return;
    // The old line may have survived a short outage.
    const deadline = window.setTimeout(() => this.retryNow(), PING_DEADLINE_MS);
    if (!this.#ask(() => window.clearTimeout(deadline))) {
      window.clearTimeout(deadline);
      this.retryNow();
    }
  }

  /** One round trip tells whether the line is there; false when it certainly is not. */
  #ask(answered: () => void = () => undefined): boolean {
    return this.#socket.ping(() => {
      answered();
      if (this.#link.state === "offline") this.#become({ state: "open" });
    });
  }

  #become(link: Link): void {
    this.#link = link;
    for (const listener of this.#listeners) listener(link);
  }
}
