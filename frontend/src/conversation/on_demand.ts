import { showToast } from "../toast";

/** A part of the page that is loaded when it is asked for; null (and a word to the reader) when it cannot be. */
export async function onDemand<Part>(load: () => Promise<Part>): Promise<Part | null> {
  try {
    return await load();
  } catch {
    showToast("That part of the page could not be loaded. Try again in a moment.");
    return null;
  }
}

/** Fetches parts before they are asked for; whether that works does not matter yet. */
export function fetchAhead(...loads: (() => Promise<unknown>)[]): void {
  for (const load of loads) load().catch(() => undefined);
}
