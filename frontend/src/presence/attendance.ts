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
 * What rosters that name people know together; null when none does.
 *
 * The site's is asked first: somebody who has another page open is here all the same. Where too
 * many are at the site to be named, or somebody is not to be seen there, a conversation's own roster
 * still names its people.
 */
export function seenIn(...rosters: readonly Pick<Roster, "knowledge">[]): People | null {
  const known = rosters.flatMap(({ knowledge }) =>
    knowledge.kind === "people" ? [knowledge.people] : [],
  );
  if (known.length === 0) return null;
  const find = (id: number): PresentPerson | undefined =>
    known.find((people) => people.has(id))?.get(id);
  return {
    of: (id) => find(id)?.activity ?? "offline",
    find,
    isViewing: (id) => known.some((people) => people.get(id)?.isViewing),
  };
}
