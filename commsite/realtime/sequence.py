"""Puts the must events of one topic in the order of `seq`: commit order is not announcement order. Pure.

Until a baseline is known (the last seq of the first history read) events wait; then each seq is released exactly
once, in order; a hole makes the later ones wait until it is filled.
"""

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Sequence(Generic[T]):
    """The order keeper of one topic. `last` is the last released seq, None before the baseline.

    `start` is the baseline: what is up to it was released to nobody.
    """

    __slots__ = ("_offered", "_waiting", "last", "start")

    def __init__(self) -> None:
        self.last: int | None = None
        self.start: int | None = None
        self._offered = 0  # breaks ties, so that items are never compared
        self._waiting: list[tuple[int, int, T]] = []

    def baseline(self, seq: int) -> list[T]:
        """Says that everything up to `seq` is history. Returns what may go out now; later calls change nothing."""
        if self.last is None:
            self.last = self.start = seq
        return self._release()

    def offer(self, seq: int, item: T) -> list[T]:
        """Takes one event; returns what may go out now, in order. What was released before is dropped."""
        if self.last is not None and seq <= self.last:
            return []
        self._offered += 1
        heapq.heappush(self._waiting, (seq, self._offered, item))
        return [] if self.last is None else self._release()

    def skip_to(self, seq: int) -> list[T]:
        """Gives the hole up to `seq` up (the database does not have it either)."""
        if self.last is not None:
            self.last = max(self.last, seq)
        return self._release()

    @property
    def hole(self) -> tuple[int, int] | None:
        """(last released, last missing) when later events wait for missing ones."""
        if self.last is None or not self._waiting:
            return None
        return self.last, self._waiting[0][0] - 1

    def _release(self) -> list[T]:
        released: list[T] = []
        while self._waiting and self.last is not None and self._waiting[0][0] <= self.last + 1:
            seq, _, item = heapq.heappop(self._waiting)
            if seq == self.last + 1:
                self.last = seq
                released.append(item)
        return released
