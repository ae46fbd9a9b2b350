"""Every row of what Phoenix answers: joins, leaves, pushes, stale refs, crashes, stops; and the order of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.commsite.realtime import rooms
from tests.support.socket_client import Frame, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]

OK: dict[str, Any] = {"status": "ok", "response": {}}


def error(reason: str, frame: Frame) -> bool:
    return bool(
        frame.payload["status"] == "error" and frame.payload["response"]["reason"] == reason
    )


# -- joins


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


# -- leaves


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


# -- pushes


@pytest.mark.parametrize("join_ref", ["4", None])
async def test_a_push_reaches_the_channel_by_its_join_ref_or_by_none(
    connect: Connect, join_ref: str | None
) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send(join_ref, "5", "room:1", "say", {"text": "hi"})
    expected = {"status": "ok", "response": {"said": "hi"}}
    assert client.seen[1] == Frame(join_ref, "5", "room:1", "phx_reply", expected)


@pytest.mark.parametrize("join_ref", ["3", 4, 4.0, "04", ""])
async def test_a_push_with_a_stale_join_ref_is_dropped_without_a_word(
    connect: Connect, join_ref: Any
) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send(join_ref, "5", "room:1", "say", {"text": "hi"})
    assert len(client.seen) == 1


async def test_a_push_to_what_was_not_joined_is_unmatched_with_a_null_join_ref(
    connect: Connect,
) -> None:
    client = connect()
    client.send("4", "5", "room:1", "say", {"text": "hi"})
    (frame,) = client.seen
    assert frame[:4] == (None, "5", "room:1", "phx_reply")
    assert error("unmatched topic", frame)


@pytest.mark.parametrize("event", ["stop", "crash"])
async def test_a_push_after_the_server_ended_the_channel_is_unmatched(
    connect: Connect, event: str
) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send("4", "5", "room:1", event, {})
    client.send("4", "6", "room:1", "say", {"text": "hi"})
    assert error("unmatched topic", client.seen[-1])


async def test_an_unknown_event_is_an_error_that_lists_the_known_ones(connect: Connect) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send("4", "5", "room:1", "sing", {})
    response = client.seen[1].payload["response"]
    assert response["reason"] == "unknown_event"
    assert "say" in response["expected"]


@pytest.mark.parametrize("payload", [{}, {"text": 1}, {"text": "a", "times": "b"}, [], None, 3])
async def test_a_bad_payload_is_an_error_that_says_what_is_accepted(
    connect: Connect, payload: Any
) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send("4", "5", "room:1", "say", payload)
    response = client.seen[1].payload["response"]
    assert response["reason"] == "invalid_payload"
    assert response["expected"] == {"text": "string", "times": "integer, optional"}


async def test_members_that_nobody_asked_for_do_no_harm(connect: Connect) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {"__proto__": {"a": 1}})
    client.send("4", "5", "room:1", "say", {"text": "hi", "__proto__": {"x": 1}, "constructor": 1})
    assert client.seen[1].payload["response"] == {"said": "hi"}


async def test_a_refused_push_is_an_error_with_its_details(connect: Connect) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send("4", "5", "room:1", "refuse", {})
    assert client.seen[1].payload == {
        "status": "error",
        "response": {"reason": "conflict", "message": "no", "why": "because", "retry_after_ms": 70},
    }


async def test_a_handler_may_answer_nothing(connect: Connect) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send("4", "5", "room:1", "nothing", {})
    assert len(client.seen) == 1


async def test_what_a_handler_pushes_comes_before_its_reply(connect: Connect) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", {})
    client.send("4", "5", "room:1", "push_then_reply", {})
    assert client.seen[1:] == [
        Frame("4", None, "room:1", "note", {"n": 1}),
        Frame("4", None, "room:1", "note", {"n": 2}),
        Frame("4", "5", "room:1", "phx_reply", OK),
    ]


@pytest.mark.parametrize("payload", [1, "text", None, [1], {"a": {"b": "ä\u2028"}}, 1.5, True])
async def test_any_json_value_may_be_a_payload(connect: Connect, payload: Any) -> None:
    client = connect()
    client.send("4", "4", "room:1", "phx_join", payload)
    client.send("4", "5", "room:1", "echo", payload)
    assert client.seen[1].payload["response"] == payload


# -- refs


@pytest.mark.parametrize(
    "ref", ["0", 0, 1, -1, 1.5, 1e300, "", "ü", "1", True, False, [1], {"a": 1}, 2**70, "x" * 250]
)
async def test_refs_come_back_as_they_were_written(connect: Connect, ref: Any) -> None:
    client = connect()
    client.send(ref, ref, "room:1", "phx_join", {})
    client.send(ref, ref, "room:1", "say", {"text": "hi"})
    client.send(ref, ref, "room:1", "phx_leave", {})
    assert [frame.event for frame in client.seen] == [
        "phx_reply",
        "phx_reply",
        "phx_reply",
        "phx_close",
    ]
    for body, _ in client.transport.messages:
        written = json.dumps(ref)
        assert body.decode().startswith(f"[{written},{written},")


async def test_a_join_with_null_refs_makes_a_channel_that_only_null_reaches(
    connect: Connect,
) -> None:
    client = connect()
    client.send(None, "1", "room:1", "phx_join", {})
    client.send("1", "2", "room:1", "say", {"text": "hi"})
    client.send(None, "3", "room:1", "push_then_reply", {})
    assert [(frame.join_ref, frame.ref, frame.event) for frame in client.seen] == [
        (None, "1", "phx_reply"),
        ("1", None, "note"),  # its own pushes use the join's ref instead, as Phoenix does
        ("1", None, "note"),
        (None, "3", "phx_reply"),
    ]


async def test_a_ref_of_thousands_of_bytes_is_a_breach(connect: Connect) -> None:
    client = connect()
    client.send("1", "x" * 1000, "room:1", "phx_join", {})
    assert client.transport.closed is not None
    assert client.transport.closed[0] == 4400


# -- crashes and stops


@pytest.mark.parametrize("event", ["crash", "crash_slowly"])
async def test_a_crash_answers_phx_error_and_nothing_else_and_the_socket_lives(
    connect: Connect, event: str
) -> None:
    client = connect()
    await client.join("room:1")
    await client.join("room:2")
    client.push("room:1", event)
    frame = await client.until(lambda frame: frame.event == "phx_error")
    assert frame == Frame("1", "1", "room:1", "phx_error", {"reason": "channel_crash"})
    assert await client.assert_reply(client.push("room:2", "say", {"text": "alive"}))
    assert client.socket.topics == ["room:2"]
    await settle()
    assert rooms.left == ["room:1"]


async def test_a_stop_is_phx_close(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    client.push("room:1", "stop")
    assert client.seen[1:] == [Frame("1", "1", "room:1", "phx_close", {})]


async def test_a_stop_with_a_reply_replies_first(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    ref = client.push("room:1", "stop_with_reply")
    assert await client.assert_reply(ref) == {"bye": True}
    await client.until(lambda frame: frame.event == "phx_close")
    assert [frame.event for frame in client.seen[1:]] == ["phx_reply", "phx_close"]


async def test_a_topic_taken_away_gets_a_last_event_and_phx_close(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    assert client.hub.eject("room:1", 1, "told", {"bye": 1}) == 1
    assert [frame.event for frame in client.seen[1:]] == ["told", "phx_close"]
    assert client.hub.eject("room:1", 1) == 0


# -- topics that are always there


@pytest.mark.parametrize("event", ["whoami", "whoami_slowly"])
async def test_the_connections_own_topic_answers_without_a_join(
    connect: Connect, event: str
) -> None:
    client = connect(user_id=9)
    ref = client.push("client", event)
    assert await client.assert_reply(ref) == {"user": 9}
    assert client.socket.topics == []


async def test_a_leave_of_the_connections_own_topic_is_answered(connect: Connect) -> None:
    client = connect()
    client.send(None, "1", "client", "phx_leave", {})
    assert client.seen == [Frame(None, "1", "client", "phx_reply", OK)]


async def test_a_consumer_of_some_kinds_serves_no_other(connect: Connect) -> None:
    client = connect(kinds=frozenset({"room"}))
    client.send("1", "1", "room:1", "phx_join", {})
    client.send("2", "2", "slow:1", "phx_join", {})
    assert client.seen[0].payload == OK
    assert error("unmatched topic", client.seen[1])


async def test_any_other_event_on_topic_phoenix_is_an_ordinary_push(connect: Connect) -> None:
    client = connect()
    client.send(None, "1", "phoenix", "sing", {})
    assert error("unmatched topic", client.seen[0])


@pytest.mark.parametrize("ref", ["5", 0, None, 1.25])
async def test_a_heartbeat_is_answered_without_any_channel(connect: Connect, ref: Any) -> None:
    client = connect()
    client.send(None, ref, "phoenix", "heartbeat", {})
    assert client.seen == [Frame(None, ref, "phoenix", "phx_reply", OK)]
