/** Something that the composer can finish for its writer. */
export interface Candidate {
  /** What is put into the text. */
  text: string;
  title: string;
  detail: string;
  kind: "person" | "assistant" | "command";
  id?: number;
}

/** A stretch of the text that is being completed. */
export interface Trigger {
  kind: "mention" | "command";
  /** Where the sign (`@` or `/`) stands. */
  from: number;
  query: string;
}

/** A command that a message can begin with. */
export interface SlashCommand {
  name: string;
  usage: string;
  description: string;
}

/** What works without any tool on the server. */
export const OWN_COMMANDS: readonly SlashCommand[] = [
  { name: "help", usage: "/help", description: "What the assistant can do here" },
  { name: "search", usage: "/search words", description: "Search this conversation" },
  { name: "who", usage: "/who", description: "Who is here" },
];

const MOST_SHOWN = 8;

/**
 * What is being completed at the caret, if anything: a name after `@` at the start of a word, or a
 * command after `/` at the very start of the text. Code between backticks is left alone.
 */
export function triggerAt(text: string, caret: number): Trigger | null {
  const before = text.slice(0, caret);
  const command = /^\/([\w-]*)$/u.exec(before);
  if (command !== null) return { kind: "command", from: 0, query: command[1] ?? "" };
  const mention = /(?:^|[\s([{"'>*_~,;:])@([\p{L}\p{N}_.+-]*)$/u.exec(before);
  if (mention === null || isInCode(before)) return null;
  const query = mention[1] ?? "";
  return { kind: "mention", from: caret - query.length - 1, query };
}

/** Whether an odd number of backticks (or an open fence) stands before. */
function isInCode(before: string): boolean {
  const fences = before.split("```").length - 1;
  if (fences % 2 === 1) return true;
  const line = before.slice(before.lastIndexOf("\n") + 1);
  return (line.split("`").length - 1) % 2 === 1;
}

/** The candidates that fit the query, names that begin with it first. */
export function fitting(candidates: readonly Candidate[], query: string): Candidate[] {
  const wanted = query.toLocaleLowerCase();
  const scored = candidates.map((candidate) => ({
    candidate,
    at: candidate.text.slice(1).toLocaleLowerCase().indexOf(wanted),
  }));
  return scored
    .filter(({ at }) => at !== -1)
    .sort((one, other) => Math.sign(one.at) - Math.sign(other.at))
    .slice(0, MOST_SHOWN)
    .map(({ candidate }) => candidate);
}

/** The text with the trigger replaced, and where the caret then stands. */
export function completed(
  text: string,
  trigger: Trigger,
  candidate: Candidate,
): { text: string; caret: number } {
  const end = trigger.from + 1 + trigger.query.length;
  const rest = text.slice(end);
  const inserted = rest.startsWith(" ") ? candidate.text : `${candidate.text} `;
  const head = text.slice(0, trigger.from) + inserted;
  return { text: head + rest, caret: head.length + (rest.startsWith(" ") ? 1 : 0) };
}
