import { noChange } from "lit";
import { Directive, directive, type ElementPart, PartType } from "lit/directive.js";

/**
 * THE ONE PLACE where markup of a message becomes part of the page.
 *
 * `html` of a message has been rendered and cleaned by the server (nh3, an allow list) and comes
 * from nowhere else; the content security policy stands behind it. Code blocks get their buttons here.
 */
class ServerMarkup extends Directive {
  #shown: string | null = null;

  constructor(part: { type: number }) {
    super(part as never);
    if (part.type !== PartType.ELEMENT) throw new Error("markup belongs to an element");
  }

  override render(_html: string): unknown {
    return noChange;
  }

  override update({ element }: ElementPart, [html]: [string]): unknown {
    if (html !== this.#shown) {
      this.#shown = html;
      element.innerHTML = html;
      dressUp(element);
    }
    return noChange;
  }
}

let readerId = -1;

/** Whose mentions stand out. */
export function setReader(userId: number): void {
  readerId = userId;
}

/** `<div ${serverMarkup(message.html)}></div>` shows what the server rendered. */
export const serverMarkup = directive(ServerMarkup);

/** Gives each code block its buttons, and wide things a place to scroll in. */
export function dressUp(body: ParentNode): void {
  for (const block of body.querySelectorAll<HTMLElement>("pre")) {
    if (block.parentElement?.matches(".code-block")) continue;
    const frame = document.createElement("div");
    frame.className = "code-block";
    const language = languageOf(block);
    block.replaceWith(frame);
    const head = document.createElement("div");
    head.className = "code-head";
    const label = document.createElement("span");
    label.textContent = language;
    head.append(label, button("Wrap", "code-wrap"), button("Copy", "code-copy"));
    block.tabIndex = 0;
    block.setAttribute("role", "region");
    block.setAttribute("aria-label", language === "" ? "Code" : `Code, ${language}`);
    frame.append(head, block);
  }
  for (const mention of body.querySelectorAll(`.mention[data-user="${readerId}"]`)) {
    mention.toggleAttribute("data-self", true);
  }
  for (const table of body.querySelectorAll("table")) {
    const frame = document.createElement("div");
    frame.className = "table-frame";
    table.replaceWith(frame);
    frame.append(table);
  }
}

function button(label: string, className: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.textContent = label;
  return made;
}

function languageOf(block: HTMLElement): string {
  const code = block.querySelector("code") ?? block;
  const named = block.dataset.language ?? code.dataset.language;
  return named ?? /language-(\S+)/u.exec(`${code.className} ${block.className}`)?.[1] ?? "";
}

/** Answers the buttons of code blocks anywhere below `place`. */
export function serveCodeButtons(place: HTMLElement, copied: (text: string) => void): void {
  place.addEventListener("click", (event) => {
    const target = event.target as HTMLElement;
    const block = target.closest(".code-block")?.querySelector("pre");
    if (!block) return;
    if (target.matches(".code-copy")) copied(block.textContent ?? "");
    if (target.matches(".code-wrap")) {
      const isWrapped = block.toggleAttribute("data-wrapped");
      target.setAttribute("aria-pressed", String(isWrapped));
    }
  });
}

const BLOCKS = "p, li, pre, blockquote, td, th, br, h1, h2, h3, h4, h5, h6";

// Never shown: nothing in it runs, loads or is seen.
const { body } = document.implementation.createHTMLDocument();

/** The words of what the server rendered. */
export function plainWords(html: string): string {
  body.innerHTML = html;
  for (const block of body.querySelectorAll(BLOCKS)) block.before(" ");
  const words = body.textContent ?? "";
  body.replaceChildren();
  return words;
}
