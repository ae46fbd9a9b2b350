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
from collections.abc import Coroutine
from typing import Any, Protocol

from commsite.realtime.announcement import Announcement
from commsite.realtime.calls import Calls
from commsite.realtime.heads import Heads
from commsite.realtime.layer_mailbox import ALONE, SEND_S, Mailbox
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
KEPT_S = 5.0
"""An outage of the layer that is no longer than this loses only what was on its way when it began."""
ECHO_S = 2.0
"""An own beacon that is not back by then: the links to the layer may be dead without a word."""


class Receiver(Protocol):
    """What the backplane hands to its process."""

    def on_announcement(self, announcement: Announcement) -> None:
        """An announcement of another process."""

    def on_control_message(self, kind: str, payload: dict[str, Any]) -> None:
        """A control message of another process."""

    def on_missed(self, shard: int) -> None:
        """Something in this shard was lost."""


class Backplane:
    """The link of one process to the others. With no channel layer it is silent and everything is ready at once."""

    def __init__(self, node: str, epoch: int, receiver: Receiver) -> None:
        self.node = node
        self.epoch = epoch
        self._receiver = receiver
        self._box = Mailbox(self._dispatch, self._cut)
        self._calls = Calls(node, self._send_call)
        self.answers = self._calls.answers
        self._wanted: set[int] = {CONTROL}
        self._confirmed: set[int] = set()
        self._lost: set[int] = set()
        """Needed here, not listened to for a while: read again once they are confirmed."""
        self._subscribing: dict[int, asyncio.Future[None]] = {}
        self._probes: dict[str, asyncio.Event] = {}
        self._numbers: dict[int, int] = defaultdict(int)
        self._heads = Heads()
        self._pending: dict[int, list[Envelope | Control]] = {}
        self._wake = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ids = itertools.count(1)
        self._mending: asyncio.Task[Any] | None = None
        self._echo = asyncio.Event()

    @property
    def is_alone(self) -> bool:
        """True with one process: nothing travels."""
        return self._box.is_alone

    @property
    def is_ready(self) -> bool:
        """True once this process hears the others, or is alone."""
        return self.is_alone or self.mailbox != ALONE

    @property
    def mailbox(self) -> str:
        """Where this process is called."""
        return self._box.name

    @property
    def links(self) -> int:
        """Connections to Redis that this process holds; the settings bound them. From any thread."""
        return self._box.links

    async def start(self) -> None:
        """Opens the mailbox and the control shard."""
        if self.is_alone:
            return
        await self._open()
        self._spawn(self._publish_forever())
        await self.subscribe(CONTROL)
        self._spawn(self._beacon_forever())

    async def _open(self) -> None:
        for number in itertools.count():
            try:
                await self._box.open()
            except Exception as error:
                if not number:
                    logger.warning("backplane: cannot connect, and goes on trying: %r", error)
                self._drop_pending()
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def stop(self) -> None:
        """Sends what is pending, then closes the links."""
        if self.is_alone:
            return
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._publish_pending(), RETRY_S)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=SEND_S)
        self._tasks.clear()
        await self._box.close()

    # -- out

    def announce(self, announcement: Announcement) -> None:
        """Sends an announcement to the other processes that need its shard."""
        if not self.is_alone:
            self._enqueue(shard_of(announcement.topic), Envelope(announcement))

    def control(self, kind: str, payload: dict[str, Any]) -> None:
        """Sends a control message to every other process."""
        if not self.is_alone:
            self._enqueue(CONTROL, Control(kind, payload))

    async def call(
        self, mailbox: str, kind: str, payload: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Asks one process; raises Unreachable when it does not answer in time."""
        if mailbox == self.mailbox:
            return await self.answers[kind](payload)
        return await self._calls.ask(mailbox, self.mailbox, kind, payload, timeout_s)

    async def _send_call(self, mailbox: str, call: Call) -> None:
        await self._box.send(mailbox, {"type": "commsite.call", "d": pack(call)})

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
            if self._is_cut:
                continue  # it is woken again once it hears itself
            try:
                await self._publish_pending()
            except Exception as error:
                count("backplane_errors_total")
                self._cut(error)

    async def _publish_pending(self) -> None:
        async with self._publishing:  # a stop waits for what is on its way
            while self._pending and not self._is_cut:
                shard = next(iter(self._pending))
                items = self._pending.pop(shard)
                first = self._numbers[shard] + 1
                # A failed publish leaves a gap, which is the truth.
                self._numbers[shard] += len(items)
                await self._publish(Packet(self.node, self.epoch, shard, first, items))

    async def _publish(self, packet: Packet) -> None:
        message = {"type": "commsite.packet", "d": pack(packet)}
        await self._box.send_to_group(group_of(packet.shard), message)
        count("backplane_packets_sent_total")

    async def _beacon_forever(self) -> None:
        while True:
            await asyncio.sleep(BEACON_S)
            if self._is_cut:
                continue
            self._echo.clear()
            self._spawn(self._send_beacon())
            if not await self._box.listens_until(self._spawn(self._echo.wait()), ECHO_S):
                self._cut("an own beacon did not come back")

    async def _send_beacon(self) -> None:
        first, heads = self._numbers[CONTROL] + 1, dict(self._numbers)
        try:
            await self._publish(Packet(self.node, self.epoch, CONTROL, first, [], heads=heads))
        except Exception as error:
            self._cut(error)

    # -- a broken link

    @property
    def _is_cut(self) -> bool:
        """True from when the link is found broken until this process hears itself again; it says nothing meanwhile."""
        return self._mending is not None and not self._mending.done()

    def _cut(self, why: object) -> None:
        if not self._is_cut:
            logger.warning("backplane: broken, silent until mended: %s", str(why) or repr(why))
            self._mending = self._spawn(self._mend())

    async def _mend(self) -> None:
        """Listens first, then speaks: whoever asks because of what we said must find us listening."""
        loop = asyncio.get_running_loop()
        began, patience_s, pause_s = loop.time(), RETRY_S, 0.0
        while not await self._hears_itself(patience_s):
            if loop.time() - began > KEPT_S:
                self._drop_pending()
            await asyncio.sleep(pause_s)
            self._lost |= self._confirmed - {CONTROL}
            self._confirmed = set()
            self._box.renew()
            patience_s, pause_s = PROBE_TIMEOUT_S, RETRY_S
        logger.warning("backplane: was broken for %.1f s", loop.time() - began)
        self._mending = None
        self._echo.set()  # a beacon that was lost in the cut is waited for no more
        self._wake.set()
        self._receiver.on_missed(CONTROL)  # what was said while nothing was heard
        self.tend(self._wanted)

    async def _hears_itself(self, patience_s: float) -> bool:
        """Whether an own word comes back."""
        return await self._box.listens_until(self._spawn(self._probe(CONTROL, None)), patience_s)

    def _drop_pending(self) -> None:
        """What is too old to be of use; the numbers show the others that they missed something."""
        for shard, items in self._pending.items():
            self._numbers[shard] += len(items)
            count("backplane_dropped_total", len(items))
        self._pending.clear()

    # -- in

    def is_subscribed(self, shard: int) -> bool:
        """True when messages of this shard certainly reach this process."""
        return self.is_alone or shard in self._confirmed

    async def subscribe(self, shard: int) -> None:
        """Joins a shard and returns when a probe has come back, so that nothing published later is missed."""
        self._wanted.add(shard)
        if self.is_subscribed(shard):
            return
        running = self._subscribing.get(shard)
        if running is None:
            running = self._subscribing[shard] = asyncio.ensure_future(self._subscribe(shard))
            running.add_done_callback(lambda _: self._subscribing.pop(shard, None))
        await asyncio.shield(running)

    def tend(self, needed: set[int]) -> None:
        """Leaves the shards that no topic here needs any more, and tries again for those that were not confirmed."""
        if self.is_alone:
            return
        self._wanted = needed | {CONTROL}
        self._lost &= self._wanted
        if self._is_cut:
            return
        for shard in self._confirmed - self._wanted:
            self._confirmed.discard(shard)
            self._spawn(self._leave(shard))
        for shard in self._wanted - self._confirmed:
            self._spawn(self._recover(shard))

    async def _leave(self, shard: int) -> None:
        if shard in self._confirmed or shard in self._subscribing:
            return  # someone came back meanwhile
        with contextlib.suppress(Exception):
            await self._box.leave(group_of(shard))

    async def _recover(self, shard: int) -> None:
        running = self._subscribing.get(shard)
        if running is not None:  # it may have used up its tries while the link was broken
            await asyncio.wait({running})
        await self.subscribe(shard)

    async def _subscribe(self, shard: int) -> None:
        for _ in range(PROBE_TRIES):
            if not self._is_cut and await self._probe(shard, PROBE_TIMEOUT_S):
                return
            await asyncio.sleep(RETRY_S)
        self._lost.add(shard)
        logger.warning("backplane: shard %s not confirmed", shard)
        count("backplane_unconfirmed_total")

    async def _probe(self, shard: int, patience_s: float | None) -> bool:
        """Joins a shard; True once an own word has come back through it."""
        renewals, probe = self._box.renewals, f"{self.node}.{next(self._ids)}"
        arrived = self._probes[probe] = asyncio.Event()
        try:
            async with asyncio.timeout(patience_s):
                await self._box.join(group_of(shard))
                await self._publish(Packet(self.node, self.epoch, shard, 0, [], probe=probe))
                await arrived.wait()
        except Exception as error:
            logger.info("backplane: shard %s not confirmed: %r", shard, error)
            return False
        finally:
            del self._probes[probe]
        if renewals != self._box.renewals:
            return False  # it came back through links that are no more
        self._confirmed.add(shard)
        if shard in self._lost:
            self._lost.discard(shard)
            self._receiver.on_missed(shard)
        return True

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
                self._see(packet, shard, head)
            return
        if packet.epoch != OUTSIDE:
            self._see(packet, packet.shard, packet.first - 1)
            last = packet.first + len(packet.items) - 1
            self._heads.put(packet.node, packet.epoch, packet.shard, last)
        for item in packet.items:
            self._hand_on(item)

    def _hand_on(self, item: Envelope | Control) -> None:
        if isinstance(item, Envelope):
            self._receiver.on_announcement(item.announcement)
        else:
            self._receiver.on_control_message(item.kind, item.payload)

    def _on_echo(self, packet: Packet) -> None:
        """Our own words have come back: the link stands."""
        if packet.heads is not None:
            self._echo.set()

    def _see(self, packet: Packet, shard: int, upto: int) -> None:
        """Holds what should have come against what came, also in shards that nobody here needs yet."""
        missing = self._heads.missing(packet.node, packet.epoch, shard, upto)
        if not missing:
            return
        self._heads.put(packet.node, packet.epoch, shard, upto)
        if shard == CONTROL or shard in self._confirmed or shard in self._subscribing:
            count("backplane_gaps_total")
            logger.warning("backplane: missed %s of %s in shard %s", missing, packet.node, shard)
            self._receiver.on_missed(shard)

    def forget(self, node: str) -> None:
        """The process is gone: nothing more comes of it."""
        self._heads.forget(node)

    def _on_call(self, call: Call) -> None:
        if call.kind is None:
            self._calls.on_answer(call)
        else:
            self._spawn(self._calls.answer(call, call.kind, self.mailbox))

    # -- tasks

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
