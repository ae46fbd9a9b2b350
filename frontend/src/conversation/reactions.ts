import type { Reaction } from "./message";

/** The few that one click offers; the picker has more. */
export const QUICK_EMOJI = ["👍", "❤️", "😄", "🎉", "👀", "✅"] as const;

/** The reactions after `userId` has put `emoji` there; once is as good as twice. */
export function withReaction(
  reactions: readonly Reaction[],
  emoji: string,
  userId: number,
): Reaction[] {
  const found = reactions.find((reaction) => reaction.emoji === emoji);
  if (found === undefined) {
    // In the order of their emoji, as the server gives them: every page shows the same.
    return [...reactions, { emoji, user_ids: [userId] }].sort((one, other) =>
      one.emoji < other.emoji ? -1 : 1,
    );
  }
  if (found.user_ids.includes(userId)) return [...reactions];
  const grown = { emoji, user_ids: [...found.user_ids, userId].sort((one, other) => one - other) };
  return reactions.map((reaction) => (reaction === found ? grown : reaction));
}

/** The reactions after `userId` has taken `emoji` away; an emoji that nobody means is gone. */
export function withoutReaction(
  reactions: readonly Reaction[],
  emoji: string,
  userId: number,
): Reaction[] {
  return reactions
    .map((reaction) =>
      reaction.emoji === emoji
        ? { emoji, user_ids: reaction.user_ids.filter((id) => id !== userId) }
        : reaction,
    )
    .filter((reaction) => reaction.user_ids.length > 0);
}

/** "You and grace", "ada, grace and 3 others": who means it, the reader first. */
export function namesOf(
  userIds: readonly number[],
  ownId: number,
  nameOf: (id: number) => string,
): string {
  const MOST = 5;
  const others = userIds.filter((id) => id !== ownId).map(nameOf);
  const names = userIds.includes(ownId) ? ["You", ...others] : others;
  const rest = names.length - MOST;
  const shown =
    rest > 0 ? [...names.slice(0, MOST), rest === 1 ? "1 other" : `${rest} others`] : names;
  return new Intl.ListFormat("en", { type: "conjunction" }).format(shown);
}
