import type { UnsentMessage } from "./message";

/** What the server (or the lack of one) said to a send. */
export type SendOutcome =
  | { kind: "sent" }
  | { kind: "refused"; problem: string }
  | { kind: "later"; afterMs: number };

/** What the queue needs from the page around it; tests hand in their own. */
export interface UnsentSurroundings {
  storage: Storage;
  /** Each message is an item of its own under this prefix, so that two tabs never overwrite. */
  prefix: string;
  push: (message: UnsentMessage) => Promise<SendOutcome>;
  wait: (callback: () => void, ms: number) => void;
  changed: () => void;
}

/**
 * Our own messages from the moment they are written until the server has them.
 *
 * They are sent one at a time, so their order stays; they are stored, so a reload, a closed tab or
 * an outage loses none; and they keep their `client_id`, by which the server knows a repeat.
 */
export class UnsentMessages {
  readonly #around: UnsentSurroundings;
  #messages: UnsentMessage[];
  #isOpen = false;
  // Each attempt is an object of its own, so that a late answer to an old one is known as such.
  #inFlight: object | null = null;

  constructor(around: UnsentSurroundings) {
    this.#around = around;
    this.#messages = this.#read();
  }

  /** Oldest first; failed ones stay in their place until retried or discarded. */
  get messages(): readonly UnsentMessage[] {
    return this.#messages;
  }

  /** Takes a new message and sends it as soon as it can be. */
  add(message: Omit<UnsentMessage, "state" | "problem">): void {
    const added: UnsentMessage = { ...message, state: "pending", problem: "" };
    this.#keep(added);
    this.#replace([...this.#messages, added]);
    this.#next();
  }

  /** The line is joined: send what waits. */
  open(): void {
    this.#isOpen = true;
    this.#inFlight = null;
    this.#next();
  }

  /** The line is gone: what was on its way counts as unsent and goes again with the same id. */
  close(): void {
    this.#isOpen = false;
    this.#inFlight = null;
  }

  /** The server has it (a reply, a fact, another tab): forget it. */
  confirm(clientId: string): void {
    if (!this.#messages.some((message) => message.client_id === clientId)) return;
    this.#around.storage.removeItem(this.#around.prefix + clientId);
    this.#replace(this.#messages.filter((message) => message.client_id !== clientId));
  }

  /** Sends a failed message again. */
  retry(clientId: string): void {
    this.#mark(clientId, "pending", "");
    this.#next();
  }

  /** Drops a message for good and gives it back. */
  discard(clientId: string): UnsentMessage | undefined {
    const found = this.#messages.find((message) => message.client_id === clientId);
    this.confirm(clientId);
    return found;
  }

  #next(): void {
    if (!this.#isOpen || this.#inFlight !== null) return;
    const message = this.#messages.find(({ state }) => state === "pending");
    if (message === undefined) return;
    const attempt = {};
    this.#inFlight = attempt;
    void this.#around
      .push(message)
      .then((outcome) => this.#settle(message.client_id, outcome, attempt));
  }

  #settle(clientId: string, outcome: SendOutcome, attempt: object): void {
    if (outcome.kind === "sent") this.confirm(clientId);
    if (outcome.kind === "refused") this.#mark(clientId, "failed", outcome.problem);
    if (outcome.kind === "later") {
      this.#around.wait(() => this.#free(attempt), outcome.afterMs);
    } else {
      this.#free(attempt);
    }
  }

  /** The attempt is over; unless the line broke meanwhile, the next message may go. */
  #free(attempt: object): void {
    if (this.#inFlight !== attempt) return;
    this.#inFlight = null;
    this.#next();
  }

  #mark(clientId: string, state: UnsentMessage["state"], problem: string): void {
    const marked = this.#messages.map((message) =>
      message.client_id === clientId ? { ...message, state, problem } : message,
    );
    for (const message of marked) if (message.client_id === clientId) this.#keep(message);
    this.#replace(marked);
  }

  #replace(messages: UnsentMessage[]): void {
    this.#messages = messages;
    this.#around.changed();
  }

  #read(): UnsentMessage[] {
    const { storage, prefix } = this.#around;
    const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
    return (
      keys
        .filter((key) => key.startsWith(prefix))
        .map((key) => parsed(storage.getItem(key)))
        .filter(isUnsent)
        // A version of the page that knew less may have kept it.
        .map((message) => ({
          ...message,
          thread_id: message.thread_id ?? null,
          is_command: message.is_command ?? false,
          attachments: message.attachments ?? [],
        }))
        .sort((one, other) => one.created_at.localeCompare(other.created_at))
    );
  }

  #keep(message: UnsentMessage): void {
    try {
      this.#around.storage.setItem(
        this.#around.prefix + message.client_id,
        JSON.stringify(message),
      );
    } catch {
      // Storage is full or forbidden: the page still holds it for as long as it lives.
    }
  }
}

function parsed(stored: string | null): unknown {
  try {
    return JSON.parse(stored ?? "null");
  } catch {
    return null;
  }
}

function isUnsent(value: unknown): value is UnsentMessage {
  const fields = value as Partial<UnsentMessage> | null;
  return typeof fields?.client_id === "string" && typeof fields.body === "string";
}
