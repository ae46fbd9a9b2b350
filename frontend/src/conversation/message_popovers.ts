import type { Message } from "./message";
import { itemsFor, openMenu, openReaders } from "./message_menu";
import type { MessageAction, Verb } from "./message_view";
import { onDemand } from "./on_demand";
import type { ConversationState } from "./state";

/** What opens beside a message: its menu, the emoji, its readers. */
export class MessagePopovers {
  readonly #state: ConversationState;
  readonly #act: (action: MessageAction) => void;

  constructor(state: ConversationState, act: (action: MessageAction) => void) {
    this.#state = state;
    this.#act = act;
  }

  /** Whether the reader may do this with a message. */
  may(verb: Verb, message: Message): boolean {
    if (message.deleted_at !== null) return verb === "thread" || verb === "reply";
    if (verb !== "delete") return true;
    return this.#state.isOwner || message.author.id === this.#state.user.id;
  }

  menu(action: MessageAction): void {
    const own = { id: this.#state.user.id, isOwner: this.#state.isOwner };
    const items = itemsFor(action.message as Message, own, this.#state.heading.assistant !== "off");
    openMenu(action, items, this.#act);
  }

  async emoji(action: MessageAction): Promise<void> {
    const part = await onDemand(() => import("./emoji_picker"));
    part?.openEmojiPicker(action.anchor ?? null, (value) => {
      this.#act({ ...action, verb: "react", value });
    });
  }

  readers({ message, anchor }: MessageAction): void {
    const readers = this.#state.receipts.readersOf(message as Message);
    openReaders(
      anchor ?? null,
      readers.map((id) => ({ id, username: this.#state.nameOf(id) })),
    );
  }
}
