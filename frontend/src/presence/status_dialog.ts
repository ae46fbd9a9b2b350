import type { ChosenStatus, Lobby } from "./lobby";
import type { StatusLine } from "./person";

/**
 * The form of the reader's own status, in a dialog.
 *
 * It goes over the socket, so that nothing is reloaded; without a line it is sent as any form is.
 */
export class StatusDialog {
  readonly #dialog: HTMLDialogElement;
  readonly #form: HTMLFormElement;
  readonly #lobby: Lobby;

  constructor(dialog: HTMLDialogElement, form: HTMLFormElement, lobby: Lobby) {
    this.#dialog = dialog;
    this.#form = form;
    this.#lobby = lobby;
    form.addEventListener("submit", (event) => this.#submitted(event));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  /** Opens it with the line as it stands. */
  open(status: StatusLine | null): void {
    this.#field("emoji").value = status?.emoji ?? "";
    this.#field("text").value = status?.text ?? "";
    this.#form
      .querySelector<HTMLElement>("[data-clear]")
      ?.toggleAttribute("hidden", status === null);
    this.#say("");
    this.#dialog.showModal();
    this.#field("text").focus();
  }

  #submitted(event: SubmitEvent): void {
    if (!this.#lobby.isJoined) return;
    event.preventDefault();
    const isCleared = event.submitter?.hasAttribute("data-clear") ?? false;
    void this.#send(isCleared ? { text: "", emoji: "", expires_in_s: null } : this.#chosen());
  }

  async #send(chosen: ChosenStatus): Promise<void> {
    try {
      await this.#lobby.setStatus(chosen);
      this.#dialog.close();
    } catch (error) {
      this.#say(`Not saved. ${error instanceof Error ? error.message : ""}`);
    }
  }

  #chosen(): ChosenStatus {
    const seconds = Number(this.#field("expires_in_s").value);
    return {
      text: this.#field("text").value.trim(),
      emoji: this.#field("emoji").value.trim(),
      expires_in_s: seconds > 0 ? seconds : null,
    };
  }

  #say(problem: string): void {
    const place = this.#form.querySelector<HTMLElement>("[data-problem]");
    if (place === null) return;
    place.textContent = problem;
    place.hidden = problem === "";
  }

  #field(name: string): HTMLInputElement {
    return this.#form.elements.namedItem(name) as HTMLInputElement;
  }
}
