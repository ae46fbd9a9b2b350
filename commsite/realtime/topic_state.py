"""One topic in this process: who joined it, what they have, what waits for the end of this turn."""

from collections.abc import Mapping
from typing import Protocol

from commsite.realtime.announcement import Announcement, Outgoing
from commsite.realtime.codec import Codec
from commsite.realtime.outbox import Outbox
from commsite.realtime.sequence import Sequence


class Subscriber(Protocol):
    """A channel, as far as delivery is concerned."""

    id: str

    @property
    def codec(self) -> Codec:
        """How its frames are written."""

    @property
    def outbox(self) -> Outbox:
        """Where its frames go."""

    @property
    def intercept(self) -> Mapping[str, str]:
        """The events that it wants to see first."""

    def intercepted(self, outgoing: Outgoing) -> None:
        """Delivers an event through the channel's own method."""


class Held:
    """What arrives for a subscriber while its join is under way, up to its outbox's bound."""

    __slots__ = ("bytes", "is_overrun", "outgoing")

    def __init__(self) -> None:
        self.outgoing: list[Outgoing] = []
        self.bytes = 0
        self.is_overrun = False

    def extend(self, pending: list[Outgoing], limit: int) -> None:
        """Keeps these, or forgets everything once it is too much: history has the must events."""
        self.outgoing += pending
        self.bytes += sum(len(outgoing.announcement.payload) for outgoing in pending)
        if self.bytes > limit:
            self.is_overrun = True
            self.outgoing.clear()
            self.bytes = 0


class TopicState:
    """One topic in this process."""

    __slots__ = (
        "ahead",
        "failures",
        "groups",
        "holding",
        "intercepting",
        "is_behind",
        "is_mending",
        "late",
        "name",
        "pending",
        "pending_bytes",
        "sequence",
        "tries",
    )

    def __init__(self, name: str, *, keeps_history: bool) -> None:
        self.name = name
        self.groups: dict[tuple[Codec, bool], dict[Subscriber, Outbox]] = {}
        self.intercepting: dict[Subscriber, None] = {}
        self.holding: dict[Subscriber, Held] = {}
        # Who has read more than was delivered: must events up to a seq, pieces of a key up to a version.
        self.late: dict[Subscriber, int] = {}
        self.ahead: dict[Subscriber, dict[str, int]] = {}
        self.pending: list[Outgoing] = []
        self.pending_bytes = 0
        self.sequence: Sequence[Outgoing] | None = Sequence() if keeps_history else None
        self.is_behind = False
        self.is_mending = False
        self.tries = 0
        self.failures = 0

    @property
    def size(self) -> int:
        """How many subscribers the topic has here."""
        return len(self.holding) + len(self.intercepting) + sum(map(len, self.groups.values()))

    def apart(self, pending: list[Outgoing]) -> set[str]:
        """The ids of those who may not be to get all of these, and must be asked one by one; mostly nobody."""
        announcements = [each.announcement for each in pending]
        ids = {its.exclude for its in announcements if its.exclude is not None}
        ids.update(subscriber.id for subscriber in self.late)
        if self.ahead:
            keys = {its.key for its in announcements if its.version is not None}
            ids.update(each.id for each, read in self.ahead.items() if not keys.isdisjoint(read))
        return ids

    def is_for(self, subscriber: Subscriber, its: Announcement) -> bool:
        """False for what the subscriber shall not get, or has read already."""
        if its.exclude is not None and its.exclude == subscriber.id:
            return False
        if its.version is not None:
            return self._is_next_piece(subscriber, its)
        floor = self.late.get(subscriber)
        if floor is None or its.seq is None:
            return True
        if its.seq >= floor:
            del self.late[subscriber]
        return its.seq > floor

    def _is_next_piece(self, subscriber: Subscriber, piece: Announcement) -> bool:
        versions = self.ahead.get(subscriber)
        if versions is None or piece.key not in versions or piece.version is None:
            return True
        if piece.version <= versions[piece.key]:
            return False
        del versions[piece.key]
        if not versions:
            del self.ahead[subscriber]
        return True

    def forget(self, subscriber: Subscriber) -> None:
        """The subscriber has left."""
        self.holding.pop(subscriber, None)
        self.intercepting.pop(subscriber, None)
        self.late.pop(subscriber, None)
        self.ahead.pop(subscriber, None)
        key = (subscriber.codec, subscriber.outbox.write is not None)
        group = self.groups.get(key)
        if group is not None:
            group.pop(subscriber, None)
            if not group:
                del self.groups[key]

    @property
    def is_empty(self) -> bool:
        """True when nobody is left."""
        return not self.groups and not self.holding and not self.intercepting
