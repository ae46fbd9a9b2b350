import { html, render } from "lit";
import { icon } from "../icon";
import { dayHeading } from "../times";
import type { Message } from "./message";
import { shortBody } from "./message_parts";
import type { ConversationState } from "./state";

/** The pinned messages as a list of ways to them; those that the page does not hold are read first. */
export async function pinsList(
  state: ConversationState,
  goTo: (message: Message) => void,
): Promise<HTMLElement> {
  const list = document.createElement("div");
  list.className = "pins-list";
  list.tabIndex = -1;
  let problem = "";
  const missing = state.pins.some((id) => state.timeline.get(id) === undefined);
  if (missing) {
    const address = `/api/v1/conversations/${state.heading.id}/pins/`;
    const answer = await fetch(address, { cache: "no-store" }).catch(() => null);
    if (answer?.ok)
      state.timeline.hold(((await answer.json()) as { messages: Message[] }).messages);
    else problem = "The server did not answer.";
  }
  const pinned = state.pins.flatMap((id) => state.timeline.get(id) ?? []);
  render(
    [
      problem === ""
        ? []
        : html`<p class="notice" data-tone="danger">${icon("error")}<span>Not all pins could be read. ${problem}</span></p>`,
      pinned.length === 0
        ? html`<p class="panel-empty">Nothing is pinned. Pin what people should find again: the menu of a message has it.</p>`
        : html`<ol class="search-list">
            ${pinned.map(
              (message) => html`<li>
                <button class="search-result" type="button" @click=${() => goTo(message)}>
                  <span class="search-result-head">
                    <b>${message.author.id === 0 ? "Assistant" : message.author.username}</b>
                    <time datetime=${message.created_at}
                      >${dayHeading(new Date(message.created_at), new Date())}</time
                    >
                  </span>
                  <span class="search-result-body">${shortBody(message)}</span>
                  ${
                    message.pinned_by === null
                      ? []
                      : html`<span class="pinned-mark">${icon("pin")}Pinned by ${message.pinned_by.username}</span>`
                  }
                </button>
              </li>`,
            )}
          </ol>`,
    ],
    list,
  );
  return list;
}
