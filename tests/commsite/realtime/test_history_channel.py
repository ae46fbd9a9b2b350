"""Topics with history: never a gap, never a repeat, whatever commits, losses and joins do to each other."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime import fanout as fanout_module
from commsite.realtime import history_channel
from commsite.realtime import hub as hub_module
from tests.commsite.realtime import rooms
from tests.support.socket_client import SocketClient, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.announcement import Announcement
    from commsite.realtime.hub import Hub

    Connect = Callable[..., SocketClient]

TOPIC = "log:a"


class Scheduler:
    """Reads of history that happen, and whose results are seen, when the schedule says so."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Event] = []
        self.is_manual = True

    async def __call__(self, fn: Any, *args: Any) -> Any:
        await self._turn()
        result = fn(*args)
        await self._turn()
        return result

    async def _turn(self) -> None:
        if self.is_manual:
            gate = asyncio.Event()
            self.waiting.append(gate)
            await gate.wait()

    def release_all(self) -> None:
        self.is_manual = False
        for gate in self.waiting:
            gate.set()


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    fake = Scheduler()
    monkeypatch.setattr(hub_module, "in_thread", fake)
    monkeypatch.setattr(history_channel, "in_thread", fake)
    monkeypatch.setattr(fanout_module, "HOLE_PATIENCE_S", 0.0005)
    return fake


def view(client: SocketClient, start: int) -> list[int]:
    """The facts a client has seen since `start`, in the order in which it saw them."""
    return [start, *(payload["n"] for payload in client.of(TOPIC, "written"))]


async def test_a_first_join_gets_the_newest_and_its_seq(connect: Connect) -> None:
    for _ in range(3):
        rooms.commit("a")
    reply = await connect().join(TOPIC)
    assert reply == {"seq": 3, "reset": False, "hello": "user1", "facts": [1, 2, 3]}


async def test_a_join_with_since_gets_what_it_missed_as_pushes_behind_the_reply(
    connect: Connect,
) -> None:
    for _ in range(5):
        rooms.commit("a")
    client = connect()
    reply = await client.join(TOPIC, {"since": 2})
    assert reply == {"seq": 5, "reset": False, "hello": "user1"}
    await client.until(lambda frame: frame.payload == {"n": 5})
    assert view(client, 2) == [2, 3, 4, 5]
    assert [frame.join_ref for frame in client.seen] == ["1", "1", "1", "1"]


async def test_a_join_that_has_missed_nothing_gets_nothing(connect: Connect) -> None:
    rooms.commit("a")
    client = connect()
    assert (await client.join(TOPIC, {"since": 1}))["seq"] == 1
    await settle()
    assert len(client.seen) == 1


@pytest.mark.parametrize("since", [-1, 4, 2**53 - 1])
async def test_a_since_that_cannot_be_had_starts_afresh(connect: Connect, since: int) -> None:
    for _ in range(3):
        rooms.commit("a")
    reply = await connect().join(TOPIC, {"since": since})
    assert (reply["seq"], reply["reset"], reply["facts"]) == (3, True, [1, 2, 3])


async def test_who_missed_more_than_may_be_replayed_starts_afresh(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_channel, "REPLAY_LIMIT", 2)
    for _ in range(4):
        rooms.commit("a")
    assert (await connect().join(TOPIC, {"since": 1}))["reset"] is True


@pytest.mark.parametrize("since", ["1", 1.5, True, [], 2**53, 10**30])
async def test_a_since_that_is_no_seq_is_an_invalid_payload(connect: Connect, since: Any) -> None:
    client = connect()
    response = await client.assert_reply(client.ask_to_join(TOPIC, {"since": since}), "error")
    assert response["reason"] == "invalid_payload"
    assert "since" in response["expected"]


async def test_who_may_not_join_reads_no_history(connect: Connect) -> None:
    client = connect()
    response = await client.assert_reply(client.ask_to_join("log:closed"), "error")
    assert response["reason"] == "forbidden"
    assert client.hub.fanout.topics == {}


async def test_live_events_follow_the_replay_and_their_class_is_kept(connect: Connect) -> None:
    rooms.commit("a")
    client = connect()
    await client.join(TOPIC, {"since": 0})
    client.hub.announce(rooms.commit("a"))
    await client.until(lambda frame: frame.payload == {"n": 2})
    assert view(client, 0) == [0, 1, 2]


async def test_a_fact_announced_while_history_is_read_arrives_once(
    connect: Connect, scheduler: Scheduler
) -> None:
    client = connect()
    rooms.commit("a")
    client.ask_to_join(TOPIC, {"since": 0})
    await settle()
    client.hub.announce(rooms.commit("a"))  # before the read: in the replay and announced
    scheduler.waiting.pop(0).set()
    await settle()
    client.hub.announce(rooms.commit("a"))  # after the read: announced only
    scheduler.release_all()
    await client.until(lambda frame: frame.payload == {"n": 3})
    await settle()
    assert view(client, 0) == [0, 1, 2, 3]


async def test_a_long_replay_waits_for_a_slow_client_and_loses_nothing(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(outbox_bytes=3000)
    for _ in range(300):
        rooms.commit("a", text="x" * 100)
    client = connect()
    send = client.transport._write

    def slow(data: bytes) -> None:
        send(data)
        if len(client.transport.messages) % 7 == 0:
            client.transport.clog()
            asyncio.get_running_loop().call_soon(client.transport.clear)

    client.transport.write = client.socket.outbox.write = slow
    await client.join(TOPIC, {"since": 0})
    await client.until(lambda frame: frame.payload.get("n") == 300)
    assert view(client, 0) == list(range(301))
    assert client.transport.closed is None


async def test_what_comes_during_a_slow_replay_and_cannot_be_kept_is_read_again(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(outbox_bytes=3000)
    for _ in range(3):
        rooms.commit("a")
    client = connect()
    await client.join(TOPIC, {"since": 3})
    client.leave(TOPIC)
    client.transport.messages.clear()
    ref = client.ask_to_join(TOPIC, {"since": 0})
    client.transport.clog()
    await settle()
    for _ in range(100):
        client.hub.announce(rooms.commit("a", text="x" * 100))
        await asyncio.sleep(0)
    assert len(client.transport.messages) == 0
    client.transport.clear()
    await client.assert_reply(ref)
    await client.until(lambda frame: frame.payload.get("n") == 103)
    assert view(client, 0) == list(range(104))


class Schedule:
    """One random run: a writer, a lossy and shuffling way to the hub, and clients that come, go and come back."""

    def __init__(self, hub: Hub, scheduler: Scheduler, seed: int) -> None:
        self.hub = hub
        self.scheduler = scheduler
        self.random = random.Random(seed)
        self.on_the_way: list[Announcement] = []
        self.has_lost = False
        self.clients: list[SocketClient] = []
        self.starts: dict[int, int] = {}
        self.committed = 0

    async def run(self, steps: int) -> None:
        actions = [
            self.commit, self.commit, self.announce, self.announce, self.announce_again,
            self.lose, self.join, self.step_read, self.step_read, self.step_read,
            self.turn, self.turn, self.clog, self.clear, self.rejoin, self.resync,
        ]  # fmt: skip
        for _ in range(steps):
            self.random.choice(actions)()
            if self.random.random() < 0.5:
                await asyncio.sleep(0)
        await self.finish()

    def commit(self) -> None:
        self.on_the_way.append(rooms.commit("a"))
        self.committed += 1

    def _any(self) -> int:
        return self.random.randrange(len(self.on_the_way))

    def announce(self) -> None:
        if self.on_the_way:
            self.hub.announce(self.on_the_way.pop(self._any()))

    def announce_again(self) -> None:
        if self.on_the_way:
            self.hub.announce(self.on_the_way[self._any()])

    def lose(self) -> None:
        if self.on_the_way:
            self.on_the_way.pop(self._any())
            self.has_lost = True

    def resync(self) -> None:
        self.hub.fanout.resync(lambda topic: True)

    def join(self) -> None:
        if len(self.clients) < 5:
            self._join_with(self.random.choice([None, self.random.randint(0, self.committed)]))

    def _join_with(self, since: int | None) -> None:
        client = SocketClient.connect(self.hub, len(self.clients) + 1)
        self.clients.append(client)
        client.ask_to_join(TOPIC, {} if since is None else {"since": since})

    def rejoin(self) -> None:
        """A client is lost and comes back with the last seq that it has."""
        if self.clients:
            client = self.random.choice(self.clients)
            seen = self.seen_by(client)
            if seen is not None and client.socket.id in self.hub.by_id:
                client.vanish()
                self._join_with(seen[-1])

    def step_read(self) -> None:
        if self.scheduler.waiting:
            self.scheduler.waiting.pop(self.random.randrange(len(self.scheduler.waiting))).set()

    def turn(self) -> None:
        self.hub.fanout.flush()

    def clog(self) -> None:
        if self.clients:
            self.random.choice(self.clients).transport.clog()

    def clear(self) -> None:
        if self.clients:
            self.random.choice(self.clients).transport.clear()

    def seen_by(self, client: SocketClient) -> list[int] | None:
        """What a client knows, from its join on; None before its join was answered."""
        frames = client.seen
        if not frames:
            return None
        response = frames[0].payload["response"]
        if "facts" in response:
            start = response["seq"]
        else:
            behind = [frame for frame in frames[1:] if frame.event == "written"]
            start = behind[0].payload["n"] - 1 if behind else response["seq"]
        return view(client, start)

    async def finish(self) -> None:
        self.scheduler.release_all()
        while self.on_the_way:
            self.announce()
        for client in self.clients:
            client.transport.clear()
        if self.has_lost:
            self.resync()
        alive = [client for client in self.clients if client.socket.id in self.hub.by_id]
        async with asyncio.timeout(5):
            for client in alive:
                while (self.seen_by(client) or [-1])[-1] != self.committed:
                    await client.transport.news()
        for client in self.clients:
            seen = self.seen_by(client)
            if seen is not None:
                assert seen == list(range(seen[0], seen[-1] + 1)), (client.socket.id, seen)


async def test_a_join_that_read_history_earlier_than_another_misses_nothing(
    connect: Connect, scheduler: Scheduler
) -> None:
    first, second = connect(1), connect(2)
    rooms.commit("a")
    first.ask_to_join(TOPIC)
    await settle()
    scheduler.waiting.pop(0).set()  # the first reads: up to 1
    await settle()
    first_result = scheduler.waiting.pop(0)
    lost = rooms.commit("a")
    second.ask_to_join(TOPIC)
    await settle()
    for _ in range(2):  # the second reads and is answered: up to 2
        scheduler.waiting.pop(0).set()
        await settle()
    assert second.seen[0].payload["response"]["seq"] == 2
    second.hub.announce(lost)
    first_result.set()
    scheduler.release_all()
    assert await first.assert_push(TOPIC, "written") == {"n": 2}


@pytest.mark.parametrize("seed", range(60))
async def test_never_a_gap_never_a_repeat(hub: Hub, scheduler: Scheduler, seed: int) -> None:
    for _ in range(seed % 4):
        rooms.commit("a")
    schedule = Schedule(hub, scheduler, seed)
    schedule.committed = seed % 4
    await schedule.run(120)


async def test_many_join_at_once_while_much_is_written(hub: Hub) -> None:
    """With real threads: nothing is scheduled by hand."""
    clients = [SocketClient.connect(hub, number) for number in range(30)]
    for number, client in enumerate(clients):
        client.ask_to_join(TOPIC, {"since": 0})
        hub.announce(rooms.commit("a"))
        if number % 3 == 0:
            await asyncio.sleep(0)
    for client in clients:
        await client.until(lambda frame: frame.payload == {"n": 30})
        assert view(client, 0) == list(range(31))
