"""The one process file of the tracker: timers and the way out and in. Values go to `Tracker`, which is pure.

It knows the backplane as a `Link` and time as an event loop, both given. Event loop only.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from presence.tracker.diff import Diff
from presence.tracker.gossip import Goodbye, Gossip, Heartbeat, TransferRequest, decode, encode
from presence.tracker.periods import Periods
from presence.tracker.replica import Replica
from presence.tracker.state import Replace
from presence.tracker.tracker import PART_BYTES, Outcome, Report, Tracker

SOON_S = 0.001
"""Timers may fire a moment early; the next look is then so far away."""


class Link(Protocol):
    """The way to the other processes. Everything may be lost."""

    def to_all(self, gossip: bytes) -> None:
        """To every other process."""

    def tell(self, address: str, gossip: bytes) -> Awaitable[None]:
        """To one. Returns when it has been taken; raises when it was not in time."""

    def spawn(self, work: Any) -> None:
        """Runs a coroutine."""


class Shard:
    """One running tracker. `on_diff` hears of every change, those made here included."""

    def __init__(
        self,
        replica: Replica,
        periods: Periods,
        link: Link,
        on_diff: Callable[[Diff], None],
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.tracker = Tracker(
            replica,
            self._loop.time(),
            random=random.random,
            periods=periods,
            part_bytes=part_bytes,
        )
        self._link = link
        self._on_diff = on_diff
        self._addresses: dict[Replica, str] = {}
        self._answering: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._plan()

    # -- own entries

    def track(self, topic: str, key: str, id: str, meta: bytes) -> None:  # noqa: A002
        """Adds an entry. Raises AlreadyTracked."""
        self._show(self.tracker.track(topic, key, id, meta))

    def update(self, topic: str, key: str, id: str, meta: bytes | Replace) -> None:  # noqa: A002
        """Replaces an entry's meta. Raises NotTracked."""
        self._show(self.tracker.update(topic, key, id, meta))

    def untrack(self, topic: str, key: str, id: str) -> None:  # noqa: A002
        """Removes an entry; one that is not ours changes nothing."""
        self._show(self.tracker.untrack(topic, key, id))

    # -- the others

    @property
    def addresses(self) -> dict[Replica, str]:
        """Where the replicas that have been heard of receive."""
        return dict(self._addresses)

    def report(self) -> tuple[Report, ...]:
        """What is known of each replica."""
        return self.tracker.report(self._loop.time())

    def catch_up(self) -> None:
        """Something was lost: asks for it, and is heard soon itself."""
        self._send(self.tracker.catch_up(self._loop.time()))
        self._plan()

    def receive(self, address: str, data: bytes) -> None:
        """Takes what a replica at `address` told everybody."""
        message = decode(data)
        if isinstance(message, Heartbeat):
            self._addresses[message.sender] = address
        elif isinstance(message, Goodbye):
            self._addresses.pop(message.sender, None)
        self._take(message)

    def receive_own(self, address: str, data: bytes) -> None:
        """Takes what a replica at `address` told this one alone: a request, or a part of an answer.

        Answers go back in a task, each part when the one before has been taken: no more is on its way than the other
        can work off, and nobody waits for long behind it. Who asks again meanwhile gets no second one.
        """
        message = decode(data)
        if isinstance(message, TransferRequest):
            if address in self._answering:
                return
            outcome = self.tracker.on_message(self._loop.time(), message)
            self._answering.add(address)
            self._link.spawn(self._answer(address, outcome.messages))
        else:
            self._take(message)

    def stop(self, linger_s: float) -> None:
        """Says goodbye and ends: the others show what is here for `linger_s` more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._send(self.tracker.stop(linger_s))

    # -- inside

    def _tick(self) -> None:
        self._timer = None
        outcome = self.tracker.on_tick(self._loop.time())
        self._forget_addresses()
        self._follow(outcome)

    def _take(self, message: Gossip) -> None:
        self._follow(self.tracker.on_message(self._loop.time(), message))

    def _follow(self, outcome: Outcome) -> None:
        self._show(outcome.diff)
        self._send(outcome.messages)
        self._plan()

    def _show(self, diff: Diff) -> None:
        if diff:
            self._on_diff(diff)

    def _send(self, messages: Iterable[Gossip]) -> None:
        for message in messages:
            if not isinstance(message, TransferRequest):
                self._link.to_all(encode(message))
            elif message.to in self._addresses:
                self._link.spawn(self._link.tell(self._addresses[message.to], encode(message)))

    async def _answer(self, address: str, parts: Iterable[Gossip]) -> None:
        try:
            for part in parts:
                await self._link.tell(address, encode(part))
        finally:
            self._answering.discard(address)

    def _plan(self) -> None:
        wake_at = self.tracker.wake_at
        if self._timer is not None:
            if self._timer.when() <= wake_at:
                return
            self._timer.cancel()
            self._timer = None
        if wake_at != float("inf"):
            soonest = self._loop.time() + SOON_S
            self._timer = self._loop.call_at(max(wake_at, soonest), self._tick)

    def _forget_addresses(self) -> None:
        known = {report.replica for report in self.report()} if self._addresses else set()
        for replica in self._addresses.keys() - known:
            del self._addresses[replica]
