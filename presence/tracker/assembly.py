"""Answers that come in parts, until they are whole. Pure."""

from presence.tracker.delta import Delta
from presence.tracker.gossip import TransferAnswer
from presence.tracker.replica import Replica

MOST_AT_ONCE = 2
"""Answers about one replica that are put together at a time: the one that is late, and the one asked for again."""
Which = tuple[Replica, int, int, int]
"""Who answers, the start and the end of the stretch, and the number of parts."""


class Assembly:
    """Parts by the replica that they are about. They may come in any order, doubled, or never."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: dict[Replica, dict[Which, dict[int, Delta]]] = {}

    def add(self, answer: TransferAnswer) -> Delta | None:
        """The delta that the answer is the last part of; None while others are missing."""
        if answer.of == 1:
            return answer.delta
        delta = answer.delta
        answers = self._parts.setdefault(delta.replica, {})
        parts = answers.setdefault((answer.sender, delta.start, delta.end, answer.of), {})
        parts[answer.number] = delta
        if len(parts) < answer.of:
            while len(answers) > MOST_AT_ONCE:
                del answers[next(iter(answers))]
            return None
        self.forget(delta.replica)
        return _whole(parts)

    def forget(self, replica: Replica) -> None:
        """Drops what has come of a replica: it is known otherwise, or gone."""
        self._parts.pop(replica, None)

    def clear(self) -> None:
        """Drops everything: nothing is missing."""
        self._parts.clear()

    def __len__(self) -> int:
        return sum(len(parts) for answers in self._parts.values() for parts in answers.values())


def _whole(parts: dict[int, Delta]) -> Delta:
    first = parts[0]
    whole = Delta(first.replica, first.start, first.end, {}, set())
    for _, part in sorted(parts.items()):
        whole.entries.update(part.entries)
        whole.removed.update(part.removed)
    return whole
