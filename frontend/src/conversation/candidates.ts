import { type Candidate, OWN_COMMANDS, type Trigger } from "./completion";
import type { Heading } from "./message";
import type { ConversationState } from "./state";

/** Whether the text begins with a command that the server knows. */
export function isCommand(body: string, { commands }: Pick<Heading, "commands">): boolean {
  const name = /^\/([\w-]+)(?:\s|$)/u.exec(body)?.[1];
  return name !== undefined && (commands ?? []).some((command) => command.name === name);
}

/** The people and commands that can be written here. */
export function candidatesFor(
  kind: Trigger["kind"],
  { heading, members, user }: Pick<ConversationState, "heading" | "members" | "user">,
): Candidate[] {
  if (kind === "command") {
    return (heading.commands ?? OWN_COMMANDS).map(({ name, usage, description }) => ({
      text: `/${name}`,
      title: usage,
      detail: description,
      kind: "command",
    }));
  }
  const people: Candidate[] = [...members.values()]
    .filter(({ id }) => id !== user.id)
    .map(({ id, username }) => ({
      text: `@${username}`,
      title: username,
      detail: "",
      kind: "person",
      id,
    }));
  if (heading.assistant === "off") return people;
  const detail =
    heading.backend?.kind === "openai"
      ? (heading.backend.model ?? "")
      : "searches and looks things up";
  return [...people, { text: "@assistant", title: "assistant", detail, kind: "assistant" }];
}
