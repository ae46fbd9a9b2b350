"""One client's socket: what it may send, how fast, and in which form; through the real socket and the test channels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.envelope import Binary, Push
from commsite.realtime.json_codec import JSON_V1
from commsite.realtime.rate import ABUSE
from tests.support.socket_client import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]


async def test_pushes_over_the_rate_are_refused_with_the_time_to_wait(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(pushes_per_s=1, push_burst=3)
    client = connect()
    await client.join("room:1")
    for _ in range(2):
        await client.assert_reply(client.push("room:1", "say", {"text": "hi"}))
    response = await client.assert_reply(client.push("room:1", "say", {"text": "hi"}), "error")
    assert response["reason"] == "rate_limited"
    assert 0 < response["retry_after_ms"] <= 1000
    assert client.transport.closed is None


async def test_joins_have_a_rate_of_their_own(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(joins_per_s=1, topics_per_socket=2)
    client = connect()
    for _ in range(2):
        await client.join("room:1")
    response = await client.assert_reply(client.ask_to_join("room:1"), "error")
    assert response["reason"] == "rate_limited"
    assert await client.assert_reply(client.push("room:1", "say", {"text": "x"}, join_ref="2"))


async def test_a_flood_is_closed_with_4003_and_its_return_is_deferred(
    connect: Connect, set_limits: Callable[..., None], clock: Any
) -> None:
    set_limits(pushes_per_s=0.001, push_burst=1)
    client, other = connect(1), connect(2)
    for _ in range(ABUSE + 2):
        client.heartbeat()
    said = await client.assert_closed(4003)
    assert said["resume"] is True
    assert said["retry_after_ms"] >= 1000
    with pytest.raises(Exception, match="429 rate_limited"):
        connect(1)
    await other.assert_reply(other.heartbeat())
    clock.now += said["retry_after_ms"] / 1000
    connect(1)


async def test_no_rate_binds_a_benchmark(connect: Connect, set_limits: Callable[..., None]) -> None:
    set_limits(pushes_per_s=0.001, push_burst=1, bench=True)
    client = connect()
    for _ in range(10):
        await client.assert_reply(client.heartbeat())


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"nonsense",
        b"{}",
        b"[]",
        b'["1","1","room:1","phx_join"]',
        b'["1","1",5,"phx_join",{}]',
        b'["1","1","room:1",null,{}]',
        b'["1","1","room:1","phx_join",{}',
        b'["1","1","room:1","phx_join",nope]',
        b'["1","1","room:1","phx_join",' + b"[" * 10_000 + b"]" * 10_000 + b"]",
        b"[" * 10_000,
        b'["1","1","\\ud800","phx_join",{}]',
    ],
)
async def test_a_breach_of_the_protocol_closes_4400_and_nobody_else_notices(
    connect: Connect, frame: bytes
) -> None:
    client, other = connect(1), connect(2)
    client.socket.receive(frame, False)
    said = await client.assert_closed(4400)
    assert said["resume"] is False
    await other.assert_reply(other.heartbeat())


async def test_a_frame_over_the_limit_closes_1009(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(frame_bytes=100)
    client = connect()
    client.push("room:1", "say", {"text": "x" * 100})
    await client.assert_closed(1009)


async def test_nothing_is_taken_from_a_socket_that_closes(connect: Connect) -> None:
    client = connect()
    client.socket.receive(b"nonsense", False)
    client.heartbeat()
    assert [frame.event for frame in client.seen] == ["closing"]


async def test_elements_behind_the_fifth_are_ignored(connect: Connect) -> None:
    client = connect()
    client.send("1", "1", "room:1", "phx_join", {}, "more", {"and": "more"})
    assert client.seen[0].payload["status"] == "ok"


async def test_binary_comes_back_as_binary(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    client.socket.receive(b"\x00\x01\x01\x06\x0411room:1echo\x00\xff\x01", True)
    assert client.transport.messages[-1] == (b"\x01\x01\x01\x06\x0211room:1ok\x00\xff\x01", True)


async def test_a_binary_broadcast_reaches_v2_and_is_counted_for_v1(connect: Connect) -> None:
    client, old = connect(1), connect(2, codec=JSON_V1)
    await client.join("room:1")
    old.socket.receive(b'{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}', False)
    client.socket.receive(b"\x00\x01\x01\x06\x0811room:1tell_all\x07", True)
    await settle()
    assert (b"\x02\x06\x04room:1told\x07", True) in client.transport.messages
    assert len(old.transport.messages) == 1


async def test_a_binary_reply_to_v1_is_an_error_that_says_why(connect: Connect) -> None:
    old = connect(codec=JSON_V1)
    old.socket.reply(Push(b"null", b'"3"', "room:1", "e", b"{}"), "ok", Binary(b"x"))
    ((body, _),) = old.transport.messages
    payload = json.loads(body)["payload"]
    assert payload["status"] == "error"
    assert payload["response"]["reason"] == "version_unsupported"


async def test_a_binary_payload_where_json_is_needed_is_an_invalid_payload(
    connect: Connect,
) -> None:
    client = connect()
    await client.join("room:1")
    client.socket.receive(b"\x00\x01\x01\x06\x0319room:1say\x00", True)
    assert (await client.assert_reply("9", "error"))["reason"] == "invalid_payload"
