import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icon";
import type { Row } from "./grouping";
import { segmentsOf } from "./links";
import { serverMarkup } from "./markup";
import type { Message, Run, UnsentMessage } from "./message";
import {
  attachments,
  gutter,
  heading,
  quote,
  reactionRow,
  seenBy,
  threadLink,
} from "./message_parts";
import { editForm, type MessageView, verbButton } from "./message_view";
import { backendLabel, branchSwitch, liveBody, runFoot, steps } from "./run_view";
import { isActive } from "./runs";

type SentRow = Extract<Row, { kind: "message" }>;
type UnsentRow = Extract<Row, { kind: "unsent" }>;

/** One message in a list. */
export function messageRow(view: MessageView, { key, message, isFirst }: SentRow): TemplateResult {
  const isDeleted = message.deleted_at !== null;
  const isEditing = view.editing?.id === message.id;
  const at = new Date(message.created_at);
  const run = view.runOf(message);
  return html`<li
    class="message"
    id=${view.hasThreads ? `message-${message.seq}` : nothing}
    data-key=${key}
    data-seq=${message.seq}
    data-role=${message.role}
    ?data-first=${isFirst}
    ?data-own=${message.author.id === view.user.id}
    ?data-mentioned=${message.mentions.includes(view.user.id)}
    ?data-deleted=${isDeleted}
    ?data-editing=${isEditing}
    tabindex=${view.tabIndex(key)}
  >
    ${gutter(view, isFirst, message.author, at)}
    <div class="message-main">
      ${pinned(message)}
      ${heading(view, isFirst, message.author, at, run === null ? nothing : backendLabel(run))}
      ${isDeleted ? tombstone(message) : content(view, key, message, run, isEditing)}
    </div>
    ${seenBy(view, key, message)}
    ${isDeleted || isEditing || !view.isAtHand(key) ? nothing : actions(view, key, message)}
  </li>`;
}

function content(
  view: MessageView,
  key: string,
  message: Message,
  run: Run | null,
  isEditing: boolean,
): TemplateResult {
  return html`${quote(view, key, message)}
  ${run === null ? nothing : steps(view, key, message, run)}
  ${isEditing ? editForm(view, key, message) : body(message, run)}
  ${attachments(message.attachments, view.tabIndex(key))}
  ${run === null ? nothing : runFoot(view, key, message, run)}
  ${branchSwitch(view, key, message)} ${reactionRow(view, key, message)}
  ${threadLink(view, key, message)}`;
}

function body(message: Message, run: Run | null): unknown {
  if (run?.status === "queued") return nothing;
  // Until the topic says that the message is complete, its own text is older than the run's.
  if (run !== null && (isActive(run) || run.text !== undefined)) {
    // While people are asked, nothing is being written that a caret could stand in.
    const isAsking = run.parts.at(-1)?.status === "waiting_approval";
    return isAsking && !run.text ? nothing : liveBody(run);
  }
  if (message.html === "") return plainBody(message.body);
  const edited =
    message.edited_at === null || message.role === "assistant"
      ? nothing
      : html`<span class="edited" title=${`Edited ${new Date(message.edited_at).toLocaleString()}`}>(edited)</span>`;
  return html`<div class="message-body" dir="auto" ${serverMarkup(message.html)}></div>${edited}`;
}

function pinned(message: Message): unknown {
  if (message.pinned_at === null) return nothing;
  const by = message.pinned_by === null ? "" : ` by ${message.pinned_by.username}`;
  return html`<p class="pinned-mark">${icon("pin")}Pinned${by}</p>`;
}

function tombstone(message: Message): TemplateResult {
  return html`<p class="tombstone">
    ${icon("delete")}${message.role === "assistant" ? "This answer was deleted." : "This message was deleted."}
  </p>`;
}

function actions(view: MessageView, key: string, message: Message): TemplateResult {
  const act = { key, message };
  const run = view.runOf(message);
  const isRunning = run !== null && isActive(run);
  return html`<div class="message-actions">
    ${verbButton(view, { verb: "pick", ...act }, { name: "React (e)", icon: "react" })}
    ${
      message.role === "assistant" && !isRunning
        ? verbButton(
            view,
            { verb: "regenerate", ...act },
            { name: "Answer again", icon: "reconnect" },
          )
        : nothing
    }
    ${verbButton(view, { verb: "reply", ...act }, { name: "Answer (r)", icon: "reply" })}
    ${
      view.hasThreads
        ? verbButton(view, { verb: "thread", ...act }, { name: "Thread (t)", icon: "thread" })
        : nothing
    }
    ${verbButton(view, { verb: "menu", ...act }, { name: "More (m)", icon: "more" })}
  </div>`;
}

/** A message of our own that the server has not confirmed. */
export function unsentRow(view: MessageView, { key, message, isFirst }: UnsentRow): TemplateResult {
  const at = new Date(message.created_at);
  return html`<li
    class="message"
    data-key=${key}
    data-state=${message.state}
    data-own
    ?data-waits=${!view.isOnline}
    ?data-first=${isFirst}
    tabindex=${view.tabIndex(key)}
  >
    ${gutter(view, isFirst, view.user, at)}
    <div class="message-main">
      ${heading(view, isFirst, view.user, at)} ${plainBody(message.body)}
      ${attachments(message.attachments, view.tabIndex(key))}
      ${unsentState(view, key, message)}
    </div>
  </li>`;
}

function unsentState(view: MessageView, key: string, message: UnsentMessage): TemplateResult {
  if (message.state === "failed") {
    const verb = (name: "retry" | "discard", label: string): TemplateResult =>
      verbButton(view, { verb: name, key, message }, { name: label, label, kind: "link" });
    return html`<p class="message-state" data-tone="danger">
      ${icon("error")}<span>Not sent. ${message.problem}</span>
      ${verb("retry", "Try again")} ${verb("discard", "Take back")}
    </p>`;
  }
  return html`<p class="message-state">
    ${icon("pending")}<span>${view.isOnline ? "Sending…" : "Will be sent when you are back"}</span>
  </p>`;
}

function plainBody(text: string): unknown {
  if (text === "") return nothing;
  return html`<div class="message-body" data-plain dir="auto">${segmentsOf(text).map((segment) =>
    "href" in segment
      ? html`<a href=${segment.href} rel="noopener noreferrer nofollow" target="_blank"
          >${segment.text}</a
        >`
      : segment.text,
  )}</div>`;
}
