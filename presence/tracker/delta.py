"""What a stretch of one replica's events did, and how two stretches join. Pure.

A replica's events are numbered without gaps and it alone writes its entries. The delta of (start, end] is therefore a
function of the replica's history: the entries made in it that lived at its end, and those made before it that it took
away. Whatever else lies in the stretch is dead, and needs no word. A full state is the delta from 0.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from presence.tracker.replica import Replica

OVERHEAD_BYTES = 40
"""Of an entry on the wire: its ref, its number and the lengths of its texts."""
NUMBER_BYTES = 9
"""Of a removal at most."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One presence: `key` (a person) is on `topic` through `id` (a connection, a device) with `meta`.

    `meta` is opaque here (JSON text); `ref` names the entry's dot: unique, and new with every update.
    """

    topic: str
    key: str
    id: str
    meta: bytes
    ref: str

    @property
    def cost(self) -> int:
        """About how many bytes it takes on the wire, or a little more."""
        return len(self.topic) + len(self.key) + len(self.id) + len(self.meta) + OVERHEAD_BYTES


class Change(NamedTuple):
    """What a join of two deltas brought and took away."""

    joins: list[Entry]
    leaves: list[Entry]


class Delta(msgspec.Struct, array_like=True):
    """The effect of the events after `start` up to `end`. Entries by event number; `removed` names earlier ones."""

    replica: Replica
    start: int
    end: int
    entries: dict[int, Entry] = {}
    removed: set[int] = set()

    @property
    def size(self) -> int:
        """How much it carries: entries and removals, whatever the number of events."""
        return len(self.entries) + len(self.removed)

    @property
    def cost(self) -> int:
        """About how many bytes it takes on the wire."""
        return sum(entry.cost for entry in self.entries.values()) + NUMBER_BYTES * len(self.removed)

    @property
    def is_empty(self) -> bool:
        """True when nothing has happened."""
        return self.end == self.start

    def copy(self) -> "Delta":
        """One that may be changed without changing this one."""
        return Delta(self.replica, self.start, self.end, dict(self.entries), set(self.removed))

    def parts(self, most_bytes: int) -> Iterator["Delta"]:
        """This delta in pieces of about so many bytes, at least one: together they hold what it holds.

        A piece has the whole stretch's start and end. It cannot be cut by events: what a shorter stretch did is not
        known any more, only what of it lived at the end.
        """
        part, size = Delta(self.replica, self.start, self.end, {}, set()), 0
        for counter, entry in self.entries.items():
            if size and size + entry.cost > most_bytes:
                yield part
                part, size = Delta(self.replica, self.start, self.end, {}, set()), 0
            part.entries[counter] = entry
            size += entry.cost
        removed = sorted(self.removed)
        step = max(1, most_bytes // NUMBER_BYTES)
        part.removed.update(removed[:step])
        yield part
        for at in range(step, len(removed), step):
            yield Delta(self.replica, self.start, self.end, {}, set(removed[at : at + step]))

    def touches(self, later: "Delta") -> bool:
        """True when `later` begins within this stretch or right after it, and goes on beyond it."""
        return self.start <= later.start <= self.end < later.end

    def extend(self, later: "Delta") -> Change:
        """Becomes the delta of both stretches; `later` must touch this one and stays as it is.

        Costs the size of `later`, plus their overlap (or, if that is smaller, the entries here). Only a transfer
        and a duplicate overlap.
        """
        gone = [
            counter
            for counter in _within(self.entries, later.start, self.end)
            if counter not in later.entries
        ]
        gone.extend(counter for counter in later.removed if counter in self.entries)
        leaves = [self.entries.pop(counter) for counter in gone]
        joins = [entry for counter, entry in later.entries.items() if counter > self.end]
        self.entries.update(later.entries)
        self.removed.update(counter for counter in later.removed if counter <= self.start)
        self.end = later.end
        return Change(joins, leaves)


class Generations:
    """The last events of one replica in a few sizes, to answer those who missed a little without a full state.

    Each generation grows with every delta; one over its size starts again as the next smaller one (Phoenix.Tracker).
    """

    __slots__ = ("_deltas", "_sizes")

    def __init__(self, sizes: Iterable[int]) -> None:
        self._sizes = tuple(sizes)
        self._deltas: list[Delta | None] = [None] * len(self._sizes)

    def push(self, delta: Delta) -> None:
        """Takes the latest delta into every generation that it continues; the others start again with it."""
        smaller: Delta | None = None
        for number, size in enumerate(self._sizes):
            grown = _grown(self._deltas[number], delta)
            if grown.size > size:
                grown = (smaller or delta).copy()
            self._deltas[number] = smaller = grown if grown.size <= size else None

    def covering(self, counter: int) -> Delta | None:
        """The smallest generation that brings one who knows all up to `counter` to the end, or None."""
        for delta in self._deltas:
            if delta is not None and delta.start <= counter < delta.end:
                return delta
        return None

    def sizes(self) -> list[int]:
        """What each generation carries now."""
        return [0 if delta is None else delta.size for delta in self._deltas]


def _grown(generation: Delta | None, delta: Delta) -> Delta:
    """The generation with the delta in it; the delta alone where the two do not touch or it says it all."""
    if generation is None or delta.start <= generation.start or not generation.touches(delta):
        return delta.copy()
    generation.extend(delta)
    return generation


def _within(entries: Mapping[int, Entry], low: int, high: int) -> list[int]:
    """The numbers of `entries` in (low, high], by the shorter of the two ways."""
    if high - low <= len(entries):
        return [counter for counter in range(low + 1, high + 1) if counter in entries]
    return [counter for counter in entries if low < counter <= high]
