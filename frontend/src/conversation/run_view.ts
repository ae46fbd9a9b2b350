import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icon";
import type { Message, Run, ToolCall } from "./message";
import { type MessageView, verbButton } from "./message_view";
import { isActive } from "./runs";
import "./running_answer";

/** Who answers: a model by its name, or the workspace assistant, which is none. */
export function backendLabel({ backend, model }: Pick<Run, "backend" | "model">): TemplateResult {
  if (backend === "openai") return html`<span class="tag">${model ?? "model"}</span>`;
  return html`<span class="tag" title="No model is configured: it searches and looks things up."
    ><span class="tag-more">workspace assistant · </span>no model</span
  >`;
}

/** The steps of an answer: open while they happen, folded into one line afterwards. */
export function steps(view: MessageView, key: string, message: Message, run: Run): unknown {
  if (run.parts.length === 0) return nothing;
  const cards = run.parts.map((part) => step(view, key, message, run, part));
  const needsReader = run.parts.some(({ status }) => status === "waiting_approval");
  if (isActive(run) || needsReader || run.parts.length === 1) {
    return html`<div class="steps">${cards}</div>`;
  }
  return html`<details class="steps-fold">
    <summary>${icon("tool")}${run.parts.length} steps${icon("unfold")}</summary>
    <div class="steps">${cards}</div>
  </details>`;
}

const STATES: Readonly<Record<ToolCall["status"], string>> = {
  running: "running…",
  waiting_approval: "waits for permission",
  done: "done",
  error: "failed",
  denied: "not allowed",
};

function step(
  view: MessageView,
  key: string,
  message: Message,
  run: Run,
  part: ToolCall,
): TemplateResult {
  const given = Object.entries(part.arguments);
  const brief = given.map(([name, value]) => `${name}: ${textOf(value)}`).join(", ");
  return html`<details class="step" data-status=${part.status} ?open=${part.status === "waiting_approval"}>
    <summary>
      ${icon(part.status === "done" ? "check" : part.status === "error" ? "error" : "tool")}
      <b>${part.title}</b><span class="step-brief">${brief}</span>
      <span class="step-state">${STATES[part.status]}</span>
    </summary>
    <div class="step-body">
      ${given.map(([name, value]) => html`<p><span>${name}</span> <code>${textOf(value)}</code></p>`)}
      ${part.result === null ? nothing : html`<pre tabindex="0">${part.result}</pre>`}
    </div>
  </details>${approval(view, key, message, run, part)}`;
}

function approval(
  view: MessageView,
  key: string,
  message: Message,
  run: Run,
  part: ToolCall,
): unknown {
  if (part.approval === null) return nothing;
  const { state, by } = part.approval;
  if (state !== "waiting") {
    const words = {
      approved: "Allowed",
      denied: "Not allowed",
      expired: "Nobody answered in time",
    };
    return html`<p class="approval-answer">
      ${words[state]}${by === null ? nothing : html` by ${by.username}`}
    </p>`;
  }
  if (!view.mayDirect(run)) {
    return html`<p class="approval-answer">
      Waits for ${run.started_by?.username ?? "whoever asked"} or an owner to allow it.
    </p>`;
  }
  const button = (verb: "approve" | "deny", label: string): TemplateResult =>
    verbButton(
      view,
      { verb, key, message, value: part.id },
      { name: label, label, kind: "small", icon: verb === "approve" ? "check" : "close" },
    );
  return html`<div class="approval" role="group" aria-label="Permission">
    <p>Allow the assistant to <b>${asVerb(part.title)}</b>? This changes something.</p>
    ${button("approve", "Allow")} ${button("deny", "Do not allow")}
  </div>`;
}

/** "Write a note" in the middle of a sentence. */
function asVerb(title: string): string {
  return title.charAt(0).toLocaleLowerCase() + title.slice(1);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The answer while it is being written. */
export function liveBody(run: Run): TemplateResult {
  return html`<running-answer
    class="message-body"
    dir="auto"
    data-run=${run.id}
    .text=${run.text ?? ""}
  ></running-answer>`;
}

/** What became of a run, and what can be done about it. */
export function runFoot(view: MessageView, key: string, message: Message, run: Run): unknown {
  const verb = (name: "continue" | "regenerate", label: string): TemplateResult =>
    verbButton(view, { verb: name, key, message }, { name: label, label, kind: "link" });
  switch (run.status) {
    case "queued":
      return html`<p class="run-line">
        ${icon("pending")}<span>Waits for its turn${asker(run)}</span>
        ${stop(view, key, message, run, "Cancel")}
      </p>`;
    case "running":
      return html`<p class="run-line" data-running=${run.id}>
        <i class="pulse" aria-hidden="true"></i><span>${phase(run)}</span>
        <span class="number" data-elapsed=${run.started_at ?? run.created_at}></span>
        ${stop(view, key, message, run, "Stop")}
      </p>`;
    case "cancelled":
      return html`<p class="run-line">
        ${icon("stop")}<span>Stopped${run.cancelled_by ? ` by ${run.cancelled_by.username}` : ""}</span>
        ${verb("continue", "Continue")} ${verb("regenerate", "Answer again")}
      </p>`;
    case "interrupted":
      return html`<p class="run-line" data-tone="warning">
        ${icon("error")}<span>Interrupted: the server went away. What was written is kept.</span>
        ${verb("continue", "Continue")} ${verb("regenerate", "Answer again")}
      </p>`;
    case "error":
      return html`<p class="run-line" data-tone="danger">
        ${icon("error")}<span>${run.error?.message ?? "The assistant failed."}</span>
        ${message.body === "" ? nothing : verb("continue", "Continue")} ${verb("regenerate", "Try again")}
      </p>`;
    case "finished":
      return nothing;
  }
}

function stop(
  view: MessageView,
  key: string,
  message: Message,
  run: Run,
  label: string,
): TemplateResult | typeof nothing {
  if (!view.mayDirect(run)) return nothing;
  const look = { name: label, label, kind: "small", icon: "stop" } as const;
  return verbButton(view, { verb: "stop", key, message }, look);
}

function asker(run: Run): string {
  return run.started_by === null ? "" : ` · asked by ${run.started_by.username}`;
}

function phase(run: Run): string {
  const last = run.parts.at(-1);
  if (last?.status === "waiting_approval") return "Waits for permission";
  if (last?.status === "running") return `${last.title}…`;
  // Until the topic has told what there is of it, nobody knows.
  if (run.text === undefined) return "Answering…";
  return run.text === "" ? "Thinking…" : "Writing…";
}

/** "‹ 2/3 ›": the way to the other answers, or the other wordings of a question. */
export function branchSwitch(view: MessageView, key: string, message: Message): unknown {
  const { branch } = message;
  if (branch === null || branch.count < 2) return nothing;
  const step = (by: -1 | 1, name: string): TemplateResult => html`<button
    class="icon-button"
    type="button"
    title=${name}
    aria-label=${name}
    aria-disabled=${by < 0 ? branch.index === 1 : branch.index === branch.count}
    tabindex=${view.tabIndex(key)}
    @click=${() => view.ask({ verb: "branch", key, message, value: by < 0 ? "-1" : "+1" })}
  >
    ${icon(by < 0 ? "previous" : "next")}
  </button>`;
  return html`<span class="branches" role="group" aria-label="Alternatives">
    ${step(-1, "Previous version")}<span class="number">${branch.index}/${branch.count}</span>${step(1, "Next version")}
  </span>`;
}
