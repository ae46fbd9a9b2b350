"""A pace that keeps itself: calls back when things are due to be told. Event loop only."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from conversation.pace import Pace

K = TypeVar("K", bound=Hashable)


class Pacer(Generic[K]):
    """Calls `tell(things)` soon after news of them, and no more often than its pace."""

    def __init__(
        self, period_s: float, tell: Callable[[list[K]], None], *, delay_s: float = 0.0
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._pace: Pace[K] = Pace(period_s, delay_s)
        self._tell = tell
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.clock: Callable[[], float] = self._loop.time

    def want(self, thing: K) -> None:
        """There is news of this thing."""
        self._pace.want(thing, self.clock())
        self._set_timer()

    def turn(self) -> None:
        """Tells what is due."""
        self._timer = None
        things = self._pace.take(self.clock())
        self._set_timer()
        if things:
            self._tell(things)

    def take_all(self) -> list[K]:
        """What was still to be told, due or not; it is the caller's now."""
        return self._pace.take_all()

    def stop(self) -> None:
        """Tells nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        at = self._pace.next_at
        if at is None or (self._timer is not None and self._timer_at <= at):
            return
        self.stop()
        self._timer_at = at
        self._timer = self._loop.call_later(at - self.clock(), self.turn)
