"""The WebSocket edge over plain ASGI: handshakes, refusals, and a transport without our extension."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.urls import re_path

from commsite.realtime.auth import ClientContext, Refused
from commsite.realtime.consumer import Handshakes, SocketConsumer
from commsite.realtime.errors import CloseCode
from tests.support.socket_client import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.hub import Hub


class Identified:
    """Stands where authentication stands: copies the scope as middleware does."""

    def __init__(self, app: Any, verdict: Any) -> None:
        self.app = app
        self.verdict = verdict

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope = dict(scope)
        if isinstance(self.verdict, Refused):
            scope["refused"] = self.verdict
        elif self.verdict is not None:
            scope["client_context"] = self.verdict
        await self.app(scope, receive, send)


def communicator(
    query: str = "vsn=2.0.0",
    *,
    verdict: Any = "somebody",
    consumer: type[SocketConsumer] = SocketConsumer,
    protocols: list[str] | None = None,
    headers: dict[str, str] | None = None,
    extensions: tuple[str, ...] = (),
) -> WebsocketCommunicator:
    if verdict == "somebody":
        verdict = ClientContext(identity(1), "192.0.2.1")
    app = URLRouter([re_path(r"^x/$", consumer.as_asgi())])
    pairs = [(k.encode(), v.encode()) for k, v in (headers or {}).items()]
    found = WebsocketCommunicator(
        Handshakes(Identified(app, verdict)), f"/x/?{query}", headers=pairs, subprotocols=protocols
    )
    found.scope["client"] = ("192.0.2.1", 1)
    found.scope["extensions"] = {name: {} for name in extensions}
    return found


async def opened(**options: Any) -> WebsocketCommunicator:
    found = communicator(**options)
    is_open, _ = await found.connect()
    assert is_open
    return found


async def refusal(found: WebsocketCommunicator) -> tuple[int, dict[str, str], dict[str, Any]]:
    await found.send_input({"type": "websocket.connect"})
    start = await found.receive_output()
    assert start["type"] == "websocket.http.response.start"
    body = await found.receive_output()
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    await found.wait()
    return start["status"], headers, json.loads(body["body"])


@pytest.mark.parametrize(
    ("protocols", "answered"),
    [([], None), (["phoenix"], "phoenix"), (["base64url.bearer.phx.eA", "phoenix"], "phoenix")],
)
async def test_phoenix_is_answered_when_it_was_offered(
    site_hub: Hub, protocols: list[str], answered: str | None
) -> None:
    found = communicator(protocols=protocols)
    assert await found.connect() == (True, answered)
    await found.disconnect()


async def test_v2_is_spoken_over_plain_asgi_text_and_binary(site_hub: Hub) -> None:
    found = await opened()
    await found.send_input(
        {"type": "websocket.receive", "text": '["1","1","room:1","phx_join",{}]'}
    )
    assert json.loads(await found.receive_from())[4]["status"] == "ok"
    await found.send_input(
        {"type": "websocket.receive", "bytes": b"\x00\x01\x01\x06\x0412room:1echo\x07"}
    )
    assert await found.receive_from() == b"\x01\x01\x01\x06\x0212room:1ok\x07"
    await found.disconnect()
    assert list(site_hub.sockets()) == []


async def test_without_a_version_v1_is_spoken(site_hub: Hub) -> None:
    found = await opened(query="")
    await found.send_json_to({"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": 3})
    assert (await found.receive_json_from())["ref"] == 3
    await found.disconnect()


@pytest.mark.parametrize("query", ["vsn=9.0.0", "vsn=2.0", "vsn=", "vsn[]=2.0.0", "vsn[a]=1"])
async def test_a_version_that_is_not_spoken_is_refused(site_hub: Hub, query: str) -> None:
    found = communicator(query, extensions=("websocket.http.response",))
    status, _, body = await refusal(found)
    assert (status, body["reason"]) == (403, "version_unsupported")


@pytest.mark.parametrize(
    ("verdict", "status", "retry_after"),
    [
        (None, 403, None),
        (Refused(403, "bad_credentials"), 403, None),
        (Refused(401, "token_expired"), 403, None),
        (Refused(429, "connection_limit", retry_after_s=5), 429, "5"),
        (Refused(503, "overloaded", retry_after_s=2), 503, "2"),
    ],
)
async def test_a_refusal_is_http_before_any_socket_opens(
    site_hub: Hub, verdict: Any, status: int, retry_after: str | None
) -> None:
    found = communicator(verdict=verdict, extensions=("websocket.http.response",))
    answered, headers, body = await refusal(found)
    assert (answered, headers.get("retry-after")) == (status, retry_after)
    assert set(body) == {"reason", "message"}
    assert body["message"]
    assert list(site_hub.sockets()) == []


async def test_where_the_server_cannot_say_more_a_refusal_is_a_close_before_accept(
    site_hub: Hub,
) -> None:
    is_open, _ = await communicator(verdict=Refused(429, "rate_limited")).connect()
    assert not is_open


@pytest.mark.parametrize("origin", ["https://evil.example", "http://[", "null"])
async def test_a_foreign_origin_is_refused_before_anything_is_verified(
    site_hub: Hub, origin: str
) -> None:
    headers = {"origin": origin, "host": "testserver"}
    found = communicator(headers=headers, extensions=("websocket.http.response",))
    status, _, body = await refusal(found)
    assert (status, body["reason"]) == (403, "bad_origin")


async def test_a_cookie_without_an_origin_is_refused(site_hub: Hub) -> None:
    verdict = ClientContext(identity(1), "192.0.2.1", credential="cookie")
    status, _, _ = await refusal(
        communicator(verdict=verdict, extensions=("websocket.http.response",))
    )
    assert status == 403


async def test_handshakes_are_counted_until_they_are_decided_and_not_twice_down(
    site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(sockets_per_address_anonymous=1)
    for _ in range(3):
        found = await opened()
        assert site_hub.admission.handshakes == 0
        await found.disconnect()
    held = site_hub.admission.begin_handshake("192.0.2.1")
    status, _, body = await refusal(communicator(extensions=("websocket.http.response",)))
    assert (status, body["reason"]) == (429, "connection_limit")
    held.end()
    assert dict(site_hub.admission._handshakes) == {}


async def test_sockets_that_shake_hands_at_the_same_time_count_against_each_other(
    site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(sockets_per_user=2)
    many = [communicator() for _ in range(6)]
    answers = await asyncio.gather(*(found.connect() for found in many))
    assert sum(is_open for is_open, _ in answers) == 2
    for (is_open, _), found in zip(answers, many, strict=True):
        if is_open:
            await found.disconnect()


async def test_an_apps_own_consumer_carries_its_kinds_and_the_common_ones(site_hub: Hub) -> None:
    class RoomConsumer(SocketConsumer):
        kinds = frozenset({"room"})

    found = await opened(consumer=RoomConsumer)
    statuses = []
    for topic in ("room:1", "slow:1", "client"):
        await found.send_json_to(["1", "1", topic, "phx_join", {}])
        statuses.append((await found.receive_json_from())[4]["status"])
    assert statuses == ["ok", "error", "ok"]
    await found.disconnect()


async def test_a_breach_is_said_and_closed(site_hub: Hub) -> None:
    found = await opened()
    await found.send_input({"type": "websocket.receive", "text": "nonsense"})
    assert json.loads(await found.receive_from())[3] == "closing"
    closed = await found.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4400)
    await found.disconnect()
    assert list(site_hub.sockets()) == []


async def test_a_disconnection_from_our_side_is_a_close_with_its_code(site_hub: Hub) -> None:
    found = await opened()
    site_hub.disconnect(user_id=1, code=CloseCode.GOING_AWAY, reason="admin")
    await found.receive_from()
    assert (await found.receive_output())["code"] == 1001
    await found.disconnect()


async def test_a_client_that_vanishes_during_the_handshake_leaves_nothing(site_hub: Hub) -> None:
    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        raise OSError("gone")

    scope = {"type": "websocket", "path": "/", "query_string": b"vsn=2.0.0", "headers": []}
    context = ClientContext(identity(1), "192.0.2.1")
    await SocketConsumer()(scope | {"client_context": context}, receive, send)
    assert list(site_hub.sockets()) == []
