"""The cursors of other processes, as they were told to this one. Pure: `now` is given.

Each process tells its own cursors and their end; one that is killed tells nothing. Its cursors end when presence says
that their connections are gone: then everybody else tells their own clients. And a newcomer need not ask for them.
"""

from collections import OrderedDict
from typing import NamedTuple

from presence.cursors import Key

ANCHOR = b'"anchor":'
EXPIRES = b',"expires_in_s":'


class FarCursor(NamedTuple):
    """`face` says whose it is, `body` where it points; `until` is when it is over unless it moves."""

    face: bytes
    body: bytes
    until: float

    def payload(self, now: float) -> bytes:
        """As it is told to a newcomer."""
        return self.face + self.body + EXPIRES + b"%d}" % max(1, round(self.until - now))

    @property
    def end(self) -> bytes:
        """What is told when it is gone."""
        return gone(self.face)


def gone(face: bytes) -> bytes:
    """The payload that ends the cursor of this face."""
    return face + ANCHOR + b'null,"selection":null' + EXPIRES + b"0}"


def read(payload: bytes, now: float) -> FarCursor | None:
    """The cursor in a payload that was told; None when it says that there is none any more.

    What it holds beside these marks is a text or the room's own: in a text their quotes would be escaped, and what is
    the room's stands between them.
    """
    face = payload.partition(ANCHOR)[0]
    body, _, left = payload[len(face) :].rpartition(EXPIRES)
    left_s = int(left[:-1])
    return FarCursor(face, body, now + left_s) if left_s else None


class FarCursors:
    """The latest place of each connection that was heard of."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[str, FarCursor]] = {}
        self._by_age: OrderedDict[Key, FarCursor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_age)

    def __contains__(self, topic: str) -> bool:
        return topic in self._topics

    def hear(self, key: Key, payload: bytes, now: float) -> None:
        """A process has told where one of its connections points."""
        cursor = read(payload, now)
        self.end(key)
        if cursor is not None:
            topic, connection = key
            self._topics.setdefault(topic, {})[connection] = self._by_age[key] = cursor

    def on(self, topic: str, now: float) -> list[FarCursor]:
        """Those that are not over yet."""
        return [cursor for cursor in self._topics.get(topic, {}).values() if cursor.until > now]

    def end(self, key: Key) -> FarCursor | None:
        """Takes a cursor away; returns it if it was there."""
        cursor = self._by_age.pop(key, None)
        if cursor is not None:
            topic, connection = key
            del self._topics[topic][connection]
            if not self._topics[topic]:
                del self._topics[topic]
        return cursor

    def forget(self, topic: str) -> None:
        """Nobody listens any more: what happens to these is not heard."""
        for connection in list(self._topics.get(topic, ())):
            self.end((topic, connection))

    def expire(self, now: float) -> None:
        """Forgets what is over. Costs what it takes away."""
        while self._by_age:
            key, oldest = next(iter(self._by_age.items()))
            if oldest.until > now:
                return
            self.end(key)
