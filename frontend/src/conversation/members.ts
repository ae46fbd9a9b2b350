import type { People } from "../presence/attendance";
import { wordsOf } from "../presence/person";
import { statusText } from "../presence/status_line";
import type { Member } from "./message";

const FACES = 3;

/** The people of the conversation in the details column, kept as its topics tell of them. */
export class MemberList {
  readonly #element: HTMLElement;
  readonly #template: HTMLTemplateElement;
  readonly #ownId: number;
  #members = new Map<number, Member>();
  #people: People | null = null;

  constructor(element: HTMLElement, ownId: number) {
    this.#element = element;
    this.#ownId = ownId;
    const template = document.querySelector<HTMLTemplateElement>("#member-template");
    if (template === null) throw new Error("the page has no template of a member");
    this.#template = template;
  }

  /** Starts from the list that a join gives. */
  replace(members: readonly Member[]): void {
    this.#members = new Map(members.map((member) => [member.id, member]));
    this.#draw();
  }

  /** Follows one fact of the topic. */
  apply(event: string, member: Member): void {
    if (event === "member_removed") this.#members.delete(member.id);
    else this.#members.set(member.id, member);
    this.#draw();
  }

  /** Shows how each of them is here; the rows stay where they are, only the faces at the top change places. */
  show(people: People | null): void {
    this.#people = people;
    for (const row of this.#element.querySelectorAll<HTMLElement>("[data-person]")) {
      this.#showPresence(row, Number(row.dataset.person));
    }
    this.#drawFaces();
  }

  #draw(): void {
    this.#element.replaceChildren(
      ...[...this.#members.values()].map((member) => this.#row(member)),
    );
    this.#drawFaces();
    for (const place of document.querySelectorAll("[data-member-count]")) {
      place.textContent = String(this.#members.size);
    }
  }

  #drawFaces(): void {
    const members = [...this.#members.values()];
    if (members.length === 0) return;
    const isHere = ({ id }: Member): boolean => this.#people?.find(id) !== undefined;
    const here = members.filter(isHere);
    const first = [...here, ...members.filter((member) => !isHere(member))].slice(0, FACES);
    const faces = first.flatMap((member) => this.#row(member).querySelector(".avatar") ?? []);
    document.querySelector("[data-faces]")?.replaceChildren(...faces);
    for (const place of document.querySelectorAll<HTMLElement>("[data-here-count]")) {
      place.textContent = this.#people === null ? "" : `, ${here.length} online`;
    }
  }

  #row(member: Member): DocumentFragment {
    const row = this.#template.content.cloneNode(true) as DocumentFragment;
    const item = row.querySelector<HTMLElement>("[data-person]");
    const avatar = row.querySelector<HTMLElement>(".avatar");
    const name = row.querySelector<HTMLElement>("[data-name]");
    const role = row.querySelector<HTMLElement>("[data-role]");
    if (item !== null) item.dataset.person = String(member.id);
    if (avatar !== null) {
      avatar.dataset.hue = String(member.id % 8);
      avatar.textContent = [...member.username].slice(0, 1).join("").toLocaleUpperCase();
    }
    if (name !== null) name.textContent = member.username;
    const notes = [member.id === this.#ownId ? "you" : "", member.role === "owner" ? "owner" : ""];
    const note = notes.filter((text) => text !== "").join(" · ");
    if (role !== null) role.textContent = note;
    if (item !== null) this.#showPresence(item, member.id);
    return row;
  }

  #showPresence(row: HTMLElement, id: number): void {
    const attendance = this.#people?.of(id);
    const isViewing = this.#people?.isViewing(id) === true;
    const words = isViewing
      ? `${wordsOf(attendance)}, viewing this conversation`
      : wordsOf(attendance);
    row.toggleAttribute("data-viewing", isViewing);
    const avatar = row.querySelector<HTMLElement>(".avatar");
    if (attendance === undefined) delete avatar?.dataset.presence;
    else if (avatar !== null) avatar.dataset.presence = attendance;
    row.title = words;
    setText(row, "[data-attendance]", words === "" ? "" : `, ${words}`);
    setText(row, "[data-status]", statusText(this.#people?.find(id)?.status ?? null, new Date()));
  }
}

function setText(row: HTMLElement, selector: string, text: string): void {
  const place = row.querySelector(selector);
  if (place !== null && place.textContent !== text) place.textContent = text;
}
