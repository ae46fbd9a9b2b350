/** How attentive somebody is at one of their devices; the most attentive first. */
export const ACTIVITIES = ["active", "idle", "away"] as const;

export type Activity = (typeof ACTIVITIES)[number];

/** What a dot shows. */
export type Attendance = Activity | "offline";

/** A person's own line; `expires_at` in unix seconds. */
export interface StatusLine {
  text: string;
  emoji: string;
  expires_at: number | null;
}

/** One connection of a person, as the server tells of it. */
export interface Meta {
  phx_ref: string;
  username: string;
  activity: Activity;
  status?: StatusLine | null;
  online_at: string;
  /** In rooms: whether this page of it is before their eyes. */
  viewing?: boolean;
  /** Only of oneself: the others do not see it. */
  hidden?: boolean;
}

/** Somebody who is here, whatever the number of their tabs and devices. */
export interface PresentPerson {
  id: number;
  username: string;
  activity: Activity;
  status: StatusLine | null;
  isViewing: boolean;
  isHidden: boolean;
}

/** One person out of all their connections: as attentive as the most attentive of them. */
export function personOf(key: string, metas: readonly Meta[]): PresentPerson {
  const activity = ACTIVITIES.find((each) => metas.some((meta) => meta.activity === each));
  return {
    id: Number(key),
    username: metas[0]?.username ?? "",
    // An activity that is newer than this page is no reason to call somebody absent.
    activity: activity ?? "active",
    status: metas.find(({ status }) => status)?.status ?? null,
    isViewing: metas.some(({ viewing }) => viewing === true),
    isHidden: metas.some(({ hidden }) => hidden === true),
  };
}

/** The line as it stands at `now`: null once it is over. */
export function statusAt(status: StatusLine | null, now: Date): StatusLine | null {
  if (status === null || (status.text === "" && status.emoji === "")) return null;
  const isOver = status.expires_at !== null && status.expires_at * 1_000 <= now.getTime();
  return isOver ? null : status;
}

const WORDS: Readonly<Record<Attendance, string>> = {
  active: "active",
  idle: "idle",
  away: "away",
  offline: "offline",
};

/** The state in words; nothing while it is not known. */
export function wordsOf(attendance: Attendance | undefined): string {
  return attendance === undefined ? "" : WORDS[attendance];
}

/** Who stands first: the most attentive, then by name. */
export function byAttendance(one: PresentPerson, other: PresentPerson): number {
  const rank = ACTIVITIES.indexOf(one.activity) - ACTIVITIES.indexOf(other.activity);
  return rank || one.username.localeCompare(other.username);
}
