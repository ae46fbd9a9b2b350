import { markUnread } from "./unread";

/** The list of conversations: what this browser has not shown yet stands out. */
const list = document.querySelector<HTMLElement>("[data-conversations]");
if (list !== null) {
  const update = (): void => markUnread(list, Number(list.dataset.user));
  update();
  window.addEventListener("storage", update);
}
