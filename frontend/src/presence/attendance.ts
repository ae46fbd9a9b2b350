import type { Attendance, PresentPerson } from "./person";
import type { Roster } from "./roster";

/** Who is here and how, as a page shows it: one answer for all its faces. */
export interface People {
  /** Undefined while nothing is known. */
  of: (id: number) => Attendance | undefined;
  find: (id: number) => PresentPerson | undefined;
  /** Whether they have this room before their eyes. */
  isViewing: (id: number) => boolean;
}

/**
 * What the first roster that names people knows; null when none does.
 *
 * The site's is asked first: somebody who has another page open is here all the same. Where too
 * many are at the site to be named, a conversation's own roster still names its people.
 */
export function seenIn(...rosters: readonly Pick<Roster, "knowledge">[]): People | null {
  for (const { knowledge } of rosters) {
    if (knowledge.kind !== "people") continue;
    const { people } = knowledge;
    return {
      of: (id) => people.get(id)?.activity ?? "offline",
      find: (id) => people.get(id),
      isViewing: (id) =>
        rosters.some(
          (one) => one.knowledge.kind === "people" && one.knowledge.people.get(id)?.isViewing,
        ),
    };
  }
  return null;
}
