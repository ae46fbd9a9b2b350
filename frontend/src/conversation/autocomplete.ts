import { type Candidate, completed, fitting, type Trigger, triggerAt } from "./completion";

/** What the suggestions need from their field's surroundings. */
export interface AutocompletePage {
  candidates: (kind: Trigger["kind"]) => readonly Candidate[];
  /** The text was changed from here. */
  changed: () => void;
}

/** Suggests names and commands while they are written; arrows choose, Enter or Tab takes one. */
export class Autocomplete {
  readonly #field: HTMLTextAreaElement;
  readonly #list: HTMLElement;
  readonly #page: AutocompletePage;
  #trigger: Trigger | null = null;
  #shown: Candidate[] = [];
  #chosen = 0;
  /** Where the writer has said no; the same word is not suggested for again. */
  #refused: number | null = null;

  constructor(field: HTMLTextAreaElement, list: HTMLElement, page: AutocompletePage) {
    this.#field = field;
    this.#list = list;
    this.#page = page;
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    field.addEventListener("input", () => this.#look());
    field.addEventListener("click", () => this.#look());
    field.addEventListener("blur", () => this.close());
    // The field keeps the focus while something is chosen with the mouse.
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
      if (option !== null) this.#take(Number(option.dataset.index));
    });
  }

  /** Whether suggestions are shown. */
  get isOpen(): boolean {
    return !this.#list.hidden;
  }

  /** Takes the keys that belong to the suggestions; says whether it was one. */
  pressed(event: KeyboardEvent): boolean {
    if (!this.isOpen || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      this.#chosen = (this.#chosen + step + this.#shown.length) % this.#shown.length;
      this.#draw();
    } else if (event.key === "Escape") {
      this.#refused = this.#trigger?.from ?? null;
      this.close();
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") {
      if (this.#isWhole() && event.key === "Enter") return false;
      this.#take(this.#chosen);
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** Puts the suggestions away. */
  close(): void {
    this.#list.hidden = true;
    this.#field.removeAttribute("aria-activedescendant");
  }

  /** A command that is written out needs no second Enter. */
  #isWhole(): boolean {
    const chosen = this.#shown[this.#chosen];
    return this.#trigger?.kind === "command" && chosen?.text === `/${this.#trigger.query}`;
  }

  #look(): void {
    const { value, selectionStart } = this.#field;
    const trigger = triggerAt(value, selectionStart);
    this.#trigger = trigger;
    if (trigger === null || trigger.from !== this.#refused) this.#refused = null;
    this.#shown =
      trigger === null || this.#refused !== null
        ? []
        : fitting(this.#page.candidates(trigger.kind), trigger.query);
    this.#chosen = 0;
    if (this.#shown.length === 0) this.close();
    else this.#draw();
  }

  #take(index: number): void {
    const candidate = this.#shown[index];
    if (candidate === undefined || this.#trigger === null) return;
    const { text, caret } = completed(this.#field.value, this.#trigger, candidate);
    this.#field.value = text;
    this.#field.setSelectionRange(caret, caret);
    this.close();
    this.#page.changed();
  }

  #draw(): void {
    this.#list.hidden = false;
    this.#list.replaceChildren(...this.#shown.map((each, index) => this.#option(each, index)));
    this.#field.setAttribute("aria-activedescendant", `${this.#list.id}-${this.#chosen}`);
    this.#list.children[this.#chosen]?.scrollIntoView({ block: "nearest" });
  }

  #option(candidate: Candidate, index: number): HTMLElement {
    const option = document.createElement("li");
    option.id = `${this.#list.id}-${index}`;
    option.role = "option";
    option.className = "suggestion";
    option.dataset.index = String(index);
    option.dataset.kind = candidate.kind;
    option.setAttribute("aria-selected", String(index === this.#chosen));
    if (candidate.kind === "person") option.append(face(candidate));
    for (const [tag, text] of [
      ["b", candidate.title],
      ["span", candidate.detail],
    ] as const) {
      const part = document.createElement(tag);
      part.textContent = text;
      option.append(part);
    }
    return option;
  }
}

function face({ id, title }: Candidate): HTMLElement {
  const face = document.createElement("span");
  face.className = "avatar";
  face.dataset.size = "small";
  face.dataset.hue = String((id ?? 0) % 8);
  face.setAttribute("aria-hidden", "true");
  face.textContent = title.slice(0, 1).toLocaleUpperCase();
  return face;
}
