import type { Approval, Run, ToolCall } from "./message";

/** One event of a run: an AG-UI 1.0 type in our envelope. */
export interface RunEvent {
  run_id: string;
  message_id: string;
  seq: number;
  /** UTF-16 length of the answer before this event. */
  offset: number;
  type: string;
  [field: string]: unknown;
}

/** A run with its text, as far as this page has seen it. */
export interface LiveRun extends Run {
  text: string;
  /** Something was missed and has been asked for; what is shown is right, but old. */
  isBehind: boolean;
}

/** What the runs need from the page around them. */
export interface RunSurroundings {
  /** Asks for a run as a whole; rejects when there is none. */
  fetchRun: (runId: string) => Promise<Run>;
  /** Something about this run is different; `isText` when it is only longer. */
  changed: (run: LiveRun, isText: boolean) => void;
}

/** Whether a run will still change of itself. */
export function isActive({ status }: Pick<Run, "status">): boolean {
  return status === "queued" || status === "running";
}

/**
 * The answers that are being written, as events tell of them.
 *
 * Events carry a place (`seq`, `offset`), so a repeat changes nothing and a hole is seen: then the
 * run is asked for as a whole, and what has come meanwhile follows it.
 */
export class Runs {
  readonly #around: RunSurroundings;
  readonly #byId = new Map<string, LiveRun>();
  readonly #waiting = new Map<string, RunEvent[]>();

  constructor(around: RunSurroundings) {
    this.#around = around;
  }

  /** Every run that is not over, the oldest first. */
  get active(): LiveRun[] {
    return [...this.#byId.values()]
      .filter(isActive)
      .sort((one, other) => one.created_at.localeCompare(other.created_at));
  }

  get(runId: string): LiveRun | undefined {
    return this.#byId.get(runId);
  }

  /** Asks for a run as a whole. */
  refresh(runId: string): void {
    if (this.#waiting.has(runId)) return;
    this.#waiting.set(runId, []);
    void this.#fetch(runId);
  }

  /** The message says it all now. */
  forget(runId: string): void {
    this.#byId.delete(runId);
    this.#waiting.delete(runId);
  }

  /** The run that writes this message; an older one of the same message is forgotten. */
  ofMessage(messageId: string): LiveRun | undefined {
    return [...this.#byId.values()].findLast((run) => run.message_id === messageId);
  }

  /** Takes the runs of a join: what is not among them has ended while we were away. */
  replace(runs: readonly Run[]): void {
    const told = new Set(runs.map(({ id }) => id));
    for (const run of this.active) {
      if (!told.has(run.id)) this.#byId.delete(run.id);
    }
    for (const run of runs) this.take(run);
  }

  /** Takes a run as a whole, unless more of it is known already. */
  take(run: Run): void {
    const held = this.#byId.get(run.id);
    const isOld = held !== undefined && (held.seq > run.seq || (!isActive(held) && isActive(run)));
    if (!isOld) this.#keep({ ...run, text: run.text ?? held?.text ?? "", isBehind: false }, false);
    const waiting = this.#waiting.get(run.id) ?? [];
    this.#waiting.delete(run.id);
    for (const event of waiting) this.apply(event);
  }

  /** Takes one event of the topic. */
  apply(event: RunEvent): void {
    const run = this.#byId.get(event.run_id);
    if (event.type === "MESSAGES_SNAPSHOT") {
      this.take(event.run as Run);
    } else if (run === undefined && event.type === "RUN_STARTED" && event.run !== undefined) {
      this.take({ ...(event.run as Run), seq: event.seq, status: "running" });
    } else if (run === undefined) {
      this.#miss(event, null);
    } else if (event.seq > run.seq) {
      this.#follow(run, event);
    }
  }

  #follow(run: LiveRun, event: RunEvent): void {
    if (run.isBehind || event.seq > run.seq + 1 || event.offset > run.text.length) {
      this.#miss(event, run);
      return;
    }
    const next = stepped(run, event);
    // The first words change more than the text: "thinking" becomes "writing".
    const isText = event.type === "TEXT_MESSAGE_CONTENT" && run.text !== "";
    this.#keep({ ...next, seq: event.seq, offset: next.text.length }, isText);
  }

  #miss(event: RunEvent, run: LiveRun | null): void {
    const waiting = this.#waiting.get(event.run_id);
    if (waiting !== undefined) {
      waiting.push(event);
      return;
    }
    this.#waiting.set(event.run_id, [event]);
    if (run !== null) this.#keep({ ...run, isBehind: true }, false);
    void this.#fetch(event.run_id);
  }

  async #fetch(runId: string): Promise<void> {
    try {
      const run = await this.#around.fetchRun(runId);
      const held = this.#byId.get(runId);
      // What was asked for is by nature at least as new as what we hold.
      if (held?.isBehind) this.#byId.set(runId, { ...held, isBehind: false });
      this.take(run);
    } catch {
      // The next event (or the next join) asks again.
      this.#waiting.delete(runId);
      const held = this.#byId.get(runId);
      if (held !== undefined) this.#byId.set(runId, { ...held, isBehind: false });
    }
  }

  #keep(run: LiveRun, isText: boolean): void {
    this.#byId.set(run.id, run);
    this.#around.changed(run, isText);
  }
}

/** Whether a RUN_FINISHED tells of a run that was stopped. */
function isCancelled(event: RunEvent): boolean {
  return (event.outcome as { type?: unknown } | undefined)?.type === "cancelled";
}

/** The run after one event that is known to be the next. */
function stepped(run: LiveRun, event: RunEvent): LiveRun {
  switch (event.type) {
    case "RUN_STARTED":
      return { ...run, ...(event.run as Partial<Run>), text: run.text, status: "running" };
    case "TEXT_MESSAGE_CONTENT": {
      const known = run.text.length - event.offset;
      return { ...run, text: run.text + String(event.delta ?? "").slice(known) };
    }
    case "RUN_FINISHED":
      return { ...run, status: isCancelled(event) ? "cancelled" : "finished" };
    case "RUN_ERROR":
      return {
        ...run,
        status: INTERRUPTIONS.has(String(event.code)) ? "interrupted" : "error",
        error: { code: String(event.code ?? ""), message: String(event.message ?? "") },
      };
    default:
      return { ...run, parts: partsAfter(run.parts, event) };
  }
}

const INTERRUPTIONS = new Set(["interrupted", "server_restarted"]);

/** The steps of a run after an event of one of them; other types change nothing. */
export function partsAfter(parts: readonly ToolCall[], event: RunEvent): ToolCall[] {
  const value = (event.value ?? {}) as { tool_call_id?: string; approval?: Approval };
  const id = String(event.toolCallId ?? value.tool_call_id ?? "");
  if (event.type === "TOOL_CALL_START") return [...parts, startedCall(id, event)];
  return parts.map((part) =>
    part.id === id ? { ...part, ...changeOf(part, event, value) } : part,
  );
}

function startedCall(id: string, event: RunEvent): ToolCall {
  const name = String(event.toolCallName ?? "");
  return {
    type: "tool",
    id,
    name,
    title: String(event.title ?? "") || name,
    offset: event.offset,
    arguments: {},
    status: "running",
    result: null,
    approval: null,
  };
}

function changeOf(
  part: ToolCall,
  event: RunEvent,
  { approval }: { approval?: Approval },
): Partial<ToolCall> {
  switch (event.type) {
    case "TOOL_CALL_ARGS":
      return argumentsAfter(part, String(event.delta ?? ""));
    case "TOOL_CALL_RESULT":
      return {
        status: (event.status as ToolCall["status"] | undefined) ?? "done",
        result: String(event.content ?? ""),
      };
    case "CUSTOM":
      if (approval === undefined) return {};
      return { approval, status: approval.state === "waiting" ? "waiting_approval" : "running" };
    default:
      return {};
  }
}

/** Arguments may come in pieces: they count once the pieces make sense together. */
function argumentsAfter(part: ToolCall, delta: string): Partial<ToolCall> {
  const raw = (part.raw ?? "") + delta;
  try {
    return { raw, arguments: JSON.parse(raw) as Record<string, unknown> };
  } catch {
    return { raw };
  }
}
