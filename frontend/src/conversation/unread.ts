/**
 * What this browser has shown its reader, per conversation, and how a page says that there is more.
 *
 * The mark is the seq of the newest message seen; it only grows, whichever tab moves it.
 */
export class ReadMark {
  readonly #key: string;

  constructor(userId: number, conversationId: string) {
    this.#key = `commsite:read:${userId}:${conversationId}`;
  }

  /** The last seq read here, or null when this browser has never shown the conversation. */
  get seq(): number | null {
    const stored = localStorage.getItem(this.#key);
    const seq = stored === null ? Number.NaN : Number(stored);
    return Number.isSafeInteger(seq) ? seq : null;
  }

  /** Everything up to `seq` has been seen. */
  moveTo(seq: number): void {
    if ((this.seq ?? -1) >= seq) return;
    try {
      localStorage.setItem(this.#key, String(seq));
    } catch {
      // Without storage everything before this visit counts as read.
    }
  }
}

/** Shows `count` unread messages in the title and the icon of the tab. */
export function showUnread(count: number, title: string): void {
  document.title = count === 0 ? title : `(${count > 99 ? "99+" : count}) ${title}`;
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const href = count === 0 ? link?.dataset.read : link?.dataset.unread;
  if (link !== null && href !== undefined && link.getAttribute("href") !== href) link.href = href;
}

/** Marks the conversations of a list that have something this browser has not shown. */
export function markUnread(list: ParentNode, userId: number): void {
  for (const row of list.querySelectorAll<HTMLElement>("[data-conversation]")) {
    const { conversation = "", lastSeq = "0", lastAuthor = "" } = row.dataset;
    const mark = new ReadMark(userId, conversation);
    // A browser that has never shown it starts counting here; all of the past is not news.
    if (mark.seq === null) mark.moveTo(Number(lastSeq));
    const isUnread = Number(lastSeq) > (mark.seq ?? 0) && lastAuthor !== String(userId);
    row.toggleAttribute("data-unread", isUnread && row.getAttribute("aria-current") === null);
  }
}
