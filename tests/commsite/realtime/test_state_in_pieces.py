"""State told in pieces: a joiner gets one snapshot and then the tail, a slow client a snapshot in place of a gap."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from commsite.realtime import history_channel, registry
from commsite.realtime.announcement import Announcement
from commsite.realtime.envelope import wire
from commsite.realtime.history_channel import HistoryChannel
from commsite.realtime.mirror import Mirror
from commsite.realtime.outbox import CONFLATED, EVICTED, RENEWED, Outbox
from commsite.realtime.registry import Delivery, State
from commsite.realtime.telemetry import counters
from tests.commsite.realtime import rooms
from tests.commsite.realtime.test_history_channel import Scheduler
from tests.support.socket_client import MemoryTransport, SocketClient, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.hub import Hub

    Connect = Callable[..., SocketClient]

TOPIC = "story:a"
PIECE = "piece_told"
KEY = "s1"


class Story:
    """What is written, letter by letter: the database."""

    def __init__(self) -> None:
        self.text = ""

    def write(self) -> Announcement:
        """The next piece, stored; to be announced."""
        letter = chr(ord("a") + len(self.text) % 26)
        self.text += letter
        payload = {"version": len(self.text), "letter": letter}
        body = msgspec.json.encode(payload)
        return Announcement(TOPIC, PIECE, body, Delivery.STATE, key=KEY, version=len(self.text))

    @property
    def snapshot(self) -> dict[str, Any]:
        return {"version": len(self.text), "text": self.text}


story = Story()


class StoryFolding:
    """Pieces are letters."""

    def begin(self, piece: bytes) -> str | None:
        return None

    def load(self, snapshot: bytes) -> str:
        return str(json.loads(snapshot)["text"])

    def fold(self, state: str, piece: bytes) -> str | None:
        told = json.loads(piece)
        assert told["version"] == len(state) + 1
        return state + str(told["letter"])

    def dump(self, state: str) -> bytes:
        return json.dumps({"version": len(state), "text": state}).encode()


class StoryChannel(HistoryChannel):
    """Has no facts: only the story."""

    def authorize(self) -> None:
        """Everybody may."""

    def snapshot(self) -> tuple[int, dict[str, Any]]:
        return 0, {}

    def replay(self, after: int, limit: int) -> tuple[int, list[Any]] | None:
        return 0, []

    def states(self) -> list[State]:
        self._read_story = story.snapshot
        return [State(PIECE, KEY, self._read_story["version"], self._read_story)]

    def welcome(self) -> dict[str, Any]:
        return {"story": self._read_story}


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._routes, "story", StoryChannel)
    monkeypatch.setitem(registry._histories, "story", rooms.read_log)
    monkeypatch.setitem(registry._deliveries, PIECE, Delivery.STATE)
    monkeypatch.setitem(registry._mirrors, PIECE, Mirror(StoryFolding()))
    story.text = ""


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    fake = Scheduler()
    monkeypatch.setattr(history_channel, "in_thread", fake)
    return fake


def read_by(client: SocketClient) -> str | None:
    """What a client has, by the rules of the protocol; None before its join was answered. No piece may be missing."""
    replies = [frame for frame in client.seen if frame.event == "phx_reply"]
    if not replies:
        return None
    text: str = replies[0].payload["response"]["story"]["text"]
    renewed = 0
    for piece in client.of(TOPIC, PIECE):
        if "text" in piece:
            assert len(piece["text"]) >= len(text), "a snapshot that is older than what was told"
            text = piece["text"]
            renewed = piece["version"]
        elif piece["version"] > renewed:
            assert piece["version"] == len(text) + 1, "a gap or a repeat"
            text += piece["letter"]
    return text


async def test_a_joiner_gets_one_snapshot_and_then_the_tail(
    connect: Connect, hub: Hub, scheduler: Scheduler
) -> None:
    for _ in range(3):
        story.write()
    client = connect()
    client.ask_to_join(TOPIC)
    await settle()
    during = [story.write(), story.write()]
    scheduler.waiting.pop(0).set()  # the join reads: five pieces
    await settle()
    for piece in [*during, story.write()]:
        hub.announce(piece)
    scheduler.release_all()
    await client.until(lambda frame: frame.payload.get("version") == 6)
    assert read_by(client) == "abcdef"
    assert [piece["version"] for piece in client.of(TOPIC, PIECE)] == [6]


async def test_a_slow_client_gets_one_snapshot_when_it_drains(connect: Connect, hub: Hub) -> None:
    slow, quick = connect(1), connect(2)
    for client in (slow, quick):
        await client.join(TOPIC)
    before = counters[CONFLATED], counters[RENEWED]
    slow.transport.clog()
    for _ in range(50):
        hub.announce(story.write())
        await asyncio.sleep(0)
    assert slow.socket.outbox.queued_bytes == 0
    slow.transport.clear()
    await settle()
    hub.announce(story.write())
    await slow.until(lambda frame: frame.payload.get("version") == 51)
    assert read_by(slow) == read_by(quick) == story.text
    assert [piece["version"] for piece in slow.of(TOPIC, PIECE)] == [50, 51]
    assert len(quick.of(TOPIC, PIECE)) == 51
    assert (counters[CONFLATED] - before[0], counters[RENEWED] - before[1]) == (1, 1)


async def test_a_single_piece_that_waited_is_sent_as_it_is(connect: Connect, hub: Hub) -> None:
    client = connect()
    await client.join(TOPIC)
    client.transport.clog()
    hub.announce(story.write())
    await settle()
    client.transport.clear()
    assert client.of(TOPIC, PIECE) == [{"version": 1, "letter": "a"}]


def test_a_piece_that_the_bound_costs_is_renewed_too() -> None:
    async def run() -> None:
        transport = MemoryTransport()
        outbox = Outbox(transport, 30, lambda: None)
        before = counters[EVICTED]
        transport.clog()
        outbox.put(wire(b"x" * 10), Delivery.STATE, "k", lambda: wire(b"all of it"))
        for _ in range(2):
            outbox.put(wire(b"y" * 10))
        outbox.put(wire(b"z" * 10), Delivery.STATE, "k", lambda: wire(b"even more"))
        assert counters[EVICTED] - before == 1
        transport.clear()
        sent = [body for body, _ in transport.messages]
        assert sent == [b"y" * 10, b"y" * 10, b"all of it"]

    asyncio.run(run())


async def test_what_could_not_be_kept_during_a_join_is_read_again(
    connect: Connect, hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(outbox_bytes=1000)
    client = connect()
    client.ask_to_join(TOPIC)
    client.transport.clog()
    for _ in range(100):
        hub.announce(story.write())
        await asyncio.sleep(0)
    client.transport.clear()
    hub.announce(story.write())
    async with asyncio.timeout(5):
        while read_by(client) != story.text:
            await client.transport.news()


class Schedule:
    """One random run: a writer, and clients that join, read slowly and leave."""

    def __init__(self, hub: Hub, scheduler: Scheduler, seed: int) -> None:
        self.hub = hub
        self.scheduler = scheduler
        self.random = random.Random(seed)
        self.on_the_way: list[Announcement] = []
        self.clients: list[SocketClient] = []

    async def run(self, steps: int) -> None:
        actions = [
            self.write, self.write, self.write, self.announce, self.announce, self.announce, self.join,
            self.read, self.read, self.read, self.clog, self.clear, self.turn, self.vanish,
        ]  # fmt: skip
        for _ in range(steps):
            self.random.choice(actions)()
            if self.random.random() < 0.5:
                await asyncio.sleep(0)
        await self.finish()

    def write(self) -> None:
        self.on_the_way.append(story.write())

    def announce(self) -> None:
        """In order, as one writer's announcements come."""
        if self.on_the_way:
            self.hub.announce(self.on_the_way.pop(0))

    def join(self) -> None:
        if len(self.clients) < 6:
            client = SocketClient.connect(self.hub, len(self.clients) + 1)
            self.clients.append(client)
            client.ask_to_join(TOPIC, self.random.choice([{}, {"since": 0}]))

    def read(self) -> None:
        if self.scheduler.waiting:
            self.scheduler.waiting.pop(self.random.randrange(len(self.scheduler.waiting))).set()

    def clog(self) -> None:
        if self.clients:
            self.random.choice(self.clients).transport.clog()

    def clear(self) -> None:
        if self.clients:
            self.random.choice(self.clients).transport.clear()

    def turn(self) -> None:
        self.hub.fanout.flush()

    def vanish(self) -> None:
        if self.clients and self.random.random() < 0.2:
            client = self.random.choice(self.clients)
            if client.socket.id in self.hub.by_id:
                client.vanish()

    async def finish(self) -> None:
        self.scheduler.release_all()
        while self.on_the_way:
            self.announce()
        for client in self.clients:
            client.transport.clear()
        alive = [client for client in self.clients if client.socket.id in self.hub.by_id]
        async with asyncio.timeout(5):
            for client in alive:
                while read_by(client) != story.text:
                    await client.transport.news()
        for client in self.clients:
            assert story.text.startswith(read_by(client) or "")


@pytest.mark.parametrize("seed", range(60))
async def test_never_a_piece_missing_never_one_twice(
    hub: Hub, scheduler: Scheduler, set_limits: Callable[..., None], seed: int
) -> None:
    set_limits(outbox_bytes=random.Random(seed).choice([300, 3000, 100_000]))
    await Schedule(hub, scheduler, seed).run(150)
