"""Between processes: announcements by shard, control messages to all, calls to one. One mailbox per process.

Everything a process publishes is numbered per (node, epoch, shard); receivers see gaps by the next message or by the
beacon that each process sends every two seconds, and then read again what must not be missed. The channel layer may
lose messages at any time; nothing here depends on it not doing so.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from channels.layers import get_channel_layer

from commsite.realtime.announcement import Announcement
from commsite.realtime.layer import close_layer, fresh_layer, links_of
from commsite.realtime.packet import (
    CONTROL,
    OUTSIDE,
    Call,
    Control,
    Envelope,
    Packet,
    group_of,
    pack,
    unpack_call,
    unpack_packet,
)
from commsite.realtime.telemetry import count
from commsite.realtime.topic import shard_of

logger = logging.getLogger(__name__)

BEACON_S = 2.0
PROBE_TIMEOUT_S = 2.0
PROBE_TRIES = 3
MAX_PENDING = 10_000
"""Items kept per shard while the layer cannot be reached; older ones are dropped and show as a gap."""
RETRY_S = 0.5
SEND_S = 5.0
"""What the layer has not taken by then goes to a peer that is gone: waiting on would hold up everything behind it."""
DEAF_S = 3 * BEACON_S
"""After so long without an own beacon that came back the links to the layer are made anew."""
ALONE = "local"
"""The mailbox of a process that has none on the layer."""


class Receiver(Protocol):
    """What the backplane hands to its process."""

    def on_announcement(self, announcement: Announcement) -> None:
        """An announcement of another process."""

    def on_control_message(self, kind: str, payload: dict[str, Any]) -> None:
        """A control message of another process."""

    def on_missed(self, shard: int) -> None:
        """Something in this shard was lost."""


Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Unreachable(Exception):
    """The process called did not answer in time."""


class Backplane:
    """The link of one process to the others. With no channel layer it is silent and everything is ready at once."""

    def __init__(self, node: str, epoch: int, receiver: Receiver) -> None:
        self.node = node
        self.epoch = epoch
        self._receiver = receiver
        self._layer = get_channel_layer()
        self.mailbox = ALONE
        self.answers: dict[str, Answer] = {}
        self._confirmed: set[int] = set()
        self._subscribing: dict[int, asyncio.Future[None]] = {}
        self._probes: dict[str, asyncio.Event] = {}
        self._calls: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers: dict[int, int] = defaultdict(int)
        self._heads: dict[tuple[str, int, int], int] = {}
        self._pending: dict[int, list[Envelope | Control]] = {}
        self._wake = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
        self._receiving: asyncio.Task[None] | None = None
        self._deaf_s = 0.0
        self._is_cut = False

    @property
    def is_alone(self) -> bool:
        """True with one process: nothing travels."""
        return self._layer is None

    @property
    def is_ready(self) -> bool:
        """True once this process hears the others, or is alone."""
        return self._layer is None or self.mailbox != ALONE

    @property
    def links(self) -> int:
        """Connections to Redis that this process holds; the settings bound them. From any thread."""
        return 0 if self._layer is None else links_of(self._layer)

    async def start(self) -> None:
        """Opens the mailbox and the control shard."""
        if self._layer is None:
            return
        self._spawn(self._publish_forever())
        self.mailbox = await self._persist(self._layer.new_channel)
        self._receiving = self._spawn(self._receive_forever(self._layer))
        await self.subscribe(CONTROL)
        self._spawn(self._beacon_forever())

    async def stop(self) -> None:
        """Sends what is pending, then closes the links."""
        if self._layer is None:
            return
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._publish_pending(), RETRY_S)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=SEND_S)
        self._tasks.clear()
        await asyncio.wait({self._spawn(close_layer(self._layer, SEND_S))}, timeout=SEND_S)

    # -- out

    def announce(self, announcement: Announcement) -> None:
        """Sends an announcement to the other processes that need its shard."""
        if self._layer is not None:
            self._enqueue(shard_of(announcement.topic), Envelope(announcement))

    def control(self, kind: str, payload: dict[str, Any]) -> None:
        """Sends a control message to every other process."""
        if self._layer is not None:
            self._enqueue(CONTROL, Control(kind, payload))

    async def call(
        self, mailbox: str, kind: str, payload: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Asks one process; raises Unreachable when it does not answer in time."""
        if mailbox == self.mailbox:
            return await self.answers[kind](payload)
        if self._layer is None:
            raise Unreachable(mailbox)
        call_id = f"{self.node}.{next(self._ids)}"
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._calls[call_id] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._send_call(mailbox, Call(call_id, self.mailbox, kind, payload))
                return await answer
        except Exception as error:  # the layer's own errors differ; all mean the same
            raise Unreachable(mailbox) from error
        finally:
            del self._calls[call_id]

    async def _send_call(self, mailbox: str, call: Call) -> None:
        async with asyncio.timeout(SEND_S):
            await self._layer.send(mailbox, {"type": "commsite.call", "d": pack(call)})

    def _enqueue(self, shard: int, item: Envelope | Control) -> None:
        pending = self._pending.setdefault(shard, [])
        pending.append(item)
        if len(pending) > MAX_PENDING:
            self._numbers[shard] += 1
            pending.pop(0)
            count("backplane_dropped_total")
        self._wake.set()

    async def _publish_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._publish_pending()
            except Exception as error:
                logger.warning("backplane: cannot publish: %s", error)
                count("backplane_errors_total")
                self._is_cut = True
                self._wake.set()
                await asyncio.sleep(RETRY_S)

    async def _publish_pending(self) -> None:
        async with self._publishing:  # a stop waits for what is on its way
            while self._pending:
                shard = next(iter(self._pending))
                items = self._pending.pop(shard)
                first = self._numbers[shard] + 1
                # A failed publish leaves a gap, which is the truth.
                self._numbers[shard] += len(items)
                await self._publish(Packet(self.node, self.epoch, shard, first, items))

    async def _publish(self, packet: Packet) -> None:
        message = {"type": "commsite.packet", "d": pack(packet)}
        async with asyncio.timeout(SEND_S):
            await self._layer.group_send(group_of(packet.shard), message)
        count("backplane_packets_sent_total")

    async def _beacon_forever(self) -> None:
        while True:
            pause_s = RETRY_S if self._is_cut else BEACON_S  # the sooner one comes back, the better
            await asyncio.sleep(pause_s)
            if self._deaf_s >= DEAF_S:
                self._deaf_s = 0.0
                self._reopen()
            self._deaf_s += pause_s
            first, heads = self._numbers[CONTROL] + 1, dict(self._numbers)
            with contextlib.suppress(Exception):
                await self._publish(Packet(self.node, self.epoch, CONTROL, first, [], heads=heads))

    def _reopen(self) -> None:
        """Begins anew with another layer: the links of this one may be dead without a word, and hold its locks."""
        logger.warning("backplane: hears nothing of itself; makes its links anew")
        count("backplane_reopened_total")
        self._is_cut = True
        old, self._layer = self._layer, fresh_layer()
        if self._receiving is not None:
            self._receiving.cancel()
        # Receiving first: the mailbox is to exist.
        self._receiving = self._spawn(self._receive_forever(self._layer))
        self._spawn(close_layer(old, SEND_S))
        needed, self._confirmed = self._confirmed, set()
        self.tend(needed)

    # -- in

    def is_subscribed(self, shard: int) -> bool:
        """True when messages of this shard certainly reach this process."""
        return self._layer is None or shard in self._confirmed

    async def subscribe(self, shard: int) -> None:
        """Joins a shard and returns when a probe has come back, so that nothing published later is missed."""
        if self.is_subscribed(shard):
            return
        running = self._subscribing.get(shard)
        if running is None:
            running = self._subscribing[shard] = asyncio.ensure_future(self._subscribe(shard))
            running.add_done_callback(lambda _: self._subscribing.pop(shard, None))
        await asyncio.shield(running)

    def tend(self, needed: set[int]) -> None:
        """Leaves the shards that no topic here needs any more, and tries again for those that were not confirmed."""
        if self._layer is None:
            return
        for shard in self._confirmed - needed - {CONTROL}:
            self._confirmed.discard(shard)
            self._spawn(self._leave(shard))
        for shard in needed | {CONTROL}:
            if shard not in self._confirmed and shard not in self._subscribing:
                self._spawn(self._recover(shard))

    async def _leave(self, shard: int) -> None:
        if shard in self._confirmed or shard in self._subscribing:
            return  # someone came back meanwhile
        with contextlib.suppress(Exception):
            await self._layer.group_discard(group_of(shard), self.mailbox)

    async def _recover(self, shard: int) -> None:
        await self.subscribe(shard)
        if self.is_subscribed(shard):
            self._receiver.on_missed(shard)

    async def _subscribe(self, shard: int) -> None:
        for _ in range(PROBE_TRIES):
            probe = f"{self.node}.{next(self._ids)}"
            arrived = self._probes[probe] = asyncio.Event()
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    await self._layer.group_add(group_of(shard), self.mailbox)
                    await self._publish(Packet(self.node, self.epoch, shard, 0, [], probe=probe))
                    await arrived.wait()
            except Exception as error:
                logger.warning("backplane: shard %s not confirmed: %r", shard, error)
                await asyncio.sleep(RETRY_S)
            else:
                self._confirmed.add(shard)
                return
            finally:
                del self._probes[probe]
        count("backplane_unconfirmed_total")

    async def _receive_forever(self, layer: Any) -> None:
        while layer is self._layer:
            try:
                message = await layer.receive(self.mailbox)
            except Exception as error:
                logger.warning("backplane: cannot receive: %s", error)
                await asyncio.sleep(RETRY_S)
                if layer is self._layer:  # which takes the mailbox for open, and nothing will come
                    self._deaf_s = float("inf")
                return
            try:
                self._dispatch(message)
            except Exception:
                logger.exception("backplane: a message could not be handled")

    def _dispatch(self, message: dict[str, Any]) -> None:
        if message["type"] == "commsite.call":
            self._on_call(unpack_call(message["d"]))
        else:
            self._on_packet(unpack_packet(message["d"]))

    def _on_packet(self, packet: Packet) -> None:
        if packet.probe is not None:
            arrived = self._probes.get(packet.probe)
            if arrived is not None:
                arrived.set()
            return
        if packet.node == self.node:
            self._on_echo(packet)
            return
        if packet.heads is not None:
            for shard, head in packet.heads.items():
                self._see(packet.node, packet.epoch, shard, head, is_beacon=True)
            return
        if packet.epoch != OUTSIDE:
            self._see(packet.node, packet.epoch, packet.shard, packet.first - 1, is_beacon=False)
            last = packet.first + len(packet.items) - 1
            self._heads[packet.node, packet.epoch, packet.shard] = last
        for item in packet.items:
            self._hand_on(item)

    def _hand_on(self, item: Envelope | Control) -> None:
        if isinstance(item, Envelope):
            self._receiver.on_announcement(item.announcement)
        else:
            self._receiver.on_control_message(item.kind, item.payload)

    def _on_echo(self, packet: Packet) -> None:
        """Our own words have come back: the link stands. What was said while it did not was missed."""
        if packet.heads is not None:
            self._deaf_s = self._deaf_s if self._deaf_s == float("inf") else 0.0
            if self._is_cut:
                self._is_cut = False
                self._receiver.on_missed(CONTROL)

    def _see(self, node: str, epoch: int, shard: int, upto: int, *, is_beacon: bool) -> None:
        """Holds what should have come (`upto`) against what came. A process numbers from 1: what it said before it was
        heard for the first time counts as missed. Beacons also tell how far the shards are that nobody here needs yet.
        """
        known = self._heads.get((node, epoch, shard), 0)
        is_needed = shard == CONTROL or shard in self._confirmed or shard in self._subscribing
        if is_needed and upto > known:
            count("backplane_gaps_total")
            logger.warning(
                "backplane: missed %s messages of %s in shard %s", upto - known, node, shard
            )
            self._receiver.on_missed(shard)
        if is_beacon and upto > known:
            self._heads[node, epoch, shard] = upto

    def forget(self, node: str) -> None:
        """The process is gone: nothing more comes of it."""
        for key in [key for key in self._heads if key[0] == node]:
            del self._heads[key]

    def _on_call(self, call: Call) -> None:
        if call.kind is None:
            answer = self._calls.get(call.id)
            if answer is not None and not answer.done():
                answer.set_result(call.payload)
            return
        self._spawn(self._answer(call, call.kind))

    async def _answer(self, call: Call, kind: str) -> None:
        try:
            payload = await self.answers[kind](call.payload)
            await self._send_call(call.reply_to, Call(call.id, self.mailbox, None, payload))
        except Exception:
            logger.exception("backplane: a call could not be answered", extra={"kind": kind})

    # -- tasks

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _persist(self, attempt: Callable[[], Awaitable[str]]) -> str:
        while True:
            try:
                return await attempt()
            except Exception as error:
                logger.warning("backplane: cannot connect: %s", error)
                await asyncio.sleep(RETRY_S)
