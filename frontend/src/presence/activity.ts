import type { Activity } from "./person";

const IDLE_AFTER_MS = 5 * 60_000;
const AWAY_AFTER_MS = 10 * 60_000;
/** The others need not hear of every twitch. */
const BETWEEN_MS = 5_000;
/** The server takes a page that says nothing for idle: while there is input it is told so again. */
const AGAIN_MS = 60_000;

/** Time, as a test may want to move it. */
export interface Clock {
  now: () => number;
  wait: (callback: () => void, ms: number) => number;
  cancel: (timer: number) => void;
}

/**
 * How attentive the reader is on this page.
 *
 * Active while there is input; idle five minutes after the last; away when the page has been hidden
 * for ten. Each change is told once, and at most one every five seconds; that somebody is still
 * active, once a minute.
 */
export class ActivityWatch {
  readonly #clock: Clock;
  readonly #tell: (activity: Activity) => void;
  #inputAt: number;
  #hiddenAt: number | null = null;
  #told: Activity = "active";
  #toldAt = Number.NEGATIVE_INFINITY;
  #knownAt: number;
  #timer = 0;

  constructor(clock: Clock, tell: (activity: Activity) => void) {
    this.#clock = clock;
    this.#tell = tell;
    this.#inputAt = clock.now();
    this.#knownAt = this.#inputAt;
    this.#look();
  }

  /** The last that was told. */
  get activity(): Activity {
    return this.#told;
  }

  /** The reader did something. */
  noticeInput(): void {
    this.#inputAt = this.#clock.now();
    // Cheap for every key and every move: the timer looks at the rest.
    if (this.#told !== "active") this.#look();
    else if (this.#inputAt - this.#knownAt >= AGAIN_MS) this.#say("active");
  }

  /** The page was shown or hidden; whoever turns to it is there. */
  setVisible(isVisible: boolean): void {
    if (isVisible) this.#inputAt = this.#clock.now();
    this.#hiddenAt = isVisible ? null : (this.#hiddenAt ?? this.#clock.now());
    this.#look();
  }

  #look(): void {
    this.#clock.cancel(this.#timer);
    const now = this.#clock.now();
    const awayIn =
      this.#hiddenAt === null ? Number.POSITIVE_INFINITY : this.#hiddenAt + AWAY_AFTER_MS - now;
    const idleIn = this.#inputAt + IDLE_AFTER_MS - now;
    const activity: Activity = awayIn <= 0 ? "away" : idleIn <= 0 ? "idle" : "active";
    const mayTellIn = this.#toldAt + BETWEEN_MS - now;
    if (activity !== this.#told && mayTellIn <= 0) {
      this.#told = activity;
      this.#toldAt = now;
      this.#say(activity);
    }
    const waits = [awayIn, idleIn].filter((ms) => ms > 0);
    if (activity !== this.#told) waits.push(mayTellIn);
    const next = Math.min(...waits);
    if (Number.isFinite(next)) this.#timer = this.#clock.wait(() => this.#look(), next);
  }

  #say(activity: Activity): void {
    this.#knownAt = this.#clock.now();
    this.#tell(activity);
  }
}

/** Watches the page's own keys, pointer and visibility. */
export function watchPage(tell: (activity: Activity) => void): ActivityWatch {
  const clock: Clock = {
    now: () => Date.now(),
    wait: (callback, ms) => window.setTimeout(callback, ms),
    cancel: (timer) => window.clearTimeout(timer),
  };
  const watch = new ActivityWatch(clock, tell);
  for (const event of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    document.addEventListener(event, () => watch.noticeInput(), { passive: true, capture: true });
  }
  const look = (): void => watch.setVisible(!document.hidden);
  document.addEventListener("visibilitychange", look);
  look();
  return watch;
}
