"""Who is shown on which topic: the reader's index. Pure.

Holds the entries of the replicas that are shown, and nothing of the others; so no reader ever filters.
"""

from collections.abc import Iterable

from presence.tracker.delta import Change, Entry


class Roster:
    """Entries by topic, key and ref. All reads cost what they return; the counts cost nothing."""

    __slots__ = ("_entries", "_topics")

    def __init__(self) -> None:
        self._topics: dict[str, dict[str, dict[str, Entry]]] = {}
        self._entries = 0

    def apply(self, change: Change) -> None:
        """Makes what a merge did visible."""
        self.drop(change.leaves)
        self.show(change.joins)

    def show(self, entries: Iterable[Entry]) -> None:
        """Adds entries that are not there yet."""
        for entry in entries:
            metas = self._topics.setdefault(entry.topic, {}).setdefault(entry.key, {})
            self._entries += entry.ref not in metas
            metas[entry.ref] = entry

    def drop(self, entries: Iterable[Entry]) -> None:
        """Removes entries, and topics and keys that they leave empty."""
        for entry in entries:
            keys = self._topics.get(entry.topic, {})
            metas = keys.get(entry.key, {})
            self._entries -= metas.pop(entry.ref, None) is not None
            if not metas:
                keys.pop(entry.key, None)
            if not keys:
                self._topics.pop(entry.topic, None)

    def list(self, topic: str) -> list[Entry]:
        """Everybody on a topic; the entries of one key stand together."""
        return [entry for metas in self._topics.get(topic, {}).values() for entry in metas.values()]

    def get_by_key(self, topic: str, key: str) -> tuple[Entry, ...]:
        """The entries of one key on a topic: one for each of the person's connections."""
        return tuple(self._topics.get(topic, {}).get(key, {}).values())

    def count_keys(self, topic: str) -> int:
        """How many keys (people) are on a topic."""
        return len(self._topics.get(topic, {}))

    def topics(self) -> dict[str, int]:
        """Every topic with the number of its keys."""
        return {topic: len(keys) for topic, keys in self._topics.items()}

    def __len__(self) -> int:
        return self._entries
