/** The browser's own timers, for what takes them from its surroundings. */
export const browserTimers = {
  wait: (callback: () => void, ms: number): number => window.setTimeout(callback, ms),
  forget: (timer: number): void => window.clearTimeout(timer),
};

const SELDOM_MS = 120;

/** `callback` so that, however often it is called, it runs at most every 120 ms, and once at the end. */
export function seldom(callback: () => void): () => void {
  let timer = 0;
  return () => {
    if (timer !== 0) return;
    timer = window.setTimeout(() => {
      timer = 0;
      callback();
    }, SELDOM_MS);
  };
}
