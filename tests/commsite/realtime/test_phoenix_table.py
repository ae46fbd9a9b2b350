"""Every row of what Phoenix answers but to joins and leaves: pushes, refs, crashes, stops; and the order of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.commsite.realtime import rooms
from tests.support.socket_client import OK, Frame, error, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]

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
