import type { Attachment, Message, UnsentMessage } from "./message";
import type { MessageAction } from "./message_view";
import { fetchAhead, onDemand } from "./on_demand";
import { READ_MS } from "./reading";
import type { HistoryPage, Room } from "./room";
import type { LiveRun } from "./runs";
import type { Found, SearchPanel } from "./search_panel";
import { SidePanel } from "./side_panel";
import type { ConversationState } from "./state";
import type { ThreadPanel } from "./thread_panel";
import type { RowsView } from "./timeline_element";

const AHEAD_MS = 1_500;
const search = () => import("./search_panel");
const thread = () => import("./thread_panel");

/** A form that writes into a thread. */
export interface ThreadComposer {
  focus: () => void;
  answer: (replyTo: string | null, label: string) => void;
  takeBack: (text: string, attachments: readonly Attachment[]) => void;
}

/** What the panels need from the page around them. */
export interface PanelsPage {
  state: ConversationState;
  room: Room;
  view: () => RowsView;
  unsentIn: (threadId: string) => readonly UnsentMessage[];
  compose: (form: HTMLFormElement, threadId: string) => ThreadComposer;
  act: (action: MessageAction) => void;
  /** Shows a message, or the first one of its thread. */
  goTo: (message: Message) => Promise<void>;
  /** Where hits of a search stand out. */
  place: HTMLElement;
}

/** Threads, search and pins: what the right column shows; each is loaded when it is first asked for. */
export class Panels {
  readonly #page: PanelsPage;
  readonly #panel: SidePanel;
  #thread: { id: string; element: ThreadPanel; composer: ThreadComposer } | null = null;
  #search: SearchPanel | null = null;
  #readTimer = 0;
  #readSeq = 0;
  #asked = 0;

  constructor(element: HTMLElement, page: PanelsPage) {
    this.#page = page;
    this.#panel = new SidePanel(element);
    element.addEventListener("message-action", (event) => {
      page.act((event as CustomEvent<MessageAction>).detail);
    });
    element.addEventListener("history", () => void this.#readThread());
    // At hand when they are asked for, but after all that the page needs first.
    window.setTimeout(() => {
      if (page.room.isJoined) fetchAhead(search, thread);
    }, AHEAD_MS);
  }

  /** The thread that is open, if one is. */
  get threadId(): string | null {
    return this.#thread?.id ?? null;
  }

  /** The form of the thread that is open. */
  get threadComposer(): ThreadComposer | null {
    return this.#thread?.composer ?? null;
  }

  close(): void {
    this.#panel.close();
  }

  /** Shows what belongs to the messages as they are now. */
  draw(): void {
    if (this.#thread === null) return;
    const { id, element } = this.#thread;
    const { timeline } = this.#page.state;
    // A page that has started afresh may not have it any more.
    element.root = timeline.get(id) ?? element.root;
    element.replies = timeline.thread(id);
    element.unsent = this.#page.unsentIn(id);
    element.view = this.#page.view();
    this.#markRead();
  }

  streamed(run: LiveRun): void {
    this.#thread?.element.streamed(run);
  }

  /** The server listens again: what was not said, read or found is said, read and looked for now. */
  again(isReset: boolean): void {
    this.#readSeq = 0;
    if (this.#panel.kind === "search") this.#search?.again();
    if (this.#thread === null) return;
    const { element } = this.#thread;
    if (isReset) element.isLoading = true;
    if (element.isLoading || element.problem !== "") void this.#readThread();
    else this.#markRead();
  }

  /** Opens the thread of a message. */
  async openThread(rootId: string): Promise<void> {
    if (this.#thread?.id === rootId) {
      this.#thread.composer.focus();
      return;
    }
    if ((await onDemand(thread)) === null) return;
    const element = document.createElement("thread-panel") as ThreadPanel;
    const form = copyOf("#thread-composer");
    this.#panel.open("thread", "Thread", [element, form], () => {
      this.#thread = null;
    });
    const composer = this.#page.compose(form as HTMLFormElement, rootId);
    this.#thread = { id: rootId, element, composer };
    this.#readSeq = 0;
    this.draw();
    composer.focus();
    await this.#readThread();
  }

  /** Reads the newest replies, or those before what is held. */
  async #readThread(): Promise<void> {
    const thread = this.#thread;
    if (thread === null) return;
    const { element, id } = thread;
    this.#asked += 1;
    const asked = this.#asked;
    const first = element.isLoading ? undefined : element.replies[0]?.seq;
    element.problem = "";
    try {
      const page: HistoryPage = await this.#page.room.history({
        thread_id: id,
        ...(first !== undefined && { before_seq: first }),
      });
      this.#page.state.timeline.hold(page.messages);
      for (const message of page.messages) this.#page.state.noteRun(message);
      element.hasMore = page.has_more_before;
      element.isLoading = false;
    } catch (error) {
      // It has been asked for again meanwhile.
      if (asked !== this.#asked) return;
      element.problem = error instanceof Error ? error.message : "";
      element.isLoading = false;
    }
    if (this.#thread !== thread) return;
    this.draw();
    this.#markRead();
  }

  async #goTo(message: Message, query: string): Promise<void> {
    await this.#page.goTo(message);
    if (message.thread_id !== null) await this.openThread(message.thread_id);
    if (query === "") return;
    const part = await onDemand(() => import("./search_marks"));
    part?.highlight(this.#page.place, query);
  }

  /** Opens the search, with words if they are known already. */
  async openSearch(query = ""): Promise<void> {
    if (this.#search === null || this.#panel.kind !== "search") {
      if ((await onDemand(search)) === null) return;
      this.#search = document.createElement("search-panel") as SearchPanel;
      this.#search.search = (words, before) => this.#find(words, before);
      this.#search.addEventListener("go-to", (event) => {
        const { message, query: words } = (event as CustomEvent).detail;
        void this.#goTo(message as Message, String(words));
      });
      this.#panel.open("search", "Search", [this.#search], () => CSS.highlights?.delete("search"));
    }
    this.#search.begin(query);
    await this.#search.updateComplete;
    this.#search.focus();
  }

  /** What stands in an open thread has been read once it was in view for a moment. */
  #markRead(): void {
    const { state, room } = this.#page;
    window.clearTimeout(this.#readTimer);
    this.#readTimer = window.setTimeout(() => {
      const seq =
        this.#thread === null ? 0 : (state.timeline.thread(this.#thread.id).at(-1)?.seq ?? 0);
      if (this.#thread === null || document.hidden || seq <= this.#readSeq) return;
      this.#readSeq = seq;
      const again = (): void => {
        this.#readSeq = 0;
        this.#markRead();
      };
      room.tell("mark_read", { seq, thread_id: this.#thread.id }, again);
    }, READ_MS);
  }

  /** Opens the list of what was pinned. */
  async openPins(): Promise<void> {
    const part = await onDemand(() => import("./pins_panel"));
    if (part === null) return;
    const list = await part.pinsList(this.#page.state, (message) => void this.#goTo(message, ""));
    this.#panel.open("pins", "Pinned", [list]);
    (list.querySelector<HTMLElement>("button") ?? list).focus();
  }

  async #find(query: string, beforeSeq: number | null): Promise<Found> {
    return this.#page.room.ask<Found>("search_messages", {
      query,
      ...(beforeSeq !== null && { before_seq: beforeSeq }),
    });
  }
}

function copyOf(selector: string): HTMLElement {
  const template = document.querySelector<HTMLTemplateElement>(selector);
  const copy = template?.content.firstElementChild?.cloneNode(true);
  if (!copy) throw new Error(`the page has no ${selector}`);
  return copy as HTMLElement;
}
