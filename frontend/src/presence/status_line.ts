import { html, nothing, type TemplateResult } from "lit";
import { clockTime, type HourCycle } from "../times";
import { type StatusLine, statusAt } from "./person";

/** The line as one text: emoji, then words. */
export function statusText(status: StatusLine | null, now: Date): string {
  const shown = statusAt(status, now);
  return shown === null ? "" : `${shown.emoji} ${shown.text}`.trim();
}

/** "until 14:30", today; the date and the clock on other days; empty when it stays. */
export function untilText(
  status: StatusLine,
  now: Date,
  locale?: string,
  hourCycle?: HourCycle,
): string {
  if (status.expires_at === null) return "";
  const end = new Date(status.expires_at * 1_000);
  const clock = clockTime(end, locale, hourCycle);
  if (end.toDateString() === now.toDateString()) return `until ${clock}`;
  const day = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short" });
  return `until ${day.format(end)}, ${clock}`;
}

/** A person's line beside their name. */
export function statusLine(status: StatusLine | null, now: Date): TemplateResult | typeof nothing {
  const shown = statusAt(status, now);
  if (shown === null) return nothing;
  return html`<span class="person-status" title=${`${statusText(shown, now)} ${untilText(shown, now)}`.trim()}
    >${shown.emoji === "" ? nothing : html`<span class="status-emoji">${shown.emoji}</span>`}<span
      class="status-text" dir="auto"
      >${shown.text}</span
    ></span
  >`;
}

/** Milliseconds until the first of these lines is over; null when none will be. */
export function nextEndMs(statuses: Iterable<StatusLine | null>, now: Date): number | null {
  let soonest: number | null = null;
  for (const status of statuses) {
    const end = statusAt(status, now)?.expires_at;
    if (end === null || end === undefined) continue;
    const left = end * 1_000 - now.getTime();
    soonest = soonest === null ? left : Math.min(soonest, left);
  }
  return soonest;
}
