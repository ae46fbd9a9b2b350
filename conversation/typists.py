"""Who types where, as all processes know it together. Pure; `now` is in seconds of any steady clock.

Everybody types in one place of a conversation at a time. Each process (`origin`) says so for its
own sockets; somebody types as long as any process says so, and nobody for longer than the expiry
without saying it again.
"""

from typing import NamedTuple

WORTH_TELLING = 0.5
"""A word that goes on is told again once so much of what was told last is over."""


class Typist(NamedTuple):
    """Somebody who types: in the conversation itself, or in a thread."""

    user_id: int
    username: str
    thread_id: str | None
    until: float


Origins = dict[str, Typist]


class Typists:
    """The people who type, by conversation."""

    def __init__(self, expiry_s: float) -> None:
        self.expiry_s = expiry_s
        self._rooms: dict[str, dict[int, Origins]] = {}
        self._told: dict[str, dict[int, Typist]] = {}

    def start(self, room: str, origin: str, typist: Typist, now: float) -> bool:
        """Somebody types, until `typist.until` and no longer than the expiry; True when that is news."""
        typist = typist._replace(until=min(typist.until, now + self.expiry_s))
        self._rooms.setdefault(room, {}).setdefault(typist.user_id, {})[origin] = typist
        return self._is_news(room, typist.user_id, now)

    def stop(self, room: str, user_id: int, origin: str | None = None) -> bool:
        """A process (or with None: every process) says that somebody does not type any more; True when it is news."""
        people = self._rooms.get(room, {})
        origins = people.get(user_id, {})
        if origin is None:
            origins.clear()
        else:
            origins.pop(origin, None)
        self._tidy(room, user_id)
        return self._is_news(room, user_id)

    def expire(self, now: float) -> list[str]:
        """Forgets what nobody has said again in time; returns the conversations where that is news."""
        changed = []
        for room, people in list(self._rooms.items()):
            for user_id, origins in list(people.items()):
                for origin in [each for each, typist in origins.items() if typist.until <= now]:
                    del origins[origin]
                self._tidy(room, user_id)
            if any(self._is_news(room, user_id) for user_id in self._told.get(room, ())):
                changed.append(room)
        return changed

    def on(self, room: str, now: float) -> list[Typist]:
        """Who types there, in the order in which they began."""
        shown = (self._shown(room, user_id) for user_id in self._rooms.get(room, ()))
        return [typist for typist in shown if typist is not None and typist.until > now]

    def tell(self, room: str, now: float) -> list[Typist]:
        """The same; from here on it is what people were told."""
        typists = self.on(room, now)
        if typists:
            self._told[room] = {typist.user_id: typist for typist in typists}
        else:
            self._told.pop(room, None)
        return typists

    def is_typing(self, room: str, user_id: int) -> bool:
        """Whether anybody said so. Safe from any thread."""
        return user_id in self._rooms.get(room, {})

    def __len__(self) -> int:
        return sum(map(len, self._rooms.values()))

    def _shown(self, room: str, user_id: int) -> Typist | None:
        origins = self._rooms.get(room, {}).get(user_id)
        return max(origins.values(), key=lambda typist: typist.until) if origins else None

    def _is_news(self, room: str, user_id: int, now: float | None = None) -> bool:
        """Whether people were told otherwise; with `now`, also whether what they were told runs out."""
        shown, told = self._shown(room, user_id), self._told.get(room, {}).get(user_id)
        if shown is None or told is None:
            return shown is not told
        is_running_out = now is not None and told.until - now < WORTH_TELLING * self.expiry_s
        return is_running_out or shown.thread_id != told.thread_id

    def _tidy(self, room: str, user_id: int) -> None:
        people = self._rooms.get(room)
        if people is None:
            return
        if not people.get(user_id, True):
            del people[user_id]
        if not people:
            del self._rooms[room]
