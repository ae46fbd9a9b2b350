"""Delivery in one process: written once per turn, encoded once per codec, in the order of seq, holes mended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime import fanout as fanout_module
from commsite.realtime import hub as hub_module
from commsite.realtime import telemetry
from commsite.realtime.json_codec import JSON_V1, JSON_V2
from tests.commsite.realtime import rooms
from tests.support.socket_client import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.announcement import Announcement
    from commsite.realtime.codec import Codec
    from commsite.realtime.hub import Hub
    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]


class Database:
    """Stands between the hub and history: holds reads until told, fails when told."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.failures = 0
        self.reads: list[tuple[Any, ...]] = []

    async def __call__(self, fn: Any, *args: Any) -> Any:
        self.reads.append(args)
        await self.is_open.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("no database")
        result = fn(*args)
        await settle()  # as a thread's result: other things happen before it is looked at
        return result


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """History is read through this, without threads."""
    fake = Database()
    monkeypatch.setattr(hub_module, "in_thread", fake)
    monkeypatch.setattr("commsite.realtime.history_channel.in_thread", fake)
    monkeypatch.setattr(fanout_module, "HOLE_PATIENCE_S", 0.001)
    return fake


def tell(client: SocketClient, topic: str, n: int, **options: Any) -> None:
    channel = next(iter(client.socket.channels.values()))
    rooms.announce(channel, "told", b'{"n":%d}' % n, topic=topic, **options)


async def test_the_events_of_one_turn_are_one_write_of_the_same_bytes(connect: Connect) -> None:
    clients = [connect(n) for n in range(1, 4)]
    for client in clients:
        await client.join("room:1")
        client.transport.writes.clear()
    for n in range(5):
        tell(clients[0], "room:1", n)
    await settle()
    writes = [client.transport.writes for client in clients]
    assert [len(each) for each in writes] == [1, 1, 1]
    assert writes[0][0] is writes[1][0] is writes[2][0]
    assert [payload["n"] for payload in clients[2].of("room:1")] == list(range(5))


async def test_who_has_read_ahead_of_one_state_does_not_make_the_others_dear(
    hub: Hub, connect: Connect
) -> None:
    clients = [connect(n) for n in range(1, 4)]
    for client in clients:
        await client.join("room:1")
        client.transport.writes.clear()
    topic = hub.fanout.topics["room:1"]
    topic.ahead[clients[0].socket.channels["room:1"]] = {"waits": 7}
    for n in range(5):
        tell(clients[0], "room:1", n, key="runs", version=n)
    await settle()
    assert [len(client.transport.writes) for client in clients] == [1, 1, 1]

    tell(clients[0], "room:1", 5, key="waits", version=7)
    tell(clients[0], "room:1", 6, key="waits", version=8)
    await settle()
    assert [payload["n"] for payload in clients[0].of("room:1")] == [0, 1, 2, 3, 4, 6]
    assert [payload["n"] for payload in clients[1].of("room:1")] == [0, 1, 2, 3, 4, 5, 6]


async def test_who_is_left_out_of_an_event_does_not_make_the_others_dear(
    connect: Connect,
) -> None:
    """A cursor goes to all but the one who moves it, many times a second."""
    clients = [connect(n) for n in range(1, 5)]
    for client in clients:
        await client.join("room:1")
        client.transport.writes.clear()
    for n in range(2):
        tell(clients[0], "room:1", n, exclude=clients[n].socket.channels["room:1"].id)
    tell(clients[0], "room:1", 2)
    await settle()

    heard = [[payload["n"] for payload in client.of("room:1")] for client in clients]
    assert heard == [[1, 2], [0, 2], [0, 1, 2], [0, 1, 2]]
    assert len(clients[2].transport.writes) == 1
    assert clients[2].transport.writes[0] is clients[3].transport.writes[0]


async def test_a_turn_of_many_bytes_is_flushed_early(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    client.transport.writes.clear()
    for n in range(3):
        channel = client.socket.channels["room:1"]
        rooms.announce(channel, "told", b'{"n":%d,"x":"%b"}' % (n, b"x" * 50_000))
    assert len(client.transport.writes) == 1
    await settle()
    assert [payload["n"] for payload in client.of("room:1")] == [0, 1, 2]


async def test_an_event_is_encoded_once_per_codec(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(codec: Codec) -> Callable[..., Any]:
        encode = codec.broadcast

        def broadcast(*args: Any) -> Any:
            made.append(codec.name)
            return encode(*args)

        return broadcast

    for codec in (JSON_V1, JSON_V2):
        monkeypatch.setattr(codec, "broadcast", counted(codec))
    clients = [connect(n, codec=codec) for n, codec in enumerate([JSON_V2, JSON_V2, JSON_V1] * 2)]
    slow = connect(90, is_raw=False)
    for client in clients:
        text = b'["1","1","room:1","phx_join",{}]'
        if client.socket.codec is JSON_V1:
            text = b'{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}'
        client.socket.receive(text, False)
    await slow.join("room:1")
    tell(slow, "room:1", 1)
    await settle()
    assert sorted(made) == ["json-v1", "json-v2"]
    assert all(len(client.transport.messages) == 2 for client in [*clients, slow])


async def test_a_clogged_socket_gets_its_events_later_and_in_order(connect: Connect) -> None:
    client, other = connect(1), connect(2)
    for each in (client, other):
        await each.join("room:1")
    client.transport.clog()
    for n in range(3):
        tell(other, "room:1", n)
        await settle()
    assert client.of("room:1") == []
    assert len(other.of("room:1")) == 3
    client.transport.clear()
    tell(other, "room:1", 3)
    await settle()
    assert [payload["n"] for payload in client.of("room:1")] == [0, 1, 2, 3]


async def test_a_client_that_stops_reading_is_closed_4008_and_nobody_else_notices(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(outbox_bytes=2000)
    client, other = connect(1), connect(2)
    for each in (client, other):
        await each.join("room:1")
    client.transport.clog()
    for n in range(200):
        tell(other, "room:1", n)
        assert client.socket.outbox.queued_bytes <= 2100
        await asyncio.sleep(0)
    said = await client.assert_closed(4008)
    assert said["resume"] is True
    await settle()
    assert len(other.of("room:1")) == 200
    assert client.socket.outbox.queued_bytes == 0
    assert client.hub.fanout.topics["room:1"].size == 1


async def test_state_of_a_clogged_socket_is_conflated_and_typing_dropped(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    channel = client.socket.channels["room:1"]
    client.transport.clog()
    for n in range(3):
        rooms.announce(channel, "moved", b'{"n":%d}' % n, key="ada")
        rooms.announce(channel, "moved", b'{"m":%d}' % n, key="grace")
        rooms.announce(channel, "typing", b"{}")
        await settle()
    client.transport.clear()
    assert client.of("room:1") == [{"n": 2}, {"m": 2}]


async def test_who_left_gets_what_was_announced_before_and_nothing_after(connect: Connect) -> None:
    client, other = connect(1), connect(2)
    await client.join("room:1")
    await other.join("room:1")
    tell(other, "room:1", 1)
    client.leave("room:1")
    tell(other, "room:1", 2)
    await settle()
    assert [frame.event for frame in client.seen] == ["phx_reply", "told", "phx_reply", "phx_close"]
    assert client.of("room:1") == [{"n": 1}]


async def test_an_announcement_nobody_joined_for_costs_nothing(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    tell(client, "room:2", 1)
    await settle()
    assert not client.hub.fanout.is_dirty
    assert len(client.seen) == 1


# -- topics that keep history


async def test_must_events_go_out_in_the_order_of_seq(connect: Connect, database: Database) -> None:
    client = connect()
    await client.join("log:a")
    announced = [rooms.commit("a") for _ in range(4)]
    for index in (1, 0, 3, 2):
        client.hub.announce(announced[index])
        await settle()
    assert [payload["n"] for payload in client.of("log:a")] == [1, 2, 3, 4]
    assert ("a", 0, 0) not in database.reads


async def test_an_event_announced_twice_arrives_once(connect: Connect, database: Database) -> None:
    client = connect()
    await client.join("log:a")
    announced = rooms.commit("a")
    client.hub.announce(announced)
    client.hub.announce(announced)
    await settle()
    assert client.of("log:a") == [{"n": 1}]


async def test_a_hole_is_read_from_history(connect: Connect, database: Database) -> None:
    client = connect()
    await client.join("log:a")
    announced = [rooms.commit("a") for _ in range(5)]
    client.hub.announce(announced[0])
    client.hub.announce(announced[4])
    await client.until(lambda frame: frame.payload == {"n": 5})
    assert [payload["n"] for payload in client.of("log:a")] == [1, 2, 3, 4, 5]
    assert ("a", 1, 4) in database.reads


@pytest.mark.parametrize("is_lost", [False, True])
async def test_what_follows_an_event_is_done_before_anything_later_goes_out(
    connect: Connect, database: Database, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    """Also when all comes in one turn, and when the event itself is read from history."""
    client, other = connect(1), connect(2)

    def fail(fact: Announcement) -> None:
        raise RuntimeError("follower")

    def end_at_two(fact: Announcement) -> None:
        if fact.seq == 2:
            client.socket.stop_topic("log:a")

    monkeypatch.setitem(fanout_module.followers, "written", [fail, end_at_two])
    for each in (client, other):
        await each.join("log:a")
    announced = [rooms.commit("a") for _ in range(4)]
    for announcement in announced[2 if is_lost else 0 :]:
        client.hub.announce(announcement)
    await other.until(lambda frame: frame.payload == {"n": 4})
    assert [payload["n"] for payload in other.of("log:a")] == [1, 2, 3, 4]
    assert [payload.get("n") for payload in client.of("log:a")] == [1, 2]
    assert client.seen[-1].event == "phx_close"


async def test_a_hole_that_history_does_not_have_is_given_up(
    connect: Connect, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout_module, "HOLE_RETRIES", 1)
    client = connect()
    await client.join("log:a")
    announced = [rooms.commit("a") for _ in range(7)]
    del rooms.stored["a"][4], rooms.stored["a"][1]
    for index in (0, 2, 3, 5, 6):
        client.hub.announce(announced[index])
    await client.until(lambda frame: frame.payload == {"n": 7})
    assert [payload["n"] for payload in client.of("log:a")] == [1, 3, 4, 6, 7]


async def test_a_database_that_fails_once_does_not_cost_a_hole(
    connect: Connect, database: Database
) -> None:
    client = connect()
    await client.join("log:a")
    announced = [rooms.commit("a") for _ in range(3)]
    database.failures = 2
    client.hub.announce(announced[2])
    await client.until(lambda frame: frame.payload == {"n": 3})
    assert [payload["n"] for payload in client.of("log:a")] == [1, 2, 3]


async def test_a_resync_reads_what_was_missed(connect: Connect, database: Database) -> None:
    client = connect()
    await client.join("log:a")
    rooms.commit("a")
    rooms.commit("a")
    client.hub.fanout.resync(lambda topic: topic == "log:a")
    await client.until(lambda frame: frame.payload == {"n": 2})
    assert [payload["n"] for payload in client.of("log:a")] == [1, 2]


async def test_a_resync_survives_a_database_that_fails(
    connect: Connect, database: Database
) -> None:
    client = connect()
    await client.join("log:a")
    rooms.commit("a")
    database.failures = 1
    client.hub.fanout.resync(lambda topic: True)
    assert await client.assert_push("log:a", "written") == {"n": 1}


async def test_a_resync_during_the_first_join_of_a_topic_is_not_forgotten(
    connect: Connect, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    read = rooms.LogChannel.snapshot

    def snapshot_then_lose(self: Any) -> Any:
        result = read(self)
        rooms.commit("a")  # committed after history was read; its announcement is lost
        self.socket.fanout.resync(lambda topic: True)
        return result

    monkeypatch.setattr(rooms.LogChannel, "snapshot", snapshot_then_lose)
    assert (await client.join("log:a"))["seq"] == 0
    assert await client.assert_push("log:a", "written") == {"n": 1}


async def test_topics_and_their_state_are_forgotten_with_the_last_who_leaves(
    connect: Connect, hub: Hub, database: Database
) -> None:
    first, second = connect(1), connect(2)
    await first.join("log:a")
    await second.join("log:a")
    await first.assert_reply(first.leave("log:a"))
    assert list(hub.fanout.topics) == ["log:a"]
    second.vanish()
    assert hub.fanout.topics == {}


async def test_deliveries_are_counted(connect: Connect) -> None:
    clients = [connect(n) for n in range(3)]
    for client in clients:
        await client.join("room:1")
    before = telemetry.counters[fanout_module.DELIVERIES]
    tell(clients[0], "room:1", 1)
    tell(clients[0], "room:1", 2)
    await settle()
    assert telemetry.counters[fanout_module.DELIVERIES] - before == 6


@pytest.mark.parametrize("is_apart", [False, True], ids=["joined", "one by one"])
async def test_a_connection_that_has_just_died_costs_the_others_nothing(
    hub: Hub, connect: Connect, is_apart: bool
) -> None:
    clients = [connect(n) for n in range(1, 5)]
    for client in clients:
        await client.join("room:1")
    if is_apart:
        hub.fanout.topics["room:1"].late[clients[1].socket.channels["room:1"]] = 0

    def is_closed(data: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")

    clients[1].socket.outbox.write = is_closed
    tell(clients[0], "room:1", 1)
    await settle()

    assert [len(client.of("room:1")) for client in clients] == [1, 0, 1, 1]
