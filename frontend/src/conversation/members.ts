import type { Member } from "./message";

const FACES = 3;

/** The people of the conversation in the details column, kept as the topic tells of them. */
export class MemberList {
  readonly #element: HTMLElement;
  readonly #template: HTMLTemplateElement;
  readonly #ownId: number;
  #members = new Map<number, Member>();

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

  #draw(): void {
    this.#element.replaceChildren(
      ...[...this.#members.values()].map((member) => this.#row(member)),
    );
    document.querySelector("[data-faces]")?.replaceChildren(...this.#faces());
    for (const place of document.querySelectorAll("[data-member-count]")) {
      place.textContent = String(this.#members.size);
    }
  }

  #faces(): Node[] {
    const first = [...this.#members.values()].slice(0, FACES);
    return first.flatMap((member) => this.#row(member).querySelector(".avatar") ?? []);
  }

  #row(member: Member): DocumentFragment {
    const row = this.#template.content.cloneNode(true) as DocumentFragment;
    const avatar = row.querySelector<HTMLElement>(".avatar");
    const name = row.querySelector<HTMLElement>("[data-name]");
    const role = row.querySelector<HTMLElement>("[data-role]");
    if (avatar !== null) {
      avatar.dataset.hue = String(member.id % 8);
      avatar.textContent = [...member.username].slice(0, 1).join("").toLocaleUpperCase();
    }
    if (name !== null) name.textContent = member.username;
    const notes = [member.id === this.#ownId ? "you" : "", member.role === "owner" ? "owner" : ""];
    const note = notes.filter((text) => text !== "").join(" · ");
    if (role !== null) role.textContent = note;
    return row;
  }
}
