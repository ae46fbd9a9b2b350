import type { Message } from "./message";
import { shortBody } from "./message_parts";

/** Asks whether a message is really to be deleted; Enter says yes, Escape no. */
export function confirmDelete(message: Message): Promise<boolean> {
  const dialog = document.querySelector<HTMLDialogElement>("#delete-dialog");
  if (dialog === null) return Promise.resolve(true);
  const place = dialog.querySelector("[data-body]");
  if (place !== null) place.textContent = shortBody(message);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), {
      once: true,
    });
  });
}
