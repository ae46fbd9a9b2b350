/** The browser's own timers, for what takes them from its surroundings. */
export const browserTimers = {
  wait: (callback: () => void, ms: number): number => window.setTimeout(callback, ms),
  forget: (timer: number): void => window.clearTimeout(timer),
};
