import { isActive, type LiveRun } from "./runs";

/** A link to a message, as tools write it, and the line of its text after it. */
const LINE = /(\]\(\/conversations\/[0-9a-f-]{36}\/#message-(\d+)\)): [^\n]*/gu;

/**
 * A run as it may be shown once messages were deleted that it quotes.
 *
 * The server takes their lines out of an answer at its end: until then what comes is numbered by the text as it was said.
 */
export function withoutDeleted(run: LiveRun, deleted: ReadonlySet<number>): LiveRun {
  if (deleted.size === 0 || !isActive(run)) return run;
  const cleared = (said: string): string =>
    said.replace(LINE, (line, link: string, seq: string) =>
      deleted.has(Number(seq)) ? `${link}: (deleted)` : line,
    );
  const text = cleared(run.text);
  const results = run.parts.map(({ result }) => (result === null ? null : cleared(result)));
  const isSame = text === run.text && results.every((each, at) => each === run.parts[at]?.result);
  if (isSame) return run;
  const parts = run.parts.map((part, at) => ({ ...part, result: results[at] ?? null }));
  return { ...run, text, parts };
}
