import { html, LitElement, nothing, type TemplateResult } from "lit";
import { type IconName, icon } from "../icon";
import type { EndReason, Link } from "./link";

/** A first connect this quick needs no words. */
const QUIET_MS = 2_500;

interface Notice {
  tone: "info" | "warning" | "danger";
  icon: IconName;
  text: string;
  action?: TemplateResult;
}

/**
 * `<connection-line>`: the slim line that says what is not normal about the connection.
 *
 * It lies over the content, so nothing moves when it comes or goes. The countdown is for the eye; a
 * screen reader hears each state once.
 */
export class ConnectionLine extends LitElement {
  static override properties = {
    link: { attribute: false },
    lastSeenAt: { attribute: false },
    closed: { attribute: false },
  };

  declare link: Link;
  /** When the page last heard from the server; what is shown is as old as that. */
  declare lastSeenAt: Date | null;
  /** Why there is nothing more for the reader here, though the line may be fine; empty while there is. */
  declare closed: string;
  #since = Date.now();
  #ticker = 0;

  constructor() {
    super();
    this.link = { state: "connecting" };
    this.lastSeenAt = null;
    this.closed = "";
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#ticker = window.setInterval(() => {
      if (this.link.state === "waiting" || this.link.state === "connecting") this.requestUpdate();
    }, 500);
  }

  override disconnectedCallback(): void {
    window.clearInterval(this.#ticker);
    super.disconnectedCallback();
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    const before = changed.get("link") as Link | undefined;
    if (before !== undefined && before.state !== this.link.state) this.#since = Date.now();
    this.dataset.state = this.link.state;
  }

  protected override render(): TemplateResult | typeof nothing {
    const notice = this.#notice();
    if (notice === null) return nothing;
    return html`<div class="connection-notice" data-tone=${notice.tone}>
      ${icon(notice.icon)}<span>${notice.text}</span>${notice.action ?? nothing}
    </div>`;
  }

  #notice(): Notice | null {
    const { link } = this;
    if (this.closed !== "" && link.state !== "ended") return closed(this.closed);
    if (link.state === "open") return null;
    if (link.state === "connecting") {
      const isLong = Date.now() - this.#since > QUIET_MS;
      return isLong ? { tone: "info", icon: "reconnect", text: "Connecting…" } : null;
    }
    if (link.state === "offline") {
      const asOf = this.lastSeenAt === null ? "" : ` Last update ${clock(this.lastSeenAt)}.`;
      return {
        tone: "warning",
        icon: "offline",
        text: `You are offline.${asOf} What you write is kept and sent when you are back.`,
      };
    }
    return link.state === "waiting" ? this.#waiting(link) : ended(link.reason);
  }

  #waiting(link: Extract<Link, { state: "waiting" }>): Notice {
    const seconds = Math.ceil((link.retryAt - Date.now()) / 1_000);
    const when = seconds > 0 ? `Trying again in ${seconds} s` : "Trying again…";
    const why = {
      lost: "Connection lost.",
      restarting: "The server is restarting.",
      busy: "The server is busy.",
    }[link.reason];
    return {
      tone: "warning",
      icon: "reconnect",
      text: `${why} ${when}`,
      action: html`<button class="link-button" type="button" @click=${() => this.#ask("retry")}>
        Try now
      </button>`,
    };
  }

  #ask(name: string): void {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true }));
  }
}

/** The state of the line in one sentence, for a live region; empty when all is well again. */
export function spokenLink(link: Link): string {
  if (link.state === "waiting") return "Connection lost. Reconnecting.";
  if (link.state === "offline") return "You are offline. What you write is kept.";
  return link.state === "ended" ? ended(link.reason).text : "";
}

function closed(text: string): Notice {
  return {
    tone: "danger",
    icon: "error",
    text,
    action: html`<a class="link-button" href="/">Go to my conversations</a>`,
  };
}

function ended(reason: EndReason): Notice {
  if (reason === "signed_out") {
    const next = encodeURIComponent(window.location.pathname);
    return {
      tone: "danger",
      icon: "logout",
      text: "You are signed out here. What you wrote is kept in this browser.",
      action: html`<a class="link-button" href=${`/login/?next=${next}`}>Sign in again</a>`,
    };
  }
  const reload = html`<button
    class="link-button"
    type="button"
    @click=${() => window.location.reload()}
  >
    Reload
  </button>`;
  const texts = {
    forbidden: "You may not connect any more.",
    too_many: "Too many pages of yours are open. Close some, then reload.",
    outdated: "This page is out of date.",
  };
  return { tone: "danger", icon: "error", text: texts[reason], action: reload };
}

function clock(date: Date): string {
  return new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(date);
}

customElements.define("connection-line", ConnectionLine);
