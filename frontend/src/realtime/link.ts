/** What the page knows about its line to the server, and what a reader should be told about it. */
export type Link =
  | { state: "connecting" }
  | { state: "open" }
  | { state: "waiting"; retryAt: number; reason: "lost" | "restarting" | "busy" }
  | { state: "offline" }
  | { state: "ended"; reason: EndReason };

/** Ends that only the reader (or a new version of the page) can undo: we stop reconnecting. */
export type EndReason = "signed_out" | "forbidden" | "too_many" | "outdated";

const ENDS: ReadonlyMap<number, EndReason> = new Map([
  [4400, "outdated"],
  [4401, "signed_out"],
  [4403, "forbidden"],
  [4405, "outdated"],
  [4410, "outdated"],
  [4429, "too_many"],
]);

/**
 * The end that a close code means, or null when the page should simply come back.
 *
 * 4400–4499 are "do not come back until something changes"; an unknown one among them is taken
 * as a page too old to know it.
 */
export function endOf(code: number): EndReason | null {
  const known = ENDS.get(code);
  if (known !== undefined) return known;
  return code >= 4400 && code <= 4499 ? "outdated" : null;
}

/** Why the line went, as far as a close code that allows return tells. */
export function lossOf(code: number): "lost" | "restarting" | "busy" {
  if (code === 1012 || code === 4001 || code === 1001) return "restarting";
  return code === 4002 || code === 4003 || code === 4008 ? "busy" : "lost";
}

/** What a close announced by the server's last frame says (`closing` on topic `client`). */
export interface Closing {
  code: number;
  reason: string;
  retryAfterMs: number;
}

/** Reads a `closing` payload; anything unexpected becomes a plain loss. */
export function readClosing(payload: unknown): Closing {
  const fields = (payload ?? {}) as Record<string, unknown>;
  return {
    code: typeof fields.code === "number" ? fields.code : 1006,
    reason: typeof fields.reason === "string" ? fields.reason : "",
    retryAfterMs: typeof fields.retry_after_ms === "number" ? fields.retry_after_ms : 0,
  };
}
