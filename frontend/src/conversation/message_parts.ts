import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icon";
import { wordsOf } from "../presence/person";
import { clockTime, exactTime, hourCycleOf, relativeTime } from "../times";
import { plainWords } from "./markup";
import type { Attachment, Message, Person, Reaction } from "./message";
import { avatar, type MessageView, verbButton } from "./message_view";
import { namesOf } from "./reactions";

const reader = hourCycleOf(document.documentElement);
const MOST_FACES = 5;

export function clock(at: Date): string {
  return clockTime(at, undefined, reader);
}

export function exact(at: Date): string {
  return exactTime(at, undefined, reader);
}

/** The face, or the clock of a message that follows another of the same author. */
export function gutter(
  view: MessageView,
  isFirst: boolean,
  author: Person,
  at: Date,
): TemplateResult {
  return html`<div class="message-gutter" aria-hidden="true">${
    isFirst
      ? avatar(author, view)
      : html`<time class="message-clock" datetime=${at.toISOString()}>${clock(at)}</time>`
  }</div>`;
}

/** Who says it, and when; unseen but heard with the messages that follow another of the same author. */
export function heading(
  view: MessageView,
  isFirst: boolean,
  author: Person,
  at: Date,
  extra: unknown = nothing,
): TemplateResult {
  const name = author.id === 0 ? "Assistant" : author.username;
  // Most rows of a list are such ones: no more elements than it takes.
  if (!isFirst) return html`<p class="visually-hidden">${name}, ${clock(at)}</p>`;
  const isOwn = author.id === view.user.id;
  const words = !isOwn && author.id !== 0 ? wordsOf(view.people?.of(author.id)) : "";
  return html`<p class="message-heading">
    <b class="message-author">${name}</b>${
      words === "" ? nothing : html`<span class="visually-hidden">, ${words}</span>`
    }${isOwn ? html`<span class="tag">you</span>` : nothing}${extra}
    <time class="message-time" datetime=${at.toISOString()} title=${exact(at)}>${clock(at)}</time>
  </p>`;
}

/** The message that this one answers, in one line. */
export function quote(view: MessageView, key: string, message: Message): unknown {
  if (message.reply_to === null || message.reply_to === message.thread_id) return nothing;
  const answered = view.find(message.reply_to);
  return html`<button
    class="message-quote"
    type="button"
    tabindex=${view.tabIndex(key)}
    @click=${() => view.ask({ verb: "show", key, message, value: message.reply_to ?? "" })}
  >
    ${
      answered === undefined
        ? html`<span>Answer to an earlier message</span>`
        : html`<b>${answered.author.username}</b> <span>${shortBody(answered)}</span>`
    }
  </button>`;
}

const lines = new WeakMap<Message, string>();

/** A message in one line of plain words: what it says, not how it was typed. */
export function shortBody(message: Message): string {
  const known = lines.get(message);
  if (known !== undefined) return known;
  const line = message.deleted_at !== null ? "Deleted message" : wordsIn(message);
  lines.set(message, line);
  return line;
}

function wordsIn({ attachments, body, html }: Message): string {
  const text = html === "" ? body : plainWords(html);
  const words = text.replace(/\s+/gu, " ").trim();
  return words === "" ? (attachments[0]?.name ?? "") : words.slice(0, 200);
}

/** Pictures in their place (kept free before they load) and files as cards. */
export function attachments(files: readonly Attachment[], tabIndex: number): unknown {
  if (files.length === 0) return nothing;
  return html`<ul class="attachments">${files.map(
    (file) => html`<li>${file.is_image ? picture(file, tabIndex) : card(file, tabIndex)}</li>`,
  )}</ul>`;
}

function picture(file: Attachment, tabIndex: number): TemplateResult {
  return html`<a
    class="picture"
    href=${file.url}
    target="_blank"
    rel="noopener"
    tabindex=${tabIndex}
    title=${`${file.name}, ${sizeText(file.size)}`}
    ><img
      src=${file.url}
      alt=${file.name}
      width=${file.width ?? nothing}
      height=${file.height ?? nothing}
      loading="lazy"
      decoding="async"
  /></a>`;
}

function card(file: Attachment, tabIndex: number): TemplateResult {
  return html`<a class="file-card" href=${file.url} tabindex=${tabIndex} download=${file.name}>
    ${icon("file")}<span class="file-name">${file.name}</span>
    <span class="file-size number">${sizeText(file.size)}</span>
  </a>`;
}

const UNITS = ["B", "KB", "MB", "GB"];

/** "4.2 MB", as people say it. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1_000 && unit < UNITS.length - 1) {
    size /= 1_000;
    unit += 1;
  }
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`;
}

/** The emoji on a message with their numbers; pressing one joins or leaves it. */
export function reactionRow(view: MessageView, key: string, message: Message): unknown {
  if (message.reactions.length === 0) return nothing;
  return html`<div class="reactions" role="group" aria-label="Reactions">
    ${message.reactions.map((reaction) => reactionChip(view, key, message, reaction))}
    ${verbButton(view, { verb: "pick", key, message }, { name: "Add reaction", icon: "react" })}
  </div>`;
}

function reactionChip(
  view: MessageView,
  key: string,
  message: Message,
  { emoji, user_ids }: Reaction,
): TemplateResult {
  const names = namesOf(user_ids, view.user.id, view.nameOf);
  const isOwn = user_ids.includes(view.user.id);
  return html`<button
    class="reaction"
    type="button"
    aria-pressed=${isOwn}
    aria-label=${`${emoji} ${user_ids.length}: ${names}`}
    title=${names}
    tabindex=${view.tabIndex(key)}
    @click=${() => view.ask({ verb: "react", key, message, value: emoji })}
  >
    <span class="reaction-emoji">${emoji}</span><span class="number">${user_ids.length}</span>
  </button>`;
}

/** "3 replies · 5 min ago", the way into the thread. */
export function threadLink(view: MessageView, key: string, message: Message): unknown {
  if (!view.hasThreads || message.reply_count === 0) return nothing;
  const count = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
  const last = message.last_reply_at;
  const fresh = view.newIn(message.id);
  return html`<button
    class="thread-link"
    type="button"
    tabindex=${view.tabIndex(key)}
    @click=${() => view.ask({ verb: "thread", key, message })}
  >
    ${icon("thread")}<b>${count}</b>${
      fresh === 0 ? nothing : html`<span class="unread-badge number">${fresh} new</span>`
    }${last === null ? nothing : html`<span>${relativeTime(new Date(last), new Date())}</span>`}
  </button>`;
}

/** Who has read up to here, as small faces. */
export function seenBy(view: MessageView, key: string, message: Message): unknown {
  const crowd = view.crowdAt(message);
  if (crowd !== null) {
    const words = `Seen by ${crowd.count} of ${crowd.members}`;
    return html`<span class="seen-by" title=${words}>
      ${icon("delivered")}<span class="number" aria-hidden="true">${crowd.count}</span
      ><span class="visually-hidden">${words}</span>
    </span>`;
  }
  const ids = view.faces.get(message.id) ?? [];
  if (ids.length === 0) return nothing;
  const faces = ids.map((id) => ({ id, username: view.nameOf(id) }));
  const names = new Intl.ListFormat("en").format(faces.map(({ username }) => username));
  const rest = faces.length - MOST_FACES;
  return html`<button
    class="seen-by"
    type="button"
    title=${`Seen by ${names}`}
    aria-label=${`Seen by ${names}`}
    tabindex=${view.tabIndex(key)}
    @click=${(event: Event) =>
      view.ask({ verb: "readers", key, message, anchor: event.currentTarget as HTMLElement })}
  >
    ${faces.slice(0, MOST_FACES).map((person) => avatar(person, { ...view, people: null }, "tiny"))}${
      rest > 0 ? html`<span class="number">+${rest}</span>` : nothing
    }
  </button>`;
}
