/** What a composer asks of its page. */
export interface ComposerPage {
  send: (body: string, replyTo: string | null) => void;
  leave: () => void;
}

/**
 * The form below the messages: sends with Enter (or Ctrl+Enter, as the reader prefers), grows with
 * its text, keeps a draft per conversation and shows what is being answered.
 */
export class Composer {
  readonly #form: HTMLFormElement;
  readonly #field: HTMLTextAreaElement;
  readonly #reply: HTMLElement;
  readonly #draftKey: string;
  readonly #page: ComposerPage;
  #replyTo: string | null = null;

  constructor(form: HTMLFormElement, draftKey: string, page: ComposerPage) {
    this.#form = form;
    this.#field = required(form, "textarea") as HTMLTextAreaElement;
    this.#reply = required(form, "[data-reply]");
    this.#draftKey = draftKey;
    this.#page = page;
    this.#field.value ||= localStorage.getItem(draftKey) ?? "";
    this.#grow();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    required(this.#reply, "button").addEventListener("click", () => this.answer(null, ""));
    this.#changed();
  }

  /** Puts the caret into the field. */
  focus(): void {
    this.#field.focus();
  }

  /** Puts text back, before whatever has been written since. */
  takeBack(text: string): void {
    const written = this.#field.value;
    this.#field.value = written === "" ? text : `${text}\n${written}`;
    this.#changed();
    this.focus();
  }

  /** Shows that the next message answers `replyTo`; null for a message of its own. */
  answer(replyTo: string | null, label: string): void {
    this.#replyTo = replyTo;
    this.#reply.hidden = replyTo === null;
    required(this.#reply, "[data-reply-label]").textContent = label;
    this.focus();
  }

  /** Closes the field for good, with the reason in its place. */
  close(reason: string): void {
    this.#field.disabled = true;
    this.#field.placeholder = reason;
    this.#form.dataset.closed = "";
    this.#setSendable(false);
  }

  #send(): void {
    const body = this.#field.value.trim();
    if (body === "" || this.#field.disabled) return;
    this.#page.send(body, this.#replyTo);
    this.#field.value = "";
    this.answer(null, "");
    this.#changed();
  }

  #changed(): void {
    const text = this.#field.value;
    this.#setSendable(text.trim() !== "" && !this.#field.disabled);
    this.#grow();
    try {
      if (text === "") localStorage.removeItem(this.#draftKey);
      else localStorage.setItem(this.#draftKey, text);
    } catch {
      // Without storage the draft lives as long as the page.
    }
  }

  #setSendable(isSendable: boolean): void {
    // Not `disabled`: the button keeps its place in the order of Tab.
    required(this.#form, "button[type=submit]").setAttribute("aria-disabled", String(!isSendable));
  }

  #pressed(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      if (this.#replyTo === null) this.#page.leave();
      else this.answer(null, "");
      return;
    }
    if (event.key === "Enter" && this.#sendsWith(event)) {
      event.preventDefault();
      this.#send();
    }
  }

  #sendsWith(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey) return true;
    const isTouch = window.matchMedia("(pointer: coarse)").matches;
    return this.#form.dataset.enterSends === "true" && !event.shiftKey && !isTouch;
  }

  #grow(): void {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}

function required(parent: ParentNode, selector: string): HTMLElement {
  const found = parent.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}
