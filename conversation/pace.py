"""When to tell: the first news of a thing at once, later ones joined, at most one telling a period. Pure."""

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
        self._told: dict[K, float] = {}

    def want(self, thing: K, now: float) -> None:
        """There is news of this thing."""
        told = self._told.get(thing)
        earliest = now + self.delay_s
        if told is not None:
            earliest = max(earliest, told + self.period_s)
        self._due.setdefault(thing, earliest)

    def take(self, now: float) -> list[K]:
        """The things whose turn it is, the longest due first; they count as told now."""
        due = self._due
        taken = sorted((thing for thing, at in due.items() if at <= now), key=due.__getitem__)
        for thing in taken:
            del due[thing]
        self._told = {each: at for each, at in self._told.items() if at + self.period_s > now}
        self._told |= dict.fromkeys(taken, now)
        return taken

    def take_all(self) -> list[K]:
        """Everything that is to be told, due or not."""
        taken = list(self._due)
        self._due.clear()
        return taken

    @property
    def next_at(self) -> float | None:
        """When the next thing is due, None when nothing is to be told."""
        return min(self._due.values(), default=None)
