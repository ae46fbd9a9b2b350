/** join_ref, ref, topic, event, payload. */
type Frame = [string | null, string | null, string, string, unknown];

/** A line whose other end is the test. */
export class FakeLine {
  static lines: FakeLine[] = [];
  static get newest(): FakeLine {
    const line = FakeLine.lines.at(-1);
    if (line === undefined) throw new Error("nobody has connected");
    return line;
  }

  readyState = 0;
  bufferedAmount = 0;
  onopen: () => void = () => undefined;
  onerror: (error: unknown) => void = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: (event: { code: number; reason: string; wasClean: boolean }) => void = () => undefined;

  constructor() {
    FakeLine.lines.push(this);
  }

  /** What was sent and has not been answered, oldest first. */
  readonly sent: Frame[] = [];

  send(wire: string): void {
    this.sent.push(JSON.parse(wire) as Frame);
  }

  /** The events that were sent on a topic. */
  eventsOn(topic: string): string[] {
    return this.sent.filter((frame) => frame[2] === topic).map((frame) => frame[3]);
  }

  /** Answers the first such push that has no answer yet. */
  reply(topic: string, event: string, response: object, status = "ok"): void {
    const at = this.sent.findIndex((frame) => frame[2] === topic && frame[3] === event);
    const [push] = this.sent.splice(at, 1);
    if (at === -1 || push === undefined) throw new Error(`no ${event} on ${topic} was sent`);
    const payload = { status, response };
    this.onmessage({ data: JSON.stringify([push[0], push[1], topic, "phx_reply", payload]) });
  }

  close(code = 1005): void {
    this.end(code);
  }

  accept(): void {
    this.readyState = 1;
    this.onopen();
  }

  tell(topic: string, event: string, payload: object): void {
    this.onmessage({ data: JSON.stringify([null, null, topic, event, payload]) });
  }

  end(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose({ code, reason: "", wasClean: code !== 1006 });
  }
}
