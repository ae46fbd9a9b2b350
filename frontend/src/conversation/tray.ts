import type { Attachment } from "./message";
import { sizeText } from "./message_parts";

/** How files get to the server; tests hand in their own. */
export type Upload = (
  file: File,
  progress: (share: number) => void,
  signal: AbortSignal,
) => Promise<Attachment>;

const MOST_FILES = 10;

interface Piece {
  file: File;
  row: HTMLElement;
  abort: AbortController;
  attachment: Attachment | null;
  isFailed: boolean;
}

/** The files that the next message will have: chosen, dropped or pasted; uploaded at once. */
export class Tray {
  readonly #element: HTMLElement;
  readonly #upload: Upload;
  readonly #changed: () => void;
  #pieces: Piece[] = [];
  #isFull = false;

  constructor(element: HTMLElement, upload: Upload, changed: () => void) {
    this.#element = element;
    this.#upload = upload;
    this.#changed = changed;
  }

  /** Files that the server has. */
  get attachments(): Attachment[] {
    return this.#pieces.flatMap(({ attachment }) => attachment ?? []);
  }

  /** Whether a message would go without something that is still on its way. */
  get isBusy(): boolean {
    return this.#pieces.some(({ attachment, isFailed }) => attachment === null && !isFailed);
  }

  /** Takes files; those beyond the limit are named, not dropped silently. */
  add(files: Iterable<File>): void {
    for (const file of files) {
      this.#isFull = this.#pieces.length >= MOST_FILES;
      if (this.#isFull) break;
      const piece: Piece = {
        file,
        row: this.#rowOf(file),
        abort: new AbortController(),
        attachment: null,
        isFailed: false,
      };
      this.#pieces.push(piece);
      void this.#send(piece);
    }
    this.#draw();
  }

  /** Takes back files that belong to a message that was not sent. */
  putBack(attachments: readonly Attachment[]): void {
    for (const attachment of attachments) {
      const file = new File([], attachment.name);
      const row = this.#rowOf(file, attachment.size);
      row.dataset.state = "done";
      const abort = new AbortController();
      this.#pieces.push({ file, row, abort, attachment, isFailed: false });
    }
    this.#draw();
  }

  /** Empties it: the message is on its way. */
  clear(): void {
    this.#pieces = [];
    this.#draw();
  }

  async #send(piece: Piece): Promise<void> {
    const bar = piece.row.querySelector("progress");
    piece.row.dataset.state = "sending";
    piece.isFailed = false;
    this.#say(piece, "");
    try {
      piece.attachment = await this.#upload(
        piece.file,
        (share) => {
          if (bar !== null) bar.value = share;
        },
        piece.abort.signal,
      );
      piece.row.dataset.state = "done";
    } catch (error) {
      if (piece.abort.signal.aborted) return;
      piece.isFailed = true;
      piece.row.dataset.state = "failed";
      this.#say(piece, error instanceof Error ? error.message : "It could not be uploaded.");
    }
    this.#changed();
  }

  #remove(piece: Piece): void {
    piece.abort.abort();
    this.#pieces = this.#pieces.filter((each) => each !== piece);
    this.#isFull = false;
    this.#draw();
  }

  #draw(): void {
    this.#element.replaceChildren(...this.#pieces.map(({ row }) => row));
    if (this.#isFull) {
      const note = document.createElement("li");
      note.className = "tray-note";
      note.textContent = `A message has at most ${MOST_FILES} files.`;
      this.#element.append(note);
    }
    this.#element.hidden = this.#pieces.length === 0;
    this.#changed();
  }

  #say(piece: Piece, problem: string): void {
    const place = piece.row.querySelector("[data-problem]");
    if (place !== null) place.textContent = problem;
  }

  #rowOf(file: File, size = file.size): HTMLElement {
    const template = document.querySelector<HTMLTemplateElement>("#tray-template");
    const row = template?.content.firstElementChild?.cloneNode(true) as HTMLElement;
    const set = (selector: string, text: string): void => {
      const place = row.querySelector(selector);
      if (place !== null) place.textContent = text;
    };
    set("[data-name]", file.name);
    set("[data-size]", sizeText(size));
    const find = (): Piece | undefined => this.#pieces.find((piece) => piece.row === row);
    row.querySelector("[data-remove]")?.addEventListener("click", () => {
      const piece = find();
      if (piece !== undefined) this.#remove(piece);
    });
    row.querySelector("[data-again]")?.addEventListener("click", () => {
      const piece = find();
      if (piece !== undefined) void this.#send(piece).then(this.#changed);
    });
    row.querySelector("[data-remove]")?.setAttribute("aria-label", `Remove ${file.name}`);
    return row;
  }
}

/** Uploads by HTTP with the page's own session; rejects with a sentence. */
export function uploadTo(address: string, csrfToken: string): Upload {
  return (file, progress, signal) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const fail = (words: string): void => reject(new Error(words));
      request.open("POST", address);
      request.responseType = "json";
      request.setRequestHeader("X-CSRFToken", csrfToken);
      request.setRequestHeader("Accept", "application/json");
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        if (total > 0) progress(loaded / total);
      });
      request.addEventListener("load", () => {
        const answer = request.response as (Attachment & { message?: string }) | null;
        if (request.status >= 200 && request.status < 300 && answer !== null) resolve(answer);
        else fail(answer?.message ?? refusalOf(request.status));
      });
      request.addEventListener("error", () => fail("The connection broke."));
      signal.addEventListener("abort", () => request.abort());
      const form = new FormData();
      form.append("file", file);
      request.send(form);
    });
}

function refusalOf(status: number): string {
  return status === 413 ? "It is too large." : "The server did not take it.";
}
