import { showToast } from "../toast";
import type { AssistantMode, Heading } from "./message";
import type { Room } from "./room";

/** What the details say about the assistant, and where an owner says when it answers. */
export class AssistantSettings {
  readonly #choice = document.querySelector<HTMLSelectElement>("[data-assistant-mode]");
  readonly #label = document.querySelector<HTMLElement>("[data-backend]");
  #told: AssistantMode = "mention";

  constructor(room: Room) {
    this.#choice?.addEventListener("change", (event) => {
      const assistant = (event.target as HTMLSelectElement).value;
      void room.ask("set_assistant", { assistant }).catch((error: unknown) => {
        if (this.#choice !== null) this.#choice.value = this.#told;
        showToast(error instanceof Error ? error.message : "That did not work.");
      });
    });
  }

  /** Shows what the topic tells. */
  show({ assistant, backend }: Heading): void {
    this.#told = assistant;
    if (this.#choice !== null) this.#choice.value = assistant;
    if (this.#label === null || backend === undefined) return;
    this.#label.textContent =
      backend.kind === "openai"
        ? `Answers come from ${backend.model ?? "a model"}.`
        : "No model is configured. The workspace assistant searches and looks things up; it never makes up an answer.";
  }
}
