"""The cursors of one process: the latest place of each connection, and when it may be told. Pure: `now` is given.

A move is told at once when the connection was silent for a moment; else it waits, and what comes meanwhile replaces it:
at most `per_s` a second for one connection and `per_topic_s` for all of a topic together, whoever waits longest first.
A cursor that does not move for `patience_s` is gone.
"""

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

BURST_S = 0.05
"""What a topic did not tell in so long it may tell at once: timers are not exact."""

Key = tuple[str, str]
"""Topic and connection."""


class Pace(msgspec.Struct, frozen=True):
    """How often cursors are told, and how long they last."""

    per_s: float = 20.0
    per_topic_s: float = 400.0
    patience_s: float = 60.0


class Cursor(msgspec.Struct, eq=False):
    """One connection's cursor; `body` is opaque here."""

    topic: str
    connection: str
    body: bytes
    moved_at: float
    told_at: float = float("-inf")


class _Topic:
    __slots__ = ("cursors", "free_at", "waiting")

    def __init__(self) -> None:
        self.cursors: dict[str, Cursor] = {}
        self.waiting: OrderedDict[str, Cursor] = OrderedDict()
        self.free_at = float("-inf")


class Cursors:
    """What is pointed at through this process. What the calls return is to be told now."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._by_age: OrderedDict[Key, Cursor] = OrderedDict()
        self.conflated = 0
        """How many moves were never told, for a later one took their place."""

    def __len__(self) -> int:
        return len(self._by_age)

    def on(self, topic: str) -> list[Cursor]:
        """All cursors of a topic, at their latest place."""
        found = self._topics.get(topic)
        return [] if found is None else list(found.cursors.values())

    def topics(self) -> list[str]:
        """The topics that have cursors."""
        return list(self._topics)

    def move(self, key: Key, body: bytes, now: float, pace: Pace) -> Cursor | None:
        """A connection points somewhere: its cursor when that may be told now, else it is `due` later."""
        name, connection = key
        topic = self._topics.setdefault(name, _Topic())
        cursor = topic.cursors.get(connection)
        if cursor is None:
            cursor = topic.cursors[connection] = Cursor(name, connection, body, now)
        cursor.body = body
        cursor.moved_at = now
        self._by_age[key] = cursor
        self._by_age.move_to_end(key)
        if connection in topic.waiting:
            self.conflated += 1
        elif not topic.waiting and self._ready_at(topic, cursor, pace) <= now:
            return self._tell(topic, cursor, now, pace)
        else:
            topic.waiting[connection] = cursor
        return None

    def due(self, now: float, pace: Pace) -> Iterator[Cursor]:
        """Those who have waited long enough."""
        for topic in self._topics.values():
            while topic.waiting:
                cursor = next(iter(topic.waiting.values()))
                if self._ready_at(topic, cursor, pace) > now:
                    break
                del topic.waiting[cursor.connection]
                yield self._tell(topic, cursor, now, pace)

    def wake_at(self, pace: Pace) -> float:
        """When `due` has something next; infinity when nothing waits."""
        return min(
            (
                self._ready_at(topic, next(iter(topic.waiting.values())), pace)
                for topic in self._topics.values()
                if topic.waiting
            ),
            default=float("inf"),
        )

    def leave(self, key: Key) -> Cursor | None:
        """The connection points nowhere any more; its cursor, if it had one."""
        cursor = self._by_age.pop(key, None)
        if cursor is None:
            return None
        topic = self._topics[cursor.topic]
        del topic.cursors[cursor.connection]
        topic.waiting.pop(cursor.connection, None)
        if not topic.cursors:
            del self._topics[cursor.topic]
        return cursor

    def expire(self, now: float, pace: Pace) -> Iterator[Cursor]:
        """Takes away the cursors that have not moved for too long. Costs what it returns."""
        while self._by_age:
            key, oldest = next(iter(self._by_age.items()))
            if oldest.moved_at + pace.patience_s > now:
                return
            self.leave(key)
            yield oldest

    @staticmethod
    def _ready_at(topic: _Topic, cursor: Cursor, pace: Pace) -> float:
        return max(topic.free_at, cursor.told_at + 1 / pace.per_s)

    @staticmethod
    def _tell(topic: _Topic, cursor: Cursor, now: float, pace: Pace) -> Cursor:
        topic.free_at = max(topic.free_at, now - BURST_S) + 1 / pace.per_topic_s
        cursor.told_at = now
        return cursor
