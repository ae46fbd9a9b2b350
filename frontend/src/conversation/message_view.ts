import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { type IconName, icon } from "../icon";
import type { People } from "../presence/attendance";
import type { Message, Person, Run, UnsentMessage } from "./message";
import type { SeenCount } from "./receipts";
import type { LiveRun } from "./runs";

/** What a reader asks for on a message. */
export type Verb =
  | "answer"
  | "approve"
  | "branch"
  | "cancel-edit"
  | "continue"
  | "copy"
  | "delete"
  | "deny"
  | "discard"
  | "edit"
  | "link"
  | "menu"
  | "pick"
  | "pin"
  | "react"
  | "readers"
  | "regenerate"
  | "reply"
  | "retry"
  | "save-edit"
  | "show"
  | "stop"
  | "thread"
  | "unread";

/** Bubbles from a list of messages as a `message-action` event. */
export interface MessageAction {
  verb: Verb;
  key: string;
  message: Message | UnsentMessage;
  /** What the verb is about: an emoji, a new text, the id of a tool call. */
  value?: string;
  /** Where something that belongs to it may open. */
  anchor?: HTMLElement;
}

/** A message that is being edited in its place. */
export interface Editing {
  id: string;
  text: string;
  /** What was there when the editing began: saving must not undo what came after it. */
  revision: number;
  problem: string;
  isBusy: boolean;
}

/** All that drawing a message needs to know of the page around it. */
export interface MessageView {
  user: Person;
  isOnline: boolean;
  /** False in a thread, which has no threads. */
  hasThreads: boolean;
  people: People | null;
  editing: Editing | null;
  faces: ReadonlyMap<string, readonly number[]>;
  /** In place of faces in a crowd: how many have read the message, where that is worth saying. */
  crowdAt: (message: Message) => SeenCount | null;
  find: (id: string) => Message | undefined;
  nameOf: (id: number) => string;
  /** How many replies of a message's thread are new to the reader. */
  newIn: (threadId: string) => number;
  /** Whether the reader may stop a run and answer for it. */
  mayDirect: (run: Run) => boolean;
  runOf: (message: Message) => LiveRun | Run | null;
  tabIndex: (key: string) => number;
  /** Whether the pointer or the focus is on the row: only there is what can be done with it drawn. */
  isAtHand: (key: string) => boolean;
  ask: (action: MessageAction) => void;
}

/** A button that asks for something on a message. */
export function verbButton(
  view: MessageView,
  action: MessageAction,
  look: { name: string; icon?: IconName; label?: string; kind?: "icon" | "link" | "small" },
): TemplateResult {
  const kind = look.kind ?? "icon";
  const names = { icon: "icon-button", link: "link-button", small: "button" };
  return html`<button
    class=${names[kind]}
    type="button"
    data-size=${kind === "small" ? "small" : nothing}
    data-verb=${action.verb}
    title=${kind === "icon" ? look.name : nothing}
    aria-label=${kind === "icon" ? look.name : nothing}
    tabindex=${kind === "icon" ? view.tabIndex(action.key) : nothing}
    @click=${(event: Event) => view.ask({ ...action, anchor: event.currentTarget as HTMLElement })}
  >
    ${look.icon === undefined ? nothing : icon(look.icon)}${look.label ?? nothing}
  </button>`;
}

/** A person's square with the first letter. */
export function avatar(person: Person, view: MessageView, size?: "small" | "tiny"): TemplateResult {
  const isAssistant = person.id === 0;
  return html`<span
    class="avatar"
    data-size=${size ?? nothing}
    data-hue=${isAssistant ? nothing : person.id % 8}
    ?data-assistant=${isAssistant}
    data-presence=${(isAssistant ? undefined : view.people?.of(person.id)) ?? nothing}
    >${isAssistant ? icon("assistant") : initialOf(person)}</span
  >`;
}

/** The form in place of a message that is being edited. */
export function editForm(view: MessageView, key: string, message: Message): TemplateResult {
  const editing = view.editing;
  const ask = (verb: Verb, value = ""): void => view.ask({ verb, key, message, value });
  const text = (form: HTMLElement): string => form.querySelector("textarea")?.value ?? "";
  const canAsk = message.mentions_assistant || message.branch !== null;
  return html`<form
    class="edit-form"
    @submit=${(event: SubmitEvent) => {
      event.preventDefault();
      const isBranch = (event.submitter as HTMLElement | null)?.dataset.branch !== undefined;
      ask(isBranch ? "branch" : "save-edit", text(event.currentTarget as HTMLElement));
    }}
    @keydown=${(event: KeyboardEvent) => {
      if (event.isComposing) return;
      const form = event.currentTarget as HTMLFormElement;
      if (event.key === "Escape") {
        event.stopPropagation();
        ask("cancel-edit");
      } else if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        event.stopPropagation();
        form.requestSubmit();
      }
    }}
  >
    <textarea
      class="edit-field"
      aria-label="Edit message"
      .value=${live(editing?.text ?? message.body)}
      @input=${(event: Event) => {
        if (editing !== null) editing.text = (event.target as HTMLTextAreaElement).value;
      }}
    ></textarea>
    ${
      editing?.problem
        ? html`<p class="edit-problem" role="alert">${icon("error")}<span>${editing.problem}</span></p>`
        : nothing
    }
    <p class="edit-foot">
      <button class="button" data-kind="primary" type="submit" aria-disabled=${editing?.isBusy ?? false}>
        Save
      </button>
      ${
        canAsk
          ? html`<button class="button" type="submit" data-branch title="Keeps the old one beside it and asks the assistant again">
              Save and ask again
            </button>`
          : nothing
      }
      <button class="button" data-kind="quiet" type="button" @click=${() => ask("cancel-edit")}>
        Cancel
      </button>
      <span class="edit-hint"><kbd>Enter</kbd> saves, <kbd>Esc</kbd> cancels</span>
    </p>
  </form>`;
}

/** Puts the caret behind the text of an edit that has just begun below `place`. */
export function focusEdit(place: ParentNode): void {
  const field = place.querySelector<HTMLTextAreaElement>(".edit-field:not([data-begun])");
  if (field === null) return;
  field.dataset.begun = "";
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

export function initialOf(person: Person): string {
  return [...person.username].slice(0, 1).join("").toLocaleUpperCase();
}
