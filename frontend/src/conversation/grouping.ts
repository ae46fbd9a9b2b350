import type { Message, UnsentMessage } from "./message";

/** Messages of one author closer than this stand under one name. */
export const GROUP_MS = 5 * 60_000;

/** One line of the list: a day's heading, the divider before what is new, or a message. */
export type Row =
  | { kind: "day"; key: string; date: Date }
  | { kind: "new"; key: string; count: number }
  | { kind: "message"; key: string; message: Message; isFirst: boolean }
  | { kind: "unsent"; key: string; message: UnsentMessage; isFirst: boolean };

/** What the list needs to know of a message's time; read once per message, not once per drawing. */
interface Moment {
  at: Date;
  day: string;
}
const moments = new WeakMap<Message | UnsentMessage, Moment>();
type SentRow = Extract<Row, { kind: "message" }>;
const sentRows = new WeakMap<Message, SentRow>();

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
  let last: { author: number; at: Date; day: string } | null = null;
  const isNew = ({ seq, author }: Message): boolean =>
    readSeq !== null && seq > readSeq && author.id !== ownId;
  const firstNew = readSeq === null ? undefined : messages.find(isNew);

  const place = (author: number, { at, day }: Moment): boolean => {
    if (last === null || last.day !== day) {
      rows.push({ kind: "day", key: `day ${day}`, date: at });
      last = null;
    }
    const isFirst =
      last === null || last.author !== author || at.getTime() - last.at.getTime() > GROUP_MS;
    last = { author, at, day };
    return isFirst;
  };

  for (const message of messages) {
    let isFirst = place(message.author.id, momentOf(message));
    if (message === firstNew) {
      const count = messages.filter((m) => m.seq >= message.seq && m.author.id !== ownId).length;
      rows.push({ kind: "new", key: "new", count });
      isFirst = true;
    }
    rows.push(sentRow(message, isFirst));
  }
  for (const message of unsent) {
    const isFirst = place(ownId, momentOf(message));
    rows.push({ kind: "unsent", key: unsentKey(ownId, message.client_id), message, isFirst });
  }
  return rows;
}

/** The same row as before, as long as nothing about it has changed. */
function sentRow(message: Message, isFirst: boolean): SentRow {
  const known = sentRows.get(message);
  if (known?.isFirst === isFirst) return known;
  const row: SentRow = { kind: "message", key: keyOf(message), message, isFirst };
  sentRows.set(message, row);
  return row;
}

/** The key of a message's row. */
export function keyOf({ id, author, client_id, role }: Message): string {
  // The assistant is one author for all who ask it: its messages are told apart by their ids.
  return role === "assistant" ? id : unsentKey(author.id, client_id);
}

function unsentKey(author: number, clientId: string): string {
  return `${author} ${clientId}`;
}

/** Whether two moments fall on one day where the reader is. */
export function isSameDay(one: Date, other: Date): boolean {
  return dayKey(one) === dayKey(other);
}

function momentOf(message: Message | UnsentMessage): Moment {
  const known = moments.get(message);
  if (known !== undefined) return known;
  const at = new Date(message.created_at);
  const moment = { at, day: dayKey(at) };
  moments.set(message, moment);
  return moment;
}

function dayKey(date: Date): string {
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}
