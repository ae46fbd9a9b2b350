"""When to tell: the first news of a thing at once, later ones joined, at most one telling a period. Pure."""

import heapq
import itertools
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Pace(Generic[K]):
    """Things that are to be told, each no more often than once in `period_s`. `now` is of any steady clock.

    The first news waits for `delay_s`, where more of the same is likely to follow at once.
    """

    def __init__(self, period_s: float, delay_s: float = 0.0) -> None:
        self.period_s = period_s
        self.delay_s = delay_s
        self._due: dict[K, float] = {}
        self._queue: list[tuple[float, int, K]] = []  # a heap: what is due first is found at once
        self._numbers = itertools.count()
        self._told: dict[K, float] = {}
        self._order: deque[tuple[float, K]] = deque()  # as they were told

    def want(self, thing: K, now: float) -> None:
        """There is news of this thing."""
        if thing in self._due:
            return
        told = self._told.get(thing)
        earliest = now + self.delay_s
        if told is not None:
            earliest = max(earliest, told + self.period_s)
        self._due[thing] = earliest
        heapq.heappush(self._queue, (earliest, next(self._numbers), thing))

    def take(self, now: float) -> list[K]:
        """The things whose turn it is, the longest due first; they count as told now."""
        while self._order and self._order[0][0] + self.period_s <= now:
            at, thing = self._order.popleft()
            if self._told.get(thing) == at:
                del self._told[thing]
        taken = list[K]()
        while self._queue and self._queue[0][0] <= now:
            taken.append(heapq.heappop(self._queue)[2])
        for thing in taken:
            del self._due[thing]
            self._told[thing] = now
            self._order.append((now, thing))
        return taken

    def take_all(self) -> list[K]:
        """Everything that is to be told, due or not."""
        taken = list(self._due)
        self._due.clear()
        self._queue.clear()
        return taken

    @property
    def next_at(self) -> float | None:
        """When the next thing is due, None when nothing is to be told."""
        return self._queue[0][0] if self._queue else None
