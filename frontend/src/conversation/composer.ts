import { Autocomplete, type AutocompletePage } from "./autocomplete";
import type { Attachment } from "./message";
import { required } from "./required";
import { Tray, type Upload } from "./tray";

/** What a composer hands over when its writer sends. */
export interface Written {
  body: string;
  replyTo: string | null;
  attachments: Attachment[];
}

/** What a composer asks of its page. */
export interface ComposerPage extends Pick<AutocompletePage, "candidates"> {
  send: (written: Written) => void;
  leave: () => void;
  /** The text has changed by somebody's hand. */
  typed: (isEmpty: boolean) => void;
  /** ↑ in an empty field: says whether there was something to edit. */
  editLast: () => boolean;
  upload: Upload;
}

/**
 * The form below the messages: sends with Enter (or Ctrl+Enter, as the reader prefers), grows with
 * its text, keeps a draft per conversation, takes files and shows what is being answered.
 */
export class Composer {
  readonly #form: HTMLFormElement;
  readonly #field: HTMLTextAreaElement;
  readonly #reply: HTMLElement;
  readonly #draftKey: string;
  readonly #page: ComposerPage;
  readonly #suggestions: Autocomplete;
  readonly #tray: Tray;
  #replyTo: string | null = null;

  constructor(form: HTMLFormElement, draftKey: string, page: ComposerPage) {
    this.#form = form;
    this.#field = required("textarea", form) as HTMLTextAreaElement;
    this.#reply = required("[data-reply]", form);
    this.#draftKey = draftKey;
    this.#page = page;
    this.#tray = new Tray(required("[data-tray]", form), page.upload, () => this.#changed());
    this.#suggestions = new Autocomplete(this.#field, required("[data-suggestions]", form), {
      candidates: page.candidates,
      changed: () => this.#typed(),
    });
    this.#field.value ||= localStorage.getItem(draftKey) ?? "";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    required("button", this.#reply).addEventListener("click", () => this.answer(null, ""));
    this.#takeFiles();
    this.#changed();
  }

  /** Puts the caret into the field. */
  focus(): void {
    this.#field.focus();
  }

  /** Puts text and files back, before whatever has been written since. */
  takeBack(text: string, attachments: readonly Attachment[]): void {
    const written = this.#field.value;
    this.#field.value = written === "" ? text : `${text}\n${written}`;
    this.#tray.putBack(attachments);
    this.#changed();
    this.focus();
  }

  /** Shows that the next message answers `replyTo`; null for a message of its own. */
  answer(replyTo: string | null, label: string): void {
    this.#replyTo = replyTo;
    this.#reply.hidden = replyTo === null;
    required("[data-reply-label]", this.#reply).textContent = label;
    this.focus();
  }

  /** Closes the field for good, with the reason in its place. */
  close(reason: string): void {
    this.#field.disabled = true;
    this.#field.placeholder = reason;
    this.#form.dataset.closed = "";
    this.#changed();
  }

  get #isSendable(): boolean {
    if (this.#field.disabled || this.#tray.isBusy) return false;
    return this.#field.value.trim() !== "" || this.#tray.attachments.length > 0;
  }

  #send(): void {
    if (!this.#isSendable) return;
    const body = this.#field.value.trim();
    const { attachments } = this.#tray;
    this.#page.send({ body, replyTo: this.#replyTo, attachments });
    this.#field.value = "";
    this.#suggestions.close();
    this.#tray.clear();
    this.answer(null, "");
    this.#changed();
  }

  #typed(): void {
    this.#page.typed(this.#field.value.trim() === "");
    this.#changed();
  }

  #changed(): void {
    const text = this.#field.value;
    // Not `disabled`: the button keeps its place in the order of Tab.
    const button = required("button[type=submit]", this.#form);
    button.setAttribute("aria-disabled", String(!this.#isSendable));
    this.#grow();
    try {
      if (text === "") localStorage.removeItem(this.#draftKey);
      else localStorage.setItem(this.#draftKey, text);
    } catch {
      // Without storage the draft lives as long as the page.
    }
  }

  #pressed(event: KeyboardEvent): void {
    if (event.isComposing || this.#suggestions.pressed(event)) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      if (this.#replyTo === null) this.#page.leave();
      else this.answer(null, "");
    } else if (event.key === "ArrowUp" && this.#field.value === "" && isPlain(event)) {
      if (this.#page.editLast()) event.preventDefault();
    } else if (event.key === "Enter" && this.#sendsWith(event)) {
      event.preventDefault();
      this.#send();
    }
  }

  #sendsWith(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey) return true;
    const isTouch = window.matchMedia("(pointer: coarse)").matches;
    return this.#form.dataset.enterSends === "true" && !event.shiftKey && !isTouch;
  }

  #takeFiles(): void {
    const chooser = required("input[type=file]", this.#form) as HTMLInputElement;
    required("[data-attach]", this.#form).addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      this.#tray.add([...(chooser.files ?? [])]);
      chooser.value = "";
      this.focus();
    });
    this.#field.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.#tray.add(files);
    });
    acceptDrops(this.#form.closest<HTMLElement>("[data-drop]") ?? this.#form, (files) => {
      if (this.#field.disabled) return;
      this.#tray.add(files);
      this.focus();
    });
  }

  #grow(): void {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}

function isPlain(event: KeyboardEvent): boolean {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
}

/** Lets files be dropped anywhere on `place`, and shows that they may. */
function acceptDrops(place: HTMLElement, take: (files: File[]) => void): void {
  let depth = 0;
  const hasFiles = (event: DragEvent): boolean =>
    event.dataTransfer?.types.includes("Files") ?? false;
  const show = (by: number): void => {
    depth = Math.max(0, depth + by);
    place.toggleAttribute("data-dropping", depth > 0);
  };
  place.addEventListener("dragenter", (event) => {
    if (hasFiles(event)) show(1);
  });
  place.addEventListener("dragleave", (event) => {
    if (hasFiles(event)) show(-1);
  });
  place.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  place.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    show(-depth);
    take([...(event.dataTransfer?.files ?? [])]);
  });
}
