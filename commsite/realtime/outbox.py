"""The outbox of one socket: straight to the transport while that is clear, else a queue bounded in bytes.

Once the transport holds more than its high-water mark the queue takes over: must events wait in order, state
events replace older ones of the same key, ephemeral ones are dropped and counted. State that is told in pieces is
renewed instead: one snapshot once there is room. What would exceed the bound first costs the droppable ones, then the
socket (4008: the client comes back and resumes from its last seq).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from commsite.realtime.envelope import Wire
from commsite.realtime.registry import Delivery
from commsite.realtime.telemetry import counters

DROPPED = ("deliveries_dropped_total", (("class", "ephemeral"),))
EVICTED = ("deliveries_dropped_total", (("class", "state"),))
CONFLATED = ("deliveries_conflated_total", ())
DEFERRED = ("deliveries_deferred_total", ())
RENEWED = ("deliveries_renewed_total", ())

Renew = Callable[[], Wire | None]
"""Makes the frame that stands for all pieces of a state; None when that is not known."""
_Queue = OrderedDict[object, tuple[Wire, Delivery, Renew | None]]


class Transport(Protocol):
    """What a server gives us (scope["extensions"]["commsite.transport"]), or a stand-in over plain ASGI sends.

    `write` takes framed bytes and is None where the server offers no such thing; `send` always works. The transport
    calls `outbox.clogged()` and `outbox.cleared()` as its buffer passes its marks.
    """

    @property
    def write(self) -> Callable[[bytes], Any] | None:
        """Takes framed bytes."""

    @property
    def rtt_ms(self) -> float | None:
        """The last measured round trip."""

    def attach(self, outbox: "Outbox") -> None:
        """Tells `outbox` from now on when the transport clogs and clears."""

    def send(self, wire: Wire) -> None:
        """Queues one frame behind what was written before."""

    def waiting(self) -> int:
        """Bytes that the transport still holds."""

    def close(self, code: int, reason: str) -> None:
        """Starts the closing handshake; the connection is cut when the peer does not answer."""


def _nothing() -> None:
    """What an outbox whose socket is gone does about an overflow."""


class Outbox:
    """One socket's way out. Not for more than one event loop."""

    __slots__ = (
        "_queue",
        "_renewals",
        "_transport",
        "_waiter",
        "is_clear",
        "is_closed",
        "limit",
        "on_overflow",
        "queued_bytes",
        "write",
    )

    def __init__(self, transport: Transport, limit: int, on_overflow: Callable[[], None]) -> None:
        self._transport = transport
        self.write = transport.write
        self.limit = limit
        self.on_overflow = on_overflow
        self.is_clear = True
        self.is_closed = False
        self.queued_bytes = 0
        self._queue: _Queue | None = None
        self._renewals: dict[object, Renew] | None = None
        self._waiter: asyncio.Future[None] | None = None
        transport.attach(self)

    @property
    def bytes_waiting(self) -> int:
        """Bytes in this queue and in the transport."""
        return self.queued_bytes + self._transport.waiting()

    def put(
        self,
        wire: Wire,
        delivery: Delivery = Delivery.MUST,
        key: object = None,
        renew: Renew | None = None,
    ) -> None:
        """Sends a frame now or queues it by its class. `key` names what a state event is the latest value of.

        With `renew` the frame is one piece of that state: who has missed one gets what `renew` makes.
        """
        if not self.is_clear:
            self._defer(wire, delivery, key, renew)
        elif self.write is not None:
            try:
                self.write(wire.framed)
            except RuntimeError:  # uvloop: the connection is gone, which it will say in a moment
                return
        else:
            self._transport.send(wire)

    def clogged(self) -> None:
        """The transport holds enough: queue from now on."""
        self.is_clear = False

    def cleared(self) -> None:
        """The transport has room again: hand over what waits, in order, until it clogs again."""
        if self.is_closed:
            return
        self.is_clear = True
        queue = self._queue
        while queue and self.is_clear:
            _, (wire, _, _) = queue.popitem(last=False)
            self.queued_bytes -= len(wire.framed)
            self._transport.send(wire)
        if not queue:
            self._queue = None
            self._renew()
        self._wake()

    def _renew(self) -> None:
        """Sends what the pieces that were conflated amount to by now."""
        while self._renewals and self.is_clear:
            wire = self._renewals.pop(next(iter(self._renewals)))()
            if wire is not None:
                counters[RENEWED] += 1
                self._transport.send(wire)
        if not self._renewals:
            self._renewals = None

    async def when_clear(self) -> None:
        """Waits until the client has taken what was sent, or is gone: what is large is produced no faster than read."""
        while not self.is_clear and not self.is_closed:
            if self._waiter is None:
                self._waiter = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiter)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def close(self, code: int, reason: str, last: Wire | None) -> None:
        """Drops what waits, sends the last frame and starts the closing handshake. Later puts go nowhere."""
        if self.is_closed:
            return
        self.discard()
        if last is not None:
            self._transport.send(last)
        self._transport.close(code, reason)

    def discard(self) -> None:
        """Forgets what waits: the socket is gone."""
        self.is_closed = True
        self.is_clear = False
        self._queue = self._renewals = None
        self.queued_bytes = 0
        self.on_overflow = (
            _nothing  # it leads back to the socket: without the cycle all of it is freed at once
        )
        self._wake()

    def _defer(self, wire: Wire, delivery: Delivery, key: object, renew: Renew | None) -> None:
        if self.is_closed:
            return
        if delivery is Delivery.EPHEMERAL:
            counters[DROPPED] += 1
            return
        queue = self._queue
        if queue is None:
            queue = self._queue = OrderedDict()
        slot: object = (
            (delivery, key) if delivery is Delivery.STATE and key is not None else object()
        )
        if self._is_conflated(queue, slot, renew):
            return
        queue[slot] = (wire, delivery, renew)
        self.queued_bytes += len(wire.framed)
        counters[DEFERRED] += 1
        if self.queued_bytes > self.limit:
            self._shrink(queue)

    def _is_conflated(self, queue: _Queue, slot: object, renew: Renew | None) -> bool:
        """Takes away what the slot's new frame replaces; True when a snapshot will stand for both."""
        older = queue.pop(slot, None)
        if older is not None:
            self.queued_bytes -= len(older[0].framed)
            counters[CONFLATED] += 1
            if renew is not None:
                self._renew_later(slot, renew)
        elif self._renewals is None or slot not in self._renewals:
            return False
        return renew is not None

    def _renew_later(self, slot: object, renew: Renew) -> None:
        if self._renewals is None:
            self._renewals = {}
        self._renewals[slot] = renew

    def _shrink(self, queue: _Queue) -> None:
        for slot in [each for each, (_, delivery, _) in queue.items() if delivery != Delivery.MUST]:
            wire, _, renew = queue.pop(slot)
            self.queued_bytes -= len(wire.framed)
            counters[EVICTED] += 1
            if renew is not None:
                self._renew_later(slot, renew)
        if self.queued_bytes > self.limit:
            self.on_overflow()
