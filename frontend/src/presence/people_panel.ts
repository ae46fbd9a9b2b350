import { html, LitElement, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { icon } from "../icon";
import { clockTime, hourCycleOf } from "../times";
import { type Attendance, byAttendance, type PresentPerson, wordsOf } from "./person";
import type { Knowledge } from "./roster";
import { nextEndMs, statusLine } from "./status_line";
import type { Place } from "./whereabouts";

const FACES = 4;
/** A timer cannot wait longer than that. */
const LONGEST_MS = 2_000_000_000;

/** Somebody from the reader's conversations, here or not. */
export interface Acquaintance {
  id: number;
  username: string;
  last_seen: string | null;
}

/**
 * `<people-panel>`: who is online, and when the others were last.
 *
 * The reader stands first, with a way to set their status; then who is here, the most attentive
 * first; then who is not. Asks for the status dialog by a `set-status` event.
 */
export class PeoplePanel extends LitElement {
  static override properties = {
    knowledge: { attribute: false },
    problem: { attribute: false },
    asOf: { attribute: false },
    places: { attribute: false },
    isOpen: { attribute: false },
  };

  declare knowledge: Knowledge;
  /** Why nobody can be shown. */
  declare problem: string;
  /** When the line went; null while it is there. */
  declare asOf: Date | null;
  /** Which of the reader's conversations they have before their eyes. */
  declare places: ReadonlyMap<number, Place>;
  declare isOpen: boolean;
  /** The reader. */
  user: { id: number; username: string } = { id: 0, username: "" };
  /** The people of the reader's conversations. */
  acquaintances: readonly Acquaintance[] = [];
  readonly #seenAt = new Map<number, string>();
  #shown: ReadonlyMap<number, PresentPerson> = new Map();
  #timer = 0;

  constructor() {
    super();
    this.knowledge = { kind: "loading" };
    this.problem = "";
    this.asOf = null;
    this.places = new Map();
    this.isOpen = false;
  }

  protected override createRenderRoot(): HTMLElement {
    this.replaceChildren();
    return this;
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("knowledge") || this.knowledge.kind !== "people") return;
    const { people } = this.knowledge;
    const now = new Date().toISOString();
    for (const id of this.#shown.keys()) if (!people.has(id)) this.#seenAt.set(id, now);
    this.#shown = people;
  }

  protected override updated(): void {
    this.dispatchEvent(new CustomEvent("time-changed", { bubbles: true }));
    window.clearTimeout(this.#timer);
    const statuses = [...this.#shown.values()].map(({ status }) => status);
    const endMs = nextEndMs(statuses, new Date());
    if (endMs === null) return;
    const wait = Math.min(endMs + 50, LONGEST_MS);
    this.#timer = window.setTimeout(() => this.requestUpdate(), wait);
  }

  protected override render(): TemplateResult {
    return html`<details
      class="people"
      .open=${this.isOpen}
      ?data-stale=${this.asOf !== null}
      @toggle=${(event: Event) => {
        this.isOpen = (event.target as HTMLDetailsElement).open;
      }}
    >
      <summary class="people-head">
        <h2 id="people-title">People</h2>
        ${this.#faces()}<span class="people-count number">${this.#summary()}</span>${icon("unfold")}
      </summary>
      ${this.#notice()}
      <ul class="people-list" aria-labelledby="people-title" aria-busy=${this.#isLoading}>
        ${this.#own()} ${this.#others()}
      </ul>
    </details>`;
  }

  get #isLoading(): boolean {
    return this.knowledge.kind === "loading" && this.problem === "" && this.asOf === null;
  }

  get #here(): PresentPerson[] {
    if (this.knowledge.kind !== "people") return [];
    return [...this.knowledge.people.values()]
      .filter(({ id }) => id !== this.user.id)
      .sort(byAttendance);
  }

  #summary(): string {
    const { knowledge } = this;
    if (knowledge.kind === "loading") return "";
    const count = knowledge.kind === "count" ? knowledge.count : this.#shownCount;
    return `${new Intl.NumberFormat().format(count)} online`;
  }

  /** Whoever appears offline is not one of those who are online, not even to themselves. */
  get #shownCount(): number {
    return [...this.#shown.values()].filter(({ isHidden }) => !isHidden).length;
  }

  get #ownEntry(): PresentPerson | undefined {
    const { knowledge } = this;
    if (knowledge.kind === "count") return knowledge.own ?? undefined;
    return knowledge.kind === "people" ? knowledge.people.get(this.user.id) : undefined;
  }

  #faces(): TemplateResult {
    const faces = this.#here.slice(0, FACES);
    return html`<span class="avatar-stack people-faces" aria-hidden="true"
      >${faces.map((person) => avatar(person, person.activity))}</span
    >`;
  }

  #notice(): TemplateResult | typeof nothing {
    if (this.problem !== "") {
      return html`<p class="notice" data-tone="danger">
        ${icon("error")}<span>Who is online cannot be shown. ${this.problem}</span>
      </p>`;
    }
    if (this.asOf !== null) {
      const clock = clockTime(this.asOf, undefined, hourCycleOf(document.documentElement));
      const known = this.knowledge.kind === "loading" ? "" : ` This is as it was at ${clock}.`;
      return html`<p class="people-note">${icon("offline")}<span>Not connected.${known}</span></p>`;
    }
    if (this.knowledge.kind === "count") {
      return html`<p class="people-note">
        Too many people are online to name them all. Open a conversation to see who of it is here.
      </p>`;
    }
    return nothing;
  }

  #own(): TemplateResult {
    const own = this.#ownEntry;
    const line = statusLine(own?.status ?? null, new Date());
    const isHidden = own?.isHidden === true;
    const attendance = isHidden ? "offline" : own?.activity;
    return html`<li class="person" data-own>
      ${avatar(this.user, attendance)}
      <span class="person-main">
        <span class="person-name"
          >${this.user.username} <span class="tag">you</span>${isHidden ? nothing : spoken(attendance)}</span
        >
        ${line === nothing ? nothing : html`<span class="person-note">${line}</span>`}
        ${
          isHidden
            ? html`<a class="person-note person-hidden" href="/account/#privacy"
              >${icon("hidden")}You appear offline</a
            >`
            : nothing
        }
      </span>
      <a
        class="button person-set"
        data-kind="quiet"
        href="/presence/status/"
        @click=${(event: Event) => this.#ask(event)}
        >${line === nothing ? "Set status" : html`Edit<span class="visually-hidden"> status</span>`}</a
      >
    </li>`;
  }

  #others(): unknown {
    if (this.knowledge.kind === "count" || this.problem !== "") return nothing;
    if (this.knowledge.kind === "loading") {
      if (this.asOf !== null) return this.acquaintances.map((one) => this.#absent(one, undefined));
      return [0, 1, 2].map(
        () => html`<li class="person person-skeleton" aria-hidden="true"><i></i><b></b></li>`,
      );
    }
    const { people } = this.knowledge;
    const absent = this.acquaintances.filter(({ id }) => !people.has(id) && id !== this.user.id);
    const here = this.#here;
    if (here.length === 0 && absent.length === 0) {
      return html`<li class="people-note">
        Nobody else is here. People appear as soon as they open the site.
      </li>`;
    }
    return html`${repeat(
      here,
      ({ id }) => id,
      (one) => this.#present(one),
    )}${
      absent.length === 0
        ? nothing
        : html`<li class="people-absent">
            Not here <span class="number">${absent.length}</span>
          </li>`
    }${repeat(
      latestFirst(absent, (one) => this.#seenAt.get(one.id) ?? one.last_seen),
      ({ id }) => id,
      (one) => this.#absent(one, "offline"),
    )}`;
  }

  #present(person: PresentPerson): TemplateResult {
    const line = statusLine(person.status, new Date());
    const place = this.places.get(person.id);
    return html`<li class="person">
      ${avatar(person, person.activity)}
      <span class="person-main">
        <span class="person-name"
          >${person.username}${line === nothing && !place ? nothing : spoken(person.activity)}</span
        >
        ${line === nothing ? nothing : html`<span class="person-note">${line}</span>`}
        ${place === undefined ? nothing : whereabouts(place)}
        ${
          line === nothing && place === undefined
            ? html`<span class="person-note">${capital(wordsOf(person.activity))}</span>`
            : nothing
        }
      </span>
    </li>`;
  }

  #absent(person: Acquaintance, attendance: Attendance | undefined): TemplateResult {
    const seen = this.#seenAt.get(person.id) ?? person.last_seen;
    return html`<li class="person" data-absent>
      ${avatar(person, attendance)}
      <span class="person-main">
        <span class="person-name">${person.username}</span>
        <span class="person-note"
          >${
            seen === null
              ? capital(wordsOf(attendance))
              : html`Last seen <time datetime=${seen} data-relative></time>`
          }</span
        >
      </span>
    </li>`;
  }

  #ask(event: Event): void {
    const asked = new CustomEvent("set-status", { bubbles: true, cancelable: true });
    // Nobody took it: the link leads to a page that does the same.
    if (!this.dispatchEvent(asked)) event.preventDefault();
  }
}

/** Whoever was here lately stands first; of whom nothing is known, last and by name. */
function latestFirst(
  people: readonly Acquaintance[],
  seenAt: (person: Acquaintance) => string | null,
): Acquaintance[] {
  const key = (person: Acquaintance): number => Date.parse(seenAt(person) ?? "") || 0;
  return people.toSorted(
    (one, other) => key(other) - key(one) || one.username.localeCompare(other.username),
  );
}

function whereabouts(place: Place): TemplateResult {
  const [, id] = place.topic.split(":");
  return html`<a
    class="person-note person-place"
    href=${`/conversations/${id}/`}
    title=${place.title}
    >in <span dir="auto">${place.title}</span></a
  >`;
}

function avatar(
  person: { id: number; username: string },
  attendance: Attendance | undefined,
): TemplateResult {
  return html`<span
    class="avatar"
    data-hue=${person.id % 8}
    data-presence=${attendance ?? nothing}
    aria-hidden="true"
    >${[...person.username].slice(0, 1).join("").toLocaleUpperCase()}</span
  >`;
}

function spoken(attendance: Attendance | undefined): TemplateResult | typeof nothing {
  if (attendance === undefined) return nothing;
  return html`<span class="visually-hidden">, ${wordsOf(attendance)}</span>`;
}

function capital(word: string): string {
  return word.slice(0, 1).toLocaleUpperCase() + word.slice(1);
}

customElements.define("people-panel", PeoplePanel);
