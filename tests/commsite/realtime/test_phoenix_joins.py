"""What Phoenix answers to joins and leaves, row by row, and the order of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.commsite.realtime import rooms
from tests.support.socket_client import OK, Frame, error, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]


async def test_a_join_is_answered_with_its_join_ref_and_ref(connect: Connect) -> None:
    client = connect()
    client.send("7", "7", "room:1", "phx_join", {})
    assert client.seen == [Frame("7", "7", "room:1", "phx_reply", OK)]


async def test_the_join_reply_is_what_the_channel_returned(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {"reply": {"a": [1, None]}})
    assert client.seen[0].payload == {"status": "ok", "response": {"a": [1, None]}}


@pytest.mark.parametrize("topic", ["nowhere:1", "nowhere", "", ":", "phoenix", "r" * 300])
async def test_a_join_of_a_topic_that_nobody_serves_is_unmatched_with_a_null_join_ref(
    connect: Connect, topic: str
) -> None:
    client = connect()
    client.send("1", "2", topic, "phx_join", {})
    (frame,) = client.seen
    assert frame[:4] == (None, "2", topic, "phx_reply")
    assert error("unmatched topic", frame)
    assert client.socket.topics == []


async def test_a_topic_longer_than_a_binary_header_can_say_is_unmatched(connect: Connect) -> None:
    client = connect()
    for topic in ("room:" + "é" * 126, "room:" + "x" * 10_000):
        client.send("1", "2", topic, "phx_join", {})
    assert all(error("unmatched topic", frame) for frame in client.seen)
    assert len(client.seen) == 2


async def test_a_refused_join_keeps_no_channel(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {"refuse": "not you"})
    (frame,) = client.seen
    assert frame[:4] == ("1", "1", "room:1", "phx_reply")
    assert frame.payload["response"] == {"reason": "forbidden", "message": "not you"}
    assert client.socket.topics == []
    assert client.hub.fanout.topics == {}


@pytest.mark.parametrize("payload", [{"crash": 1}, {"odd": 1}])
async def test_a_join_that_raises_is_answered_join_crashed_and_the_socket_lives(
    connect: Connect, payload: dict[str, int]
) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", payload)
    client.send("2", "2", "room:2", "phx_join", {})
    crashed, joined = client.seen
    assert error("join crashed", crashed)
    assert joined.payload == OK
    assert client.socket.topics == ["room:2"]


async def test_a_socket_that_has_joined_all_it_may_is_told_so(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(topics_per_socket=2)
    client = connect()
    for n in range(1, 4):
        client.send(str(n), str(n), f"room:{n}", "phx_join", {})
    third = client.seen[-1]
    assert third[:4] == ("3", "3", "room:3", "phx_reply")
    assert error("too many channels joined", third)


async def test_a_full_socket_may_join_again_what_it_has(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(topics_per_socket=1)
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {})
    client.send("2", "2", "room:1", "phx_join", {})
    assert client.seen[1].payload == OK


async def test_a_second_join_is_answered_before_the_first_is_closed(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {})
    client.send("5", "5", "room:1", "phx_join", {})
    assert client.seen[1:] == [
        Frame("5", "5", "room:1", "phx_reply", OK),
        Frame("1", "1", "room:1", "phx_close", {}),
    ]
    assert client.socket.topics == ["room:1"]


async def test_the_first_channel_of_a_second_join_is_told_that_it_ended(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {})
    client.send("2", "2", "room:1", "phx_join", {})
    await settle()
    assert rooms.left == ["room:1"]


async def test_a_second_join_that_is_refused_ends_the_first_too(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {})
    client.send("2", "2", "room:1", "phx_join", {"refuse": "no"})
    assert [(frame.event, frame.join_ref) for frame in client.seen[1:]] == [
        ("phx_reply", "2"),
        ("phx_close", "1"),
    ]
    assert client.socket.topics == []


async def test_of_three_joins_under_way_only_the_last_is_answered_and_the_others_are_closed(
    connect: Connect,
) -> None:
    client = connect()
    for ref in ("1", "2", "3"):
        client.send(ref, ref, "slow:1", "phx_join", {})
        await settle()
    rooms.gates["slow:1"].set()
    await client.assert_reply("3")
    await settle()
    assert [(frame.event, frame.join_ref) for frame in client.seen] == [
        ("phx_reply", "3"),
        ("phx_close", "1"),
        ("phx_close", "2"),
    ]


async def test_a_second_join_gets_what_is_announced_once(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {})
    client.send("2", "2", "room:1", "phx_join", {})
    client.send("2", "3", "room:1", "tell_all", {"n": 1})
    await settle()
    assert client.of("room:1", "told") == [{"n": 1}]


async def test_a_topic_without_an_id_is_left_as_it_was_joined(connect: Connect) -> None:
    client = connect()
    await client.join("room:")
    assert await client.assert_reply(client.push("room:", "say", {"text": "hi"}))
    client.push("room:", "crash")
    assert client.socket.topics == []
    assert client.hub.fanout.topics == {}


@pytest.mark.parametrize("join_ref", ["4", None])
async def test_a_leave_is_answered_and_then_the_channel_is_closed(
    connect: Connect, join_ref: str | None
) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send(join_ref, "9", "room:1", "phx_leave", {})
    assert client.seen[1:] == [
        Frame(join_ref, "9", "room:1", "phx_reply", OK),
        Frame("4", "4", "room:1", "phx_close", {}),
    ]
    assert client.socket.topics == []


async def test_a_leave_calls_the_channels_leave_once(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    await client.assert_reply(client.leave("room:1"))
    client.vanish()
    await settle()
    assert rooms.left == ["room:1"]


async def test_a_leave_with_a_stale_join_ref_does_nothing_at_all(connect: Connect) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send("3", "9", "room:1", "phx_leave", {})
    assert len(client.seen) == 1
    assert client.socket.topics == ["room:1"]


async def test_a_leave_of_what_was_not_joined_is_answered_ok(connect: Connect) -> None:
    client = connect()
    client.send("3", "9", "room:1", "phx_leave", {})
    assert client.seen == [Frame("3", "9", "room:1", "phx_reply", OK)]


async def test_a_leave_and_a_join_back_to_back_are_answered_in_order(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {})
    client.send("1", "2", "room:1", "phx_leave", {})
    client.send("3", "3", "room:1", "phx_join", {})
    assert [(frame.event, frame.ref) for frame in client.seen] == [
        ("phx_reply", "1"),
        ("phx_reply", "2"),
        ("phx_close", "1"),
        ("phx_reply", "3"),
    ]
