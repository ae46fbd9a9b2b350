"""What changed for those who look: joins and leaves by topic, with what cancels left out. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from presence.tracker.delta import Change, Entry


@dataclass(slots=True)
class TopicDiff:
    """One topic's joins and leaves by ref. An update is a leave of the old ref and a join of the new one."""

    joins: dict[str, Entry] = field(default_factory=dict)
    leaves: dict[str, Entry] = field(default_factory=dict)


class Diff:
    """Joins and leaves in `topics`, empty topics left out.

    An entry that comes and goes within one diff is in neither.
    """

    __slots__ = ("topics",)

    def __init__(self, joins: Iterable[Entry] = (), leaves: Iterable[Entry] = ()) -> None:
        self.topics: dict[str, TopicDiff] = {}
        self.leave(leaves)
        self.join(joins)

    def __bool__(self) -> bool:
        return bool(self.topics)

    def apply(self, change: Change) -> None:
        """Adds what a merge did."""
        self.leave(change.leaves)
        self.join(change.joins)

    def join(self, entries: Iterable[Entry]) -> None:
        """Adds joins; one that takes a leave back removes it instead."""
        for entry in entries:
            topic = self.topics.setdefault(entry.topic, TopicDiff())
            if topic.leaves.pop(entry.ref, None) is None:
                topic.joins[entry.ref] = entry
            self._tidy(entry.topic, topic)

    def leave(self, entries: Iterable[Entry]) -> None:
        """Adds leaves; one that takes a join back removes it instead."""
        for entry in entries:
            topic = self.topics.setdefault(entry.topic, TopicDiff())
            if topic.joins.pop(entry.ref, None) is None:
                topic.leaves[entry.ref] = entry
            self._tidy(entry.topic, topic)

    def _tidy(self, name: str, topic: TopicDiff) -> None:
        if not topic.joins and not topic.leaves:
            del self.topics[name]
