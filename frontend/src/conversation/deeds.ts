import { showToast } from "../toast";
import type { Attachment, Message, Run, UnsentMessage } from "./message";
import type { Editing, MessageAction } from "./message_view";
import { Refusal, type Room } from "./room";
import type { ConversationState } from "./state";
import type { UnsentMessages } from "./unsent";

/** What deeds need from the page around them. */
export interface DeedsPage {
  state: ConversationState;
  room: Room;
  unsent: UnsentMessages;
  draw: () => void;
  answer: (message: Message) => void;
  takeBack: (text: string, attachments: readonly Attachment[], threadId: string | null) => void;
  openThread: (rootId: string) => void;
  openMenu: (action: MessageAction) => void;
  openPicker: (action: MessageAction) => void;
  openReaders: (action: MessageAction) => void;
  confirmDelete: (message: Message) => Promise<boolean>;
  show: (messageId: string) => void;
  /** Brings a message into the page if it is not there. */
  reveal: (message: Message) => void;
  /** The focus goes back to where writing happens, or to the message. */
  leaveEdit: (message: Message) => void;
}

type Deed = (action: MessageAction, message: Message) => void;

/** What a reader does to messages: each verb is a command, and the topic tells what came of it. */
export class Deeds {
  readonly #page: DeedsPage;
  editing: Editing | null = null;

  constructor(page: DeedsPage) {
    this.#page = page;
  }

  /** Carries out what was asked for on a message. */
  act(action: MessageAction): void {
    const { verb, message } = action;
    if (!("id" in message)) {
      this.#actOnUnsent(verb, message);
      return;
    }
    const deed = this.#deeds[verb];
    deed?.(action, message);
  }

  /** Starts to edit the last message of the reader's own among these. */
  editLast(messages: readonly Message[]): boolean {
    const own = messages.findLast(
      ({ author, deleted_at }) => author.id === this.#page.state.user.id && deleted_at === null,
    );
    if (own !== undefined) {
      this.#edit(own);
      this.#page.reveal(own);
    }
    return own !== undefined;
  }

  readonly #deeds: Partial<Record<MessageAction["verb"], Deed>> = {
    answer: (_, message) => this.#startRun({ message_id: message.id }),
    approve: (action, message) => this.#settleApproval(action, message, true),
    branch: (action, message) => this.#branch(action, message),
    "cancel-edit": (_, message) => this.#endEdit(message),
    continue: (_, message) => this.#continueRun(message),
    copy: (_, { body }) => void copyText(body, "Text copied."),
    delete: (_, message) => void this.#delete(message),
    deny: (action, message) => this.#settleApproval(action, message, false),
    edit: (_, message) => this.#edit(message),
    link: (_, { seq }) => {
      const address = new URL(`#message-${seq}`, window.location.href).href;
      void copyText(address, "Link copied.");
    },
    menu: (action) => this.#page.openMenu(action),
    pick: (action) => this.#page.openPicker(action),
    pin: (_, message) => {
      const command = message.pinned_at === null ? "pin_message" : "unpin_message";
      void this.#ask(command, { message_id: message.id });
    },
    react: ({ value = "" }, message) => this.react(message, value),
    readers: (action) => this.#page.openReaders(action),
    regenerate: (_, { id }) =>
      void this.#ask("regenerate", { message_id: id, client_id: newClientId(), queue: true }),
    reply: (_, message) => this.#page.answer(message),
    "save-edit": ({ value = "" }, message) => void this.#saveEdit(message, value.trim()),
    show: ({ value = "" }) => this.#page.show(value),
    stop: (_, message) => {
      const run = this.#page.state.runOf(message);
      if (run !== null) void this.stop(run);
    },
    thread: (_, message) => this.#page.openThread(message.thread_id ?? message.id),
  };

  /** Puts an emoji on a message, or takes one's own away. */
  react(message: Message, emoji: string): void {
    const { id } = this.#page.state.user;
    const own = message.reactions.find((reaction) => reaction.emoji === emoji);
    const command = own?.user_ids.includes(id) ? "remove_reaction" : "add_reaction";
    void this.#ask(command, { message_id: message.id, emoji });
  }

  /** Stops a run by its id, and says what came of it. */
  async stop(run: Pick<Run, "id">): Promise<void> {
    const reply = await this.#ask<{ verdict: string }>("cancel_run", { run_id: run.id });
    if (reply?.verdict === "already_finished") showToast("It had finished already.");
  }

  #actOnUnsent(verb: MessageAction["verb"], message: UnsentMessage): void {
    if (verb === "retry") this.#page.unsent.retry(message.client_id);
    if (verb === "discard") {
      const taken = this.#page.unsent.discard(message.client_id);
      if (taken) this.#page.takeBack(taken.body, taken.attachments, taken.thread_id);
    }
    if (verb === "copy") void copyText(message.body, "Text copied.");
    if (verb === "show" && message.reply_to !== null) this.#page.show(message.reply_to);
  }

  #edit({ id, body, revision }: Message): void {
    this.editing = { id, text: body, revision, problem: "", isBusy: false };
    this.#page.draw();
  }

  #endEdit(message: Message): void {
    this.editing = null;
    this.#page.draw();
    this.#page.leaveEdit(message);
  }

  async #saveEdit(message: Message, body: string): Promise<void> {
    const { editing } = this;
    if (editing === null || editing.isBusy || body === "") return;
    if (body === message.body && message.revision === editing.revision) {
      this.#endEdit(message);
      return;
    }
    this.#busy(editing, body);
    const command = { message_id: message.id, revision: editing.revision, body };
    await this.#finishEdit(editing, message, "edit_message", command);
  }

  #branch({ value = "" }: MessageAction, message: Message): void {
    const { editing } = this;
    if (value === "-1" || value === "+1") {
      this.#select(message, Number(value));
    } else if (editing !== null && !editing.isBusy && value.trim() !== "") {
      this.#busy(editing, value.trim());
      const command = {
        message_id: message.id,
        body: value.trim(),
        client_id: newClientId(),
        queue: true,
      };
      void this.#finishEdit(editing, message, "branch_message", command);
    }
  }

  #busy(editing: Editing, text: string): void {
    this.editing = { ...editing, text, problem: "", isBusy: true };
    this.#page.draw();
  }

  async #finishEdit(
    editing: Editing,
    message: Message,
    event: string,
    command: object,
  ): Promise<void> {
    try {
      const reply = await this.#page.room.ask<{ message?: Message }>(event, command);
      if (reply.message) this.#page.state.answered(reply.message);
      if (this.editing?.id === message.id) this.#endEdit(message);
    } catch (error) {
      const isConflict = error instanceof Refusal && error.reason === "conflict";
      // The refusal may be here before the fact: saving again must replace what there is now.
      const current = isConflict ? (error.details.current as Message | undefined) : undefined;
      if (current) this.#page.state.answered(current);
      const problem = isConflict
        ? "It was changed in the meantime, in another window perhaps. Saving again replaces that."
        : wordsOf(error);
      const text = this.editing?.text ?? editing.text;
      const revision = this.#page.state.timeline.get(message.id)?.revision ?? editing.revision;
      this.editing = { id: editing.id, text, revision, problem, isBusy: false };
      this.#page.draw();
    }
  }

  #select(message: Message, by: number): void {
    const { branch, id } = message;
    if (branch === null || branch.index + by < 1 || branch.index + by > branch.count) return;
    void this.#ask("select_branch", { message_id: id, index: branch.index + by });
  }

  async #delete(message: Message): Promise<void> {
    if (await this.#page.confirmDelete(message)) {
      await this.#ask("delete_message", { message_id: message.id });
    }
  }

  #settleApproval({ value }: MessageAction, message: Message, approve: boolean): void {
    const run = this.#page.state.runOf(message);
    if (run === null) return;
    void this.#ask("answer_approval", { run_id: run.id, tool_call_id: value, approve });
  }

  #startRun(what: { message_id: string }): void {
    void this.#ask("start_run", { ...what, client_id: newClientId(), queue: true });
  }

  #continueRun(message: Message): void {
    const run = this.#page.state.runOf(message);
    if (run === null) return;
    void this.#ask("continue_run", { run_id: run.id, client_id: newClientId(), queue: true });
  }

  /** Asks, and shows the reason when it is not done; what is done is told by the topic. */
  async #ask<Reply>(event: string, command: object): Promise<Reply | null> {
    try {
      const reply = await this.#page.room.ask<Reply & { message?: Message }>(event, command);
      if (reply.message) {
        this.#page.state.answered(reply.message);
        this.#page.draw();
      }
      return reply;
    } catch (error) {
      showToast(wordsOf(error));
      return null;
    }
  }
}

/** An id by which the server knows a repeat. */
export function newClientId(): string {
  const random = crypto.getRandomValues(new Uint32Array(3)).join("");
  return `${Date.now().toString(36)}-${random}`;
}

/** Copies and says so. */
export async function copyText(text: string, said: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  showToast(said);
}

function wordsOf(error: unknown): string {
  if (error instanceof Refusal && error.reason === "run_active") {
    return "The assistant is busy here. Wait for it, or stop it.";
  }
  return error instanceof Error ? error.message : "That did not work.";
}
