import type { Message, UnsentMessage } from "./message";

/** Messages of one author closer than this stand under one name. */
export const GROUP_MS = 5 * 60_000;

/** One line of the list: a day's heading, the divider before what is new, or a message. */
export type Row =
  | { kind: "day"; key: string; date: Date }
  | { kind: "new"; key: string; count: number }
  | { kind: "message"; key: string; message: Message; isFirst: boolean }
  | { kind: "unsent"; key: string; message: UnsentMessage; isFirst: boolean };

/**
 * The rows of a list: messages under their days and authors, unsent ones last.
 *
 * The key of a message is its author's `client_id`, so that a row keeps its element (and its focus)
 * when it turns from unsent to sent. `readSeq` is the last message read before this visit, or null
 * when no divider belongs here; own messages are never "new".
 */
export function rowsOf(
  messages: readonly Message[],
  unsent: readonly UnsentMessage[],
  ownId: number,
  readSeq: number | null,
): Row[] {
  const rows: Row[] = [];
  let last: { author: number; at: Date } | null = null;
  const firstNew = messages.find(
    (m) => readSeq !== null && m.seq > readSeq && m.author.id !== ownId,
  );

  const place = (author: number, at: Date): boolean => {
    if (last === null || !isSameDay(last.at, at)) {
      rows.push({ kind: "day", key: `day ${dayKey(at)}`, date: at });
      last = null;
    }
    const isFirst =
      last === null || last.author !== author || at.getTime() - last.at.getTime() > GROUP_MS;
    last = { author, at };
    return isFirst;
  };

  for (const message of messages) {
    const at = new Date(message.created_at);
    let isFirst = place(message.author.id, at);
    if (message === firstNew) {
      const count = messages.filter((m) => m.seq >= message.seq && m.author.id !== ownId).length;
      rows.push({ kind: "new", key: "new", count });
      isFirst = true;
    }
    rows.push({
      kind: "message",
      key: rowKey(message.author.id, message.client_id),
      message,
      isFirst,
    });
  }
  for (const message of unsent) {
    const isFirst = place(ownId, new Date(message.created_at));
    rows.push({ kind: "unsent", key: rowKey(ownId, message.client_id), message, isFirst });
  }
  return rows;
}

function rowKey(author: number, clientId: string): string {
  return `${author} ${clientId}`;
}

/** Whether two moments fall on one day where the reader is. */
export function isSameDay(one: Date, other: Date): boolean {
  return dayKey(one) === dayKey(other);
}

function dayKey(date: Date): string {
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
