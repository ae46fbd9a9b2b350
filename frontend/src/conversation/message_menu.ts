import { html, nothing, render, type TemplateResult } from "lit";
import { type IconName, icon } from "../icon";
import type { Message, Person } from "./message";
import { initialOf, type MessageAction, type Verb } from "./message_view";
import { closePopover, openPopover } from "./popover";
import { QUICK_EMOJI } from "./reactions";

interface Item {
  verb: Verb;
  label: string;
  icon: IconName;
  keys?: string;
  isDanger?: boolean;
}

/** What may be done with a message, by whom it is and what became of it. */
export function itemsFor(
  message: Message,
  own: { id: number; isOwner: boolean },
  hasAssistant: boolean,
): Item[] {
  const isOwn = message.author.id === own.id;
  const isAssistant = message.role === "assistant";
  const items: (Item | false)[] = [
    { verb: "reply", label: "Answer", icon: "reply", keys: "r" },
    message.thread_id === null && {
      verb: "thread",
      label: "Answer in a thread",
      icon: "thread",
      keys: "t",
    },
    isAssistant && { verb: "regenerate", label: "Answer again", icon: "reconnect" },
    hasAssistant &&
      !isAssistant &&
      message.thread_id === null && {
        verb: "answer",
        label: "Ask the assistant",
        icon: "assistant",
      },
    isOwn && { verb: "edit", label: "Edit", icon: "edit", keys: "↑" },
    { verb: "copy", label: "Copy text", icon: "copy", keys: "y" },
    { verb: "link", label: "Copy link", icon: "link" },
    message.pinned_at === null
      ? { verb: "pin", label: "Pin", icon: "pin", keys: "p" }
      : { verb: "pin", label: "Unpin", icon: "unpin", keys: "p" },
    (isOwn || own.isOwner) && {
      verb: "delete",
      label: "Delete…",
      icon: "delete",
      keys: "Del",
      isDanger: true,
    },
  ];
  return items.filter((item) => item !== false);
}

/** Opens the menu of a message beside the button that asked for it. */
export function openMenu(
  { key, message, anchor }: MessageAction,
  items: readonly Item[],
  act: (action: MessageAction) => void,
): void {
  const menu = document.createElement("div");
  menu.className = "menu";
  menu.role = "menu";
  menu.setAttribute("aria-label", "Message");
  const choose = (verb: Verb, value?: string): void => {
    closePopover();
    act({ verb, key, message, ...(anchor && { anchor }), ...(value !== undefined && { value }) });
  };
  render(
    html`<div class="menu-emoji" role="group" aria-label="React">
        ${QUICK_EMOJI.map(
          (emoji) =>
            html`<button type="button" role="menuitem" aria-label=${`React with ${emoji}`} @click=${() => choose("react", emoji)}>${emoji}</button>`,
        )}
      </div>
      ${items.map((item) => menuItem(item, () => choose(item.verb)))}`,
    menu,
  );
  openPopover(menu, anchor ?? null);
}

function menuItem(item: Item, choose: () => void): TemplateResult {
  return html`<button
    class="menu-item"
    type="button"
    role="menuitem"
    ?data-danger=${item.isDanger}
    @click=${choose}
  >
    ${icon(item.icon)}<span>${item.label}</span>${
      item.keys === undefined ? nothing : html`<kbd aria-hidden="true">${item.keys}</kbd>`
    }
  </button>`;
}

/** Opens the list of who has read a message. */
export function openReaders(anchor: HTMLElement | null, readers: readonly Person[]): void {
  const list = document.createElement("div");
  list.className = "readers";
  list.role = "dialog";
  list.tabIndex = -1;
  list.setAttribute("aria-label", "Seen by");
  render(
    html`<h2>Seen by</h2>
      <ul>
        ${readers.map(
          (person) => html`<li>
            <span class="avatar" data-size="small" data-hue=${person.id % 8} aria-hidden="true"
              >${initialOf(person)}</span
            >
            <span>${person.username}</span>
          </li>`,
        )}
      </ul>`,
    list,
  );
  openPopover(list, anchor);
}
