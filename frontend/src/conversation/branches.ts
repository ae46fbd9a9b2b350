import type { Message } from "./message";

/**
 * Whether a message is part of what is shown: it is the chosen one among its alternatives, and
 * what it answers is shown too. What other people wrote is never hidden.
 */
export function isShown(message: Message, byId: ReadonlyMap<string, Message>): boolean {
  if (message.branch !== null && !message.branch.selected) return false;
  if (message.role !== "assistant" || message.parent_id === null) return true;
  const request = byId.get(message.parent_id);
  return request === undefined || isShown(request, byId);
}

/** The alternatives at the place that `branchOf` names, in the order in which they came. */
export function siblingsOf(messages: Iterable<Message>, branchOf: string): Message[] {
  return [...messages]
    .filter((message) => message.branch_of === branchOf || message.id === branchOf)
    .sort((one, other) => one.seq - other.seq);
}

/** The earlier alternatives as a new one leaves them: counted again, and stepped back if it was chosen. */
export function belongsTo(messages: Iterable<Message>, added: Message): Message[] {
  const { branch, branch_of } = added;
  if (branch === null || branch_of === null) return [];
  return siblingsOf(messages, branch_of)
    .filter(({ id }) => id !== added.id)
    .map((sibling, index) => ({
      ...sibling,
      branch_of,
      branch: {
        index: sibling.branch?.index ?? index + 1,
        count: Math.max(branch.count, sibling.branch?.count ?? 1),
        selected: branch.selected ? false : (sibling.branch?.selected ?? true),
      },
    }));
}

/** The alternatives after `messageId` has been chosen among them. */
export function applySelection(
  messages: Iterable<Message>,
  branchOf: string,
  messageId: string,
): Message[] {
  return siblingsOf(messages, branchOf).map((sibling, index, all) => ({
    ...sibling,
    branch_of: branchOf,
    branch: {
      index: sibling.branch?.index ?? index + 1,
      count: sibling.branch?.count ?? all.length,
      selected: sibling.id === messageId,
    },
  }));
}
