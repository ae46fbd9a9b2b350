"""The load: many connections in one process, and the four things that are done with them.

Frames are parsed only where a number needs it: publishers look for their own mark in the last
bytes, a few listeners read the time stamp for latency. All other subscribers of a fan-out count
bytes: every frame of a run has the same length, and after the run each subscriber must have had
every publish.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.dialects import MARK_BYTES, Dialect, Greeting, mark, stamp

if TYPE_CHECKING:
    from bench.servers import Server

CONNECT_CONCURRENCY = 32
LATENCY_LISTENERS = 16
JOIN_DEADLINE_S = 60.0
FrameHandler = Callable[[WSFrame], None]


class Member(WSListener):
    """One connection: joins, then counts what it gets unless it was given a handler."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.frames = 0
        self.handler: FrameHandler | None = self._greet
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: WSTransport | None = None
        self.latencies_ns: list[int] = []
        self.counter: ByteCounter | None = None
        self.frame_bytes = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Send what opens the conversation."""
        self.transport = transport
        if not self.dialect.joins:
            self._become_joined()
            return
        opening = self.dialect.opening()
        if opening is not None:
            self.send(opening)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count the frame, or hand it to the present handler."""
        if self.handler is None:
            self.frames += 1
        else:
            self.handler(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Let a join that still waits fail."""
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("closed before it had joined"))

    def send(self, text: bytes) -> None:
        """Send one text frame."""
        if self.transport is None:
            raise ConnectionError("not connected")
        self.transport.send(WSMsgType.TEXT, text)

    def close(self) -> None:
        """Drop the connection."""
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def count_bytes_only(self) -> None:
        """Stop parsing frames from here on."""
        if self.transport is None:
            raise ConnectionError("not connected")
        self.counter = ByteCounter()
        self.transport.underlying_transport.set_protocol(self.counter)

    def count_and_keep_alive(self, frame: WSFrame) -> None:
        """Count a delivery; answer a frame that is the protocol's own liveness check."""
        answer = self._answered_upkeep(frame)
        if not answer:
            self.frames += 1

    def time_and_count(self, frame: WSFrame) -> None:
        """Count a delivery and note how long it was under way."""
        if self._answered_upkeep(frame):
            return
        self.frames += 1
        self.frame_bytes = frame.payload_size + _header_bytes(frame.payload_size)
        sent = stamp(frame.get_payload_as_memoryview())
        self.latencies_ns.append(time.monotonic_ns() - sent)

    def _answered_upkeep(self, frame: WSFrame) -> bool:
        if frame.payload_size > 1:
            return False
        answer = self.dialect.upkeep(frame.get_payload_as_bytes())
        if answer is None:
            return False
        self.send(answer)
        return True

    def _greet(self, frame: WSFrame) -> None:
        state, answer = self.dialect.greet(frame.get_payload_as_bytes())
        if answer is not None:
            self.send(answer)
        if state is Greeting.JOINED:
            self._become_joined()

    def _become_joined(self) -> None:
        self.handler = None
        if not self.joined.done():
            self.joined.set_result(None)


class ByteCounter(asyncio.BufferedProtocol):
    """Takes over a joined connection and counts its bytes: the cheapest honest subscriber.

    Without it the load would need more CPU per delivery than the servers it measures.
    """

    _sink = memoryview(bytearray(256 * 1024))

    def __init__(self) -> None:
        self.received = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer that all counters share; nobody reads it."""
        return self._sink

    def buffer_updated(self, nbytes: int) -> None:
        """Count what arrived."""
        self.received += nbytes


class Publisher:
    """Publishes again each time its own message comes back to its own connection."""

    def __init__(self, member: Member, number: int) -> None:
        self.member = member
        self.number = number
        self.mark = mark(number)
        self.is_running = True
        member.handler = self._on_frame

    def publish(self) -> None:
        """Send one publish."""
        self.member.send(self.member.dialect.publish(self.number))

    def _on_frame(self, frame: WSFrame) -> None:
        member = self.member
        view = frame.get_payload_as_memoryview()
        if bytes(view[-MARK_BYTES:]) != self.mark:
            member.count_and_keep_alive(frame)
            return
        member.frames += 1
        member.latencies_ns.append(time.monotonic_ns() - stamp(view))
        if self.is_running:
            self.publish()


class Echoer:
    """Sends, waits for the answer, sends again."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.sent_ns = 0
        self.is_running = True
        member.handler = self._on_frame

    def ask(self) -> None:
        """Send one frame that wants an answer."""
        self.sent_ns = time.monotonic_ns()
        self.member.send(self.member.dialect.echo())

    def _on_frame(self, frame: WSFrame) -> None:
        self.member.frames += 1
        self.member.latencies_ns.append(time.monotonic_ns() - self.sent_ns)
        if self.is_running:
            self.ask()


@dataclass
class Sample:
    """What one run of one server showed."""

    cpu_us: float = 0.0
    per_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    rss_kib: float = 0.0
    busy: float = 0.0
    load_busy: float = 0.0
    count: int = 0
    extra: dict[str, float] = field(default_factory=dict)


async def join_all(server: Server, purpose: str, count: int) -> list[Member]:
    """Open `count` connections, at most 32 under way at once, and wait until all have joined."""
    members: list[Member] = []
    left = count
    url = server.dialect.url(server.port, purpose)

    async def one_after_another() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            member = Member(server.dialect)
            await ws_connect(
                lambda member=member: member, url, read_buffer_init_size=8192, use_aiofastnet=False
            )
            await member.joined
            members.append(member)

    async with asyncio.timeout(JOIN_DEADLINE_S), asyncio.TaskGroup() as group:
        for _ in range(min(CONNECT_CONCURRENCY, count)):
            group.create_task(one_after_another())
    return members


async def close_all(server: Server, members: list[Member]) -> None:
    """Drop every connection and wait until the server has nothing left to do about it."""
    for member in members:
        member.close()
    await server.settle()


async def fan_out(
    server: Server, *, subscribers: int, outstanding: int, warm_up_s: float, window_s: float
) -> Sample:
    """Keep `outstanding` publishes under way to `subscribers`; measure one window of it."""
    members = await join_all(server, "msg", subscribers)
    listeners = set(members[outstanding :: max(1, subscribers // LATENCY_LISTENERS)])
    for member in members[outstanding:]:
        if member in listeners:
            member.handler = member.time_and_count
        else:
            member.count_bytes_only()
    publishers = [Publisher(member, n) for n, member in enumerate(members[:outstanding])]
    for publisher in publishers:
        publisher.publish()
    sample = await _measure(server, members, warm_up_s, window_s)
    for publisher in publishers:
        publisher.is_running = False
    await server.settle()
    _expect_nothing_lost(server, members)
    await close_all(server, members)
    return sample


async def paced_fan_out(
    server: Server, *, subscribers: int, per_s: float, warm_up_s: float, window_s: float
) -> Sample:
    """Publish by the clock, so often a second, to `subscribers`; measure one window of it."""
    members = await join_all(server, "msg", subscribers)
    listeners = set(members[:: max(1, subscribers // LATENCY_LISTENERS)])
    for member in members:
        if member in listeners:
            member.handler = member.time_and_count
        else:
            member.count_bytes_only()
    publishing = asyncio.create_task(_publish_by_the_clock(members[0], per_s))
    sample = await _measure(server, members, warm_up_s, window_s)
    publishing.cancel()
    await asyncio.wait({publishing})
    await server.settle()
    _expect_nothing_lost(server, members)
    await close_all(server, members)
    return sample


async def _publish_by_the_clock(member: Member, per_s: float) -> None:
    due = time.monotonic()
    while True:
        member.send(member.dialect.publish(0))
        due += 1 / per_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def echo(server: Server, *, clients: int, warm_up_s: float, window_s: float) -> Sample:
    """Keep one push under way on each of `clients` connections; measure one window of it."""
    members = await join_all(server, "echo", clients)
    echoers = [Echoer(member) for member in members]
    for echoer in echoers:
        echoer.ask()
    sample = await _measure(server, members, warm_up_s, window_s)
    for echoer in echoers:
        echoer.is_running = False
    await close_all(server, members)
    return sample


async def connect(server: Server, *, count: int) -> Sample:
    """Open `count` connections, and join where there is a joining; measure until all are in."""
    await close_all(server, await join_all(server, "echo", min(count, 200)))
    cpu, start = server.cpu_s(), time.perf_counter()
    members = await join_all(server, "echo", count)
    await server.settle()
    spent, took_s = server.cpu_s() - cpu, time.perf_counter() - start
    await close_all(server, members)
    return Sample(cpu_us=spent * 1e6 / count, per_s=count / took_s, count=count)


async def idle_memory(server: Server, *, count: int) -> Sample:
    """Hold `count` joined connections; return the growth of resident memory per connection."""
    await close_all(server, await join_all(server, "msg", 200))
    before = server.rss_kib()
    members = await join_all(server, "msg", count)
    await server.settle()
    after = server.rss_kib()
    await close_all(server, members)
    return Sample(
        rss_kib=(after - before) / count,
        count=count,
        extra={"before_mib": before / 1024, "after_mib": after / 1024},
    )


async def _measure(
    server: Server, members: list[Member], warm_up_s: float, window_s: float
) -> Sample:
    await asyncio.sleep(warm_up_s)
    for member in members:
        member.latencies_ns.clear()
    counted, cpu, start = _frames(members), server.cpu_s(), time.perf_counter()
    own = time.process_time()
    await asyncio.sleep(window_s)
    took_s, own = time.perf_counter() - start, time.process_time() - own
    spent, frames = server.cpu_s() - cpu, _frames(members) - counted
    if not frames:
        raise RuntimeError(f"{server.name} delivered nothing")
    latencies = sorted(ns for member in members for ns in member.latencies_ns)
    return Sample(
        cpu_us=spent * 1e6 / frames,
        per_s=frames / took_s,
        p50_ms=_at(latencies, 0.5),
        p99_ms=_at(latencies, 0.99),
        rss_kib=server.rss_kib(),
        busy=spent / took_s,
        load_busy=own / took_s,
        count=frames,
    )


def _header_bytes(payload_bytes: int) -> int:
    if payload_bytes < 126:
        return 2
    return 4 if payload_bytes < 65_536 else 10


def _frame_bytes(members: list[Member]) -> int:
    return max((member.frame_bytes for member in members), default=0) or 1


def _frames(members: list[Member]) -> int:
    parsed = sum(member.frames for member in members)
    counted = sum(member.counter.received for member in members if member.counter)
    return parsed + counted // _frame_bytes(members)


def _expect_nothing_lost(server: Server, members: list[Member]) -> None:
    size = _frame_bytes(members)
    seen = {
        member.counter.received / size if member.counter else member.frames for member in members
    }
    if len(seen) != 1:
        raise RuntimeError(f"{server.name}: subscribers got {min(seen)} to {max(seen)} frames")


def _at(ordered_ns: list[int], share: float) -> float:
    if not ordered_ns:
        return 0.0
    return ordered_ns[min(len(ordered_ns) - 1, int(len(ordered_ns) * share))] / 1e6
