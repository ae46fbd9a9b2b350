import "./styles/site.css";
import { isTyping } from "./conversation/keys";
import { Switcher } from "./conversation/switcher";
import { offerPresets } from "./presence/status_presets";
import { exactTime, nextChangeMs, relativeTime } from "./times";

/** What every page does: times in the reader's zone, the keyboard map, forms that send once. */

function rememberZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  // Django renders the next page's times in it; nothing else is done with it.
  if (zone)
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store needs HTTPS and is not everywhere
    document.cookie = `zone=${encodeURIComponent(zone)};path=/;max-age=31536000;samesite=lax`;
}

let nextLook = 0;

function showTimes(): void {
  const now = new Date();
  let soonest = 3_600_000;
  for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-relative]")) {
    soonest = Math.min(soonest, showTime(element, now));
  }
  window.clearTimeout(nextLook);
  nextLook = window.setTimeout(showTimes, Math.max(1_000, soonest));
}

/** Shows one time; returns in how many milliseconds it will read differently. */
function showTime(element: HTMLTimeElement, now: Date): number {
  const date = new Date(element.dateTime);
  if (Number.isNaN(date.getTime())) return Number.POSITIVE_INFINITY;
  element.textContent = relativeTime(date, now);
  element.title = exactTime(date);
  return nextChangeMs(date, now);
}

/** What has just happened reads differently in a minute: sooner than all else. A panel may have drawn several. */
function timeChanged({ target }: Event): void {
  if (!(target instanceof HTMLTimeElement)) {
    showTimes();
    return;
  }
  const soon = showTime(target, new Date());
  window.clearTimeout(nextLook);
  nextLook = window.setTimeout(showTimes, Math.min(soon, 60_000));
}

function openKeyboardMap(): void {
  const map = document.querySelector<HTMLDialogElement>("#keyboard-map");
  if (map !== null && !map.open) map.showModal();
}

function stepConversation(step: number): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>(".conversation-link")];
  const here = links.findIndex((link) => link.getAttribute("aria-current") === "page");
  if (here !== -1) links[here + step]?.click();
}

const switcher = new Switcher();
const SHORTCUTS: ReadonlyMap<string, () => void> = new Map([
  ["?", openKeyboardMap],
  ["n", () => document.querySelector<HTMLAnchorElement>("[data-new-conversation]")?.click()],
  ["Alt ArrowDown", () => stepConversation(1)],
  ["Alt ArrowUp", () => stepConversation(-1)],
]);

function pressed(event: KeyboardEvent): void {
  if ((event.ctrlKey || event.metaKey) && event.key === "k" && switcher.open()) {
    event.preventDefault();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey) return;
  // With Alt a key is no text, so those work while writing too.
  if (isTyping(event.target) && !event.altKey) return;
  const shortcut = SHORTCUTS.get(event.altKey ? `Alt ${event.key}` : event.key);
  if (shortcut === undefined) return;
  event.preventDefault();
  shortcut();
}

function submitted(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  // The forms of dialogs go nowhere, and their dialogs open again.
  if (event.defaultPrevented || form.method === "dialog") return;
  if (form.dataset.sending !== undefined) {
    event.preventDefault();
    return;
  }
  const { confirm: question } = form.dataset;
  if (question !== undefined && !window.confirm(question)) {
    event.preventDefault();
    return;
  }
  form.dataset.sending = "";
  // What was written here must not wait for the next person at this browser.
  if (form.dataset.forget !== undefined) {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith("commsite:")) localStorage.removeItem(key);
    }
  }
}

rememberZone();
showTimes();
document.addEventListener("keydown", pressed);
document.addEventListener("submit", submitted);
document.addEventListener("time-changed", timeChanged);
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form")) delete form.dataset.sending;
});
for (const button of document.querySelectorAll("[data-keyboard-map]")) {
  button.addEventListener("click", openKeyboardMap);
}
for (const form of document.querySelectorAll<HTMLFormElement>("[data-status-form]")) {
  offerPresets(form);
}
