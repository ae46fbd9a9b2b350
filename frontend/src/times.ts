/** Times as people read them, in the reader's own zone and language. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The clock that the reader prefers; without one, that of the language. */
export type HourCycle = "h12" | "h23" | undefined;

/** The preference of this page's reader. */
export function hourCycleOf(page: HTMLElement): HourCycle {
  const { hourCycle } = page.dataset;
  return hourCycle === "h12" || hourCycle === "h23" ? hourCycle : undefined;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making a format costs a hundred times what using it does, and a list of messages uses hundreds. */
function formatOf(
  options: Intl.DateTimeFormatOptions,
  locale?: string,
  hourCycle?: HourCycle,
): Intl.DateTimeFormat {
  const key = `${options.dateStyle} ${options.timeStyle} ${locale} ${hourCycle}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat(locale, { ...options, ...(hourCycle && { hourCycle }) });
  formats.set(key, format);
  return format;
}

/** How a moment is written beside a message: the clock, for the day stands above it. */
export function clockTime(date: Date, locale?: string, hourCycle?: HourCycle): string {
  return formatOf({ timeStyle: "short" }, locale, hourCycle).format(date);
}

/** The exact moment, for whoever points at a short one. */
export function exactTime(date: Date, locale?: string, hourCycle?: HourCycle): string {
  return formatOf({ dateStyle: "full", timeStyle: "medium" }, locale, hourCycle).format(date);
}

/** "now", "5 min ago", "3 hr ago", "yesterday", then the date. */
export function relativeTime(date: Date, now: Date, locale?: string): string {
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  const elapsed = now.getTime() - date.getTime();
  if (elapsed < MINUTE) return words.format(0, "second");
  if (elapsed < HOUR) return words.format(-Math.floor(elapsed / MINUTE), "minute");
  if (elapsed < DAY) return words.format(-Math.floor(elapsed / HOUR), "hour");
  if (elapsed < 7 * DAY) return words.format(-Math.floor(elapsed / DAY), "day");
  const isThisYear = date.getFullYear() === now.getFullYear();
  return new Intl.DateTimeFormat(locale, {
    day: "numeric",
    month: "short",
    ...(isThisYear ? {} : { year: "numeric" }),
  }).format(date);
}

/** The heading of a day: "Today", "Yesterday", a weekday within the week, else the full date. */
export function dayHeading(date: Date, now: Date, locale?: string): string {
  const days = Math.round((startOfDay(now) - startOfDay(date)) / DAY);
  if (days === 0 || days === 1) {
    const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-days, "day");
    return words.charAt(0).toLocaleUpperCase(locale) + words.slice(1);
  }
  const isThisYear = date.getFullYear() === now.getFullYear();
  return new Intl.DateTimeFormat(locale, {
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(isThisYear ? {} : { year: "numeric" }),
  }).format(date);
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** When `relativeTime` will next read differently, in milliseconds from `now`. */
export function nextChangeMs(date: Date, now: Date): number {
  const elapsed = Math.max(0, now.getTime() - date.getTime());
  const step = elapsed < HOUR ? MINUTE : elapsed < DAY ? HOUR : DAY;
  return step - (elapsed % step);
}
