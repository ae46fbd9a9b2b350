const LONGEST_MS = 10_000;
const FIRST_MS = 250;

/**
 * Milliseconds to wait before attempt number `tries` (from 1), with full jitter above a floor.
 *
 * phoenix.js has no jitter of its own, so after a restart every page would come back in the same
 * instant. `adviceMs` is what the server asked for in its `closing` frame: never return earlier.
 */
export function reconnectDelay(
  tries: number,
  adviceMs = 0,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, tries - 1));
  const jittered = ceiling / 2 + (random() * ceiling) / 2;
  return Math.round(Math.max(jittered, adviceMs * (1 + random() * 0.1)));
}

/** Milliseconds before a refused join is tried again; slower, for a refusal seldom changes. */
export function rejoinDelay(tries: number, random: () => number = Math.random): number {
  const ceiling = Math.min(30_000, 1_000 * 2 ** Math.max(0, tries - 1));
  return Math.round(ceiling * (0.75 + random() * 0.25));
}
