"""Two processes over one layer: what one announces the other delivers, and what the layer loses is found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime import backplane as backplane_module
from commsite.realtime import hub as hub_module
from commsite.realtime import pubsub
from commsite.realtime.announcement import Announcement
from commsite.realtime.calls import Unreachable
from commsite.realtime.hub import Hub
from commsite.realtime.packet import CONTROL, Envelope, group_of
from commsite.realtime.topic import shard_of
from tests.commsite.realtime import rooms
from tests.commsite.realtime.two_processes import beacon, condition, tell, told, two_in
from tests.support.socket_client import SocketClient, settle

if TYPE_CHECKING:
    from tests.support.memory_layer import MemoryLayer


async def test_an_announcement_reaches_the_other_process_and_here_only_once(
    hubs: list[Hub],
) -> None:
    first, second = await two_in(hubs, "room:1")
    tell(first, "room:1", 1)
    assert await second.assert_push("room:1", "told") == {"n": 1}
    await settle()
    assert first.of("room:1") == second.of("room:1") == [{"n": 1}]


class Outside:
    """A layer in a process without an event loop of ours."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.sent.append((group, message))


async def test_of_nodes_that_live_for_one_message_nothing_is_kept(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that announce something have a name of their own each time."""
    first, _ = await two_in(hubs, "room:1")
    missed: list[int] = []
    monkeypatch.setattr(hubs[0], "on_missed", missed.append)
    outside = Outside()
    monkeypatch.setattr(pubsub, "get_channel_layer", lambda: outside)
    for number in range(3):
        announcement = Announcement("room:1", "told", b'{"n":%d}' % number)
        item = (shard_of("room:1"), Envelope(announcement))
        await asyncio.to_thread(pubsub._publish_from_outside, [item], f"command {number}")
    for group, message in outside.sent:
        await layer.group_send(group, message)
    await first.until(told(2))

    assert [payload["n"] for payload in first.of("room:1")] == [0, 1, 2]
    assert hubs[0].backplane._heads.nodes == {hubs[1].node}
    assert missed == []


async def test_what_is_announced_in_one_turn_travels_in_one_packet(
    hubs: list[Hub], layer: MemoryLayer
) -> None:
    first, second = await two_in(hubs, "room:1")
    await settle()
    before = layer.sent
    for n in range(10):
        tell(first, "room:1", n)
    await second.until(lambda frame: frame.payload == {"n": 9})
    assert [payload["n"] for payload in second.of("room:1")] == list(range(10))
    assert layer.sent - before == 1


async def test_a_process_is_only_in_the_shards_it_needs(
    hubs: list[Hub], layer: MemoryLayer
) -> None:
    client = SocketClient.connect(hubs[0])
    await client.join("room:1")
    group = group_of(shard_of("room:1"))
    assert layer.groups[group] == {hubs[0].backplane.mailbox}
    await client.assert_reply(client.leave("room:1"))
    hubs[0].wheel.tick = hub_module.CENSUS_EVERY
    hubs[0]._housekeep()
    await condition(lambda: not layer.groups[group])
    await client.join("room:1")
    assert layer.groups[group] == {hubs[0].backplane.mailbox}


async def test_a_shard_is_confirmed_by_its_probe_before_the_join_is_answered(
    hubs: list[Hub], layer: MemoryLayer
) -> None:
    client = SocketClient.connect(hubs[0])
    await settle()
    layer.lose_next = 1  # the first probe
    ref = client.ask_to_join("room:1")
    await settle()
    assert client.seen == []
    await client.assert_reply(ref)
    assert hubs[0].is_subscribed("room:1")


async def test_a_gap_shows_by_the_next_packet_and_is_read_from_history(
    hubs: list[Hub], layer: MemoryLayer
) -> None:
    first, second = await two_in(hubs, "log:a")
    hubs[0].announce(rooms.commit("a"))
    await second.assert_push("log:a", "written")
    layer.lose_next = 1
    hubs[0].announce(rooms.commit("a"))
    await condition(lambda: not layer.lose_next)
    hubs[0].announce(rooms.commit("a"))
    for client in (first, second):
        await client.until(lambda frame: frame.payload == {"n": 3})
        assert [payload["n"] for payload in client.of("log:a")] == [1, 2, 3]


async def test_a_gap_shows_by_the_beacon_when_nothing_follows(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second = await two_in(hubs, "log:a")
    await beacon(hubs[0], monkeypatch)
    hubs[0].announce(rooms.commit("a"))
    await second.assert_push("log:a", "written")
    layer.lose_next = 1
    hubs[0].announce(rooms.commit("a"))
    await condition(lambda: not layer.lose_next)
    await settle()
    assert len(second.of("log:a")) == 1
    await beacon(hubs[0], monkeypatch)
    await second.until(lambda frame: frame.payload == {"n": 2})


@pytest.mark.parametrize("is_followed", [True, False])
async def test_what_was_lost_before_a_process_was_heard_at_all_is_found(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch, is_followed: bool
) -> None:
    first, second = await two_in(hubs, "log:a")
    layer.lose_next = 1
    hubs[0].announce(rooms.commit("a"))
    await condition(lambda: not layer.lose_next)
    if is_followed:  # by something in the same shard that has no place in the history
        tell(first, "log:a", 0)
    else:
        await beacon(hubs[0], monkeypatch)
    await second.until(lambda frame: frame.payload == {"n": 1})


async def test_what_was_said_before_a_shard_was_needed_is_no_gap(
    hubs: list[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    missed: list[int] = []
    first = SocketClient.connect(hubs[0], 1)
    await first.join("room:1")
    tell(first, "room:1", 1)
    await condition(lambda: not hubs[0].backplane._pending)
    await beacon(hubs[0], monkeypatch)
    monkeypatch.setattr(hubs[1], "on_missed", missed.append)
    second = SocketClient.connect(hubs[1], 2)
    await second.join("room:1")
    tell(first, "room:1", 2)
    await second.until(told(2))
    await beacon(hubs[0], monkeypatch)
    await settle()
    assert missed == []


async def test_a_failed_publish_is_a_gap_that_heals(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await two_in(hubs, "log:a")
    await beacon(hubs[0], monkeypatch)
    hubs[0].announce(rooms.commit("a"))
    await second.assert_push("log:a", "written")
    layer.is_down = True
    for _ in range(3):
        hubs[0].announce(rooms.commit("a"))
        await settle()
    assert len(first.of("log:a")) == 4  # here nothing depends on the layer
    layer.is_down = False
    await condition(lambda: not hubs[0].backplane._pending)
    await beacon(hubs[0], monkeypatch)
    await second.until(lambda frame: frame.payload == {"n": 4})
    assert [payload["n"] for payload in second.of("log:a")] == [1, 2, 3, 4]


async def test_a_beacon_in_time_is_no_gap(hubs: list[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    missed: list[int] = []
    first, second = await two_in(hubs, "room:1")
    monkeypatch.setattr(hubs[1], "on_missed", missed.append)
    for n in range(3):
        tell(first, "room:1", n)
        await second.until(told(n))
        await beacon(hubs[0], monkeypatch)
        await settle()
    assert missed == []


async def test_what_waits_for_a_layer_is_bounded_and_shows_as_a_gap(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backplane_module, "MAX_PENDING", 5)
    missed: list[int] = []
    first, second = await two_in(hubs, "room:1")
    tell(first, "room:1", 0)
    await second.assert_push("room:1", "told")
    monkeypatch.setattr(hubs[1], "on_missed", missed.append)
    for n in range(1, 9):
        tell(first, "room:1", n)  # all in one turn: none has left yet
    await second.until(lambda frame: frame.payload == {"n": 8})
    assert [payload["n"] for payload in second.of("room:1")] == [0, 4, 5, 6, 7, 8]
    assert missed == [shard_of("room:1")]


async def test_control_messages_reach_every_process_this_one_too(
    hubs: list[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[dict[str, Any]] = []
    monkeypatch.setitem(hub_module.control_handlers, "test", [heard.append])
    hubs[0].control("test", {"n": 1})
    assert heard == [{"n": 1}]
    await condition(lambda: len(heard) == 2)


async def test_lost_control_messages_call_those_who_must_read_again(
    hubs: list[Hub], layer: MemoryLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaps: list[None] = []
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr(hub_module, "gap_handlers", [lambda: gaps.append(None)])
    monkeypatch.setitem(hub_module.control_handlers, "test", [heard.append])
    await beacon(hubs[0], monkeypatch)
    await settle()
    layer.lose_next = 1
    hubs[0].control("test", {"n": 1})
    await condition(lambda: not layer.lose_next)
    hubs[0].control("test", {"n": 2})
    await condition(lambda: len(heard) == 3)
    assert gaps == [None]


async def test_a_handler_that_fails_does_not_keep_others_from_hearing(
    hubs: list[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[dict[str, Any]] = []

    def fail(payload: dict[str, Any]) -> None:
        raise RuntimeError("handler")

    monkeypatch.setitem(hub_module.control_handlers, "test", [fail, heard.append])
    hubs[0].control("test", {})
    assert heard == [{}]


async def test_sockets_are_counted_over_all_processes(hubs: list[Hub]) -> None:
    client = SocketClient.connect(hubs[0], 5)
    await condition(lambda: hubs[1].census.elsewhere(5) == 1)
    client.vanish()
    await condition(lambda: hubs[1].census.elsewhere(5) == 0)


async def test_a_newcomer_learns_who_is_where(hubs: list[Hub], layer: MemoryLayer) -> None:
    SocketClient.connect(hubs[0], 5)
    third = Hub()
    await third.start()
    SocketClient.connect(third, 6)
    await condition(lambda: third.census.elsewhere(5) == 1)
    await third.stop()
    await condition(lambda: third.node not in hubs[0].census.nodes)
    assert hubs[0].census.elsewhere(6) == 0


async def test_one_process_may_ask_another(hubs: list[Hub]) -> None:
    async def double(payload: dict[str, Any]) -> dict[str, Any]:
        return {"n": payload["n"] * 2}

    hubs[1].backplane.answers["double"] = double
    mailbox = hubs[1].backplane.mailbox
    assert await hubs[0].backplane.call(mailbox, "double", {"n": 4}, 1) == {"n": 8}
    assert await hubs[1].backplane.call(mailbox, "double", {"n": 5}, 1) == {"n": 10}
    assert hubs[0].backplane._calls._waiting == {}


async def test_who_is_not_answered_is_told_that_nobody_is_there(
    hubs: list[Hub], layer: MemoryLayer
) -> None:
    async def fail(payload: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("answer")

    hubs[1].backplane.answers["fail"] = fail
    mailbox = hubs[1].backplane.mailbox
    with pytest.raises(Unreachable):
        await hubs[0].backplane.call(mailbox, "fail", {}, 0.02)
    layer.is_down = True
    with pytest.raises(Unreachable):
        await hubs[0].backplane.call(mailbox, "fail", {}, 1)
    layer.is_down = False
    with pytest.raises(Unreachable):
        await hubs[0].backplane.call("nobody", "fail", {}, 1)
    assert hubs[0].backplane._calls._waiting == {}


async def test_a_message_that_is_none_is_survived(hubs: list[Hub], layer: MemoryLayer) -> None:
    first, second = await two_in(hubs, "room:1")
    mailbox = hubs[1].backplane.mailbox
    for bad in ({"type": "commsite.packet", "d": b"\xff"}, {"type": "commsite.call", "d": b""}):
        await layer.send(mailbox, bad)
    tell(first, "room:1", 1)
    assert await second.assert_push("room:1", "told") == {"n": 1}


async def test_a_process_that_is_alone_sends_nothing(hub: Hub) -> None:
    assert hub.backplane.is_alone
    assert hub.is_subscribed("room:1")
    hub.backplane.control("test", {})
    hub.backplane.tend({1, CONTROL})
    assert hub.backplane._pending == {}
    with pytest.raises(Unreachable):
        await hub.backplane.call("elsewhere", "x", {}, 1)
