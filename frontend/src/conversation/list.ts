import type { UserSocket } from "../realtime/user_socket";
import { markUnread } from "./unread";

interface Told {
  conversation: { id: string; title: string };
}

/** The list of my conversations beside the open one; `user:<id>` says when one comes or goes. */
export class ConversationList {
  readonly #element: HTMLElement;
  readonly #userId: number;

  constructor(element: HTMLElement, userId: number) {
    this.#element = element;
    this.#userId = userId;
    markUnread(element, userId);
    window.addEventListener("storage", () => markUnread(element, userId));
  }

  /** Adds and removes rows as this user is let into conversations and out of them. */
  follow(socket: UserSocket): void {
    const channel = socket.channel(`user:${this.#userId}`);
    channel.on("conversation_added", (payload) => this.#add(payload as Told));
    channel.on("conversation_removed", (payload) =>
      this.#row((payload as Told).conversation.id)?.remove(),
    );
    channel.join();
  }

  #add({ conversation }: Told): void {
    if (this.#row(conversation.id) !== null) return;
    const template = document.querySelector<HTMLTemplateElement>("#conversation-template");
    const row = template?.content.firstElementChild?.cloneNode(true) as HTMLElement | undefined;
    const link = row?.querySelector<HTMLAnchorElement>("a");
    const title = row?.querySelector<HTMLElement>("[data-row-title]");
    if (row === undefined || !link || !title) return;
    row.dataset.conversation = conversation.id;
    row.dataset.unread = "";
    link.href = `/conversations/${conversation.id}/`;
    title.textContent = conversation.title;
    this.#element.prepend(row);
  }

  #row(id: string): HTMLElement | null {
    return this.#element.querySelector(`[data-conversation="${CSS.escape(id)}"]`);
  }
}
