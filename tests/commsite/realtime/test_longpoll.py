"""Long-poll: the real status is in the body, each row of Phoenix's table, and several processes."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from commsite.realtime import backplane as backplane_module
from commsite.realtime import longpoll as longpoll_module
from commsite.realtime.auth import ClientContext, Refused
from commsite.realtime.errors import CloseCode
from commsite.realtime.hub import Hub
from commsite.realtime.longpoll import LongPoll
from tests.commsite.realtime.conftest import tick
from tests.support.memory_layer import MemoryLayer
from tests.support.socket_client import identity, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MOUNT = "/socket/longpoll"
NDJSON = "application/x-ndjson"


class Response:
    """What the application answered."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, *rest = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body: bytes = b"".join(message["body"] for message in rest)

    @property
    def json(self) -> Any:
        assert self.status == 200
        assert self.headers["content-type"] == "application/json; charset=utf-8"
        return json.loads(self.body)


async def request(
    app: LongPoll,
    method: str = "GET",
    query: str = "vsn=2.0.0",
    body: bytes = b"",
    *,
    context: Any = "somebody",
    headers: dict[str, str] | None = None,
) -> Response:
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": app.mount,
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
        "client": ("192.0.2.1", 1),
    }
    if context == "somebody":
        context = ClientContext(identity(1), "192.0.2.1")
    if isinstance(context, Refused):
        scope["refused"] = context
    elif context is not None:
        scope["client_context"] = context
    half = len(body) // 2
    parts: list[dict[str, Any]] = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:]},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        gone: dict[str, Any] = {"type": "http.disconnect"}
        return parts.pop(0) if parts else gone

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Response(sent)


class Poller:
    """A client over long-poll."""

    def __init__(self, app: LongPoll, token: str) -> None:
        self.app = app
        self.token = token

    @classmethod
    async def open(cls, app: LongPoll, **options: Any) -> Poller:
        answer = (await request(app, **options)).json
        assert answer["status"] == 410
        assert answer["messages"] == []
        return cls(app, answer["token"])

    async def poll(self) -> Any:
        return (await request(self.app, query=f"vsn=2.0.0&token={self.token}", context=None)).json

    async def post(self, *frames: Any, content_type: str = NDJSON) -> Any:
        lines = [
            base64.b64encode(frame) if isinstance(frame, bytes) else json.dumps(frame).encode()
            for frame in frames
        ]
        return await self.post_body(b"\n".join(lines), content_type)

    async def post_body(self, body: bytes, content_type: str = NDJSON) -> Any:
        query = f"vsn=2.0.0&token={self.token}"
        headers = {"content-type": content_type}
        response = await request(self.app, "POST", query, body, context=None, headers=headers)
        return response.json


@pytest.fixture
def app(site_hub: Hub, set_limits: Callable[..., None]) -> LongPoll:
    set_limits(longpoll_window_s=0.02)
    return LongPoll(MOUNT)


async def test_a_first_get_opens_a_session_and_answers_410_with_its_token_at_once(
    app: LongPoll, site_hub: Hub
) -> None:
    poller = await Poller.open(app)
    assert poller.token.startswith("poll.")
    assert len(list(site_hub.sockets())) == 1


async def test_answers_may_be_read_from_anywhere_and_kept_nowhere(app: LongPoll) -> None:
    headers = (await request(app)).headers
    assert headers["access-control-allow-origin"] == "*"
    assert headers["cache-control"] == "no-store"


async def test_what_is_pushed_is_answered_200_and_fetched_in_order(app: LongPoll) -> None:
    poller = await Poller.open(app)
    join = ["1", "1", "room:1", "phx_join", {}]
    say = ["1", "2", "room:1", "say", {"text": "hi"}]
    assert (await poller.post(join, say))["status"] == 200
    answer = await poller.poll()
    assert answer["status"] == 200
    assert answer["token"] == poller.token
    frames = [json.loads(message) for message in answer["messages"]]
    assert [frame[1] for frame in frames] == ["1", "2"]
    assert frames[1][4]["response"] == {"said": "hi"}


async def test_an_error_reply_is_200_too(app: LongPoll) -> None:
    poller = await Poller.open(app)
    assert (await poller.post(["1", "1", "nowhere:1", "phx_join", {}]))["status"] == 200


async def test_a_poll_with_nothing_to_fetch_ends_204_with_its_window(app: LongPoll) -> None:
    poller = await Poller.open(app)
    answer = await poller.poll()
    assert answer == {"status": 204, "token": poller.token, "messages": []}


async def test_a_waiting_poll_is_woken_by_the_first_message(
    app: LongPoll, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=60)
    poller = await Poller.open(app)
    waiting = asyncio.ensure_future(poller.poll())
    await settle()
    await poller.post([None, "1", "phoenix", "heartbeat", {}])
    answer = await asyncio.wait_for(waiting, 5)
    assert answer["status"] == 200
    assert len(answer["messages"]) == 1


async def test_a_second_poll_replaces_the_first_and_gets_the_messages(
    app: LongPoll, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=60)
    poller = await Poller.open(app)
    first = asyncio.ensure_future(poller.poll())
    await settle()
    second = asyncio.ensure_future(poller.poll())
    answer = await asyncio.wait_for(first, 5)
    assert (answer["status"], answer["messages"]) == (204, [])
    await poller.post([None, "1", "phoenix", "heartbeat", {}])
    assert (await asyncio.wait_for(second, 5))["status"] == 200


async def test_a_get_with_our_token_of_a_session_that_is_gone_is_403(app: LongPoll) -> None:
    """On purpose not 410 as Phoenix: old clients would go on without ever rejoining."""
    poller = await Poller.open(app)
    longpoll_module._sessions.clear()
    assert (await poller.poll())["status"] == 403


async def test_a_post_to_a_session_that_is_gone_is_410_without_a_token(app: LongPoll) -> None:
    poller = await Poller.open(app)
    longpoll_module._sessions.clear()
    assert await poller.post([None, "1", "phoenix", "heartbeat", {}]) == {"status": 410}
    poller.token = "poll.forged"
    assert await poller.post([None, "1", "phoenix", "heartbeat", {}]) == {"status": 410}


@pytest.mark.parametrize("token", ["poll.forged", "poll.", "poll.a:b:c"])
async def test_a_get_with_a_token_that_is_none_opens_a_session(app: LongPoll, token: str) -> None:
    answer = (await request(app, query=f"vsn=2.0.0&token={token}")).json
    assert answer["status"] == 410


async def test_a_token_is_bound_to_its_mount(app: LongPoll, site_hub: Hub) -> None:
    poller = await Poller.open(app)
    other = LongPoll("/ws/other/longpoll")
    query = f"vsn=2.0.0&token={poller.token}"
    assert (await request(other, query=query, context=None)).json["status"] == 403
    headers = {"content-type": NDJSON}
    posted = await request(other, "POST", query, b"[]", context=None, headers=headers)
    assert posted.json["status"] == 410
    assert (await poller.poll())["status"] == 204


async def test_of_two_token_parameters_the_last_is_the_polls(app: LongPoll) -> None:
    poller = await Poller.open(app, query="token=credential&vsn=2.0.0&")
    query = f"token=credential&vsn=2.0.0&&token={poller.token}"
    assert (await request(app, query=query, context=None)).json["status"] == 204


async def test_the_polls_token_may_come_in_a_header(app: LongPoll) -> None:
    poller = await Poller.open(app)
    headers = {"x-phoenix-longpoll-token": poller.token}
    assert (await request(app, context=None, headers=headers)).json["status"] == 204


@pytest.mark.parametrize(
    ("context", "query"),
    [
        (None, "vsn=2.0.0"),
        (Refused(403, "bad_credentials"), "vsn=2.0.0"),
        ("somebody", "vsn=9.0.0"),
        ("somebody", "vsn=2.0"),
        ("somebody", "vsn[]=2.0.0"),
    ],
)
async def test_a_refused_client_is_403_and_opens_nothing(
    app: LongPoll, site_hub: Hub, context: Any, query: str
) -> None:
    answer = (await request(app, context=context, query=query)).json
    assert (answer["status"], answer["token"]) == (403, None)
    assert list(site_hub.sockets()) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "http://a:99999"])
async def test_a_foreign_origin_is_403(app: LongPoll, method: str, origin: str) -> None:
    answer = (await request(app, method, headers={"origin": origin, "host": "localhost"})).json
    assert answer["status"] == 403


async def test_connection_limits_hold_here_too(
    app: LongPoll, set_limits: Callable[..., None]
) -> None:
    set_limits(sockets_per_user=1)
    await Poller.open(app)
    assert (await request(app)).json["status"] == 403


async def test_a_preflight_is_answered_with_what_it_asked_for(app: LongPoll) -> None:
    asked = "content-type,x-phoenix-authtoken"
    response = await request(app, "OPTIONS", headers={"access-control-request-headers": asked})
    assert (response.status, response.body) == (200, b"")
    assert response.headers["access-control-allow-headers"] == asked
    assert response.headers["access-control-allow-methods"] == "get, post, options"
    assert response.headers["access-control-max-age"] == "3600"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "PATCH"])
async def test_other_methods_are_http_400(app: LongPoll, method: str) -> None:
    assert (await request(app, method)).status == 400


@pytest.mark.parametrize(
    "body", [b"x" * 40_000, b"no base64!", b'["1"]\n***', b"\xff\xfe", b"\xc3("]
)
async def test_a_body_that_cannot_be_read_is_http_400(
    app: LongPoll, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(longpoll_module, "BODY_BYTES", 30_000)
    poller = await Poller.open(app)
    query, headers = f"token={poller.token}", {"content-type": NDJSON}
    response = await request(app, "POST", query, body, context=None, headers=headers)
    assert response.status == 400


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\r"])
async def test_of_more_than_a_hundred_lines_the_rest_is_dropped(
    app: LongPoll, set_limits: Callable[..., None], separator: bytes
) -> None:
    set_limits(longpoll_window_s=0.02, push_burst=200)
    poller = await Poller.open(app)
    lines = [json.dumps([None, n, "phoenix", "heartbeat", {}]).encode() for n in range(150)]
    assert (await poller.post_body(separator.join(lines)))["status"] == 200
    answer = await poller.poll()
    assert [json.loads(message)[1] for message in answer["messages"]] == list(range(100))


async def test_a_line_of_base64_is_a_binary_frame(app: LongPoll) -> None:
    poller = await Poller.open(app)
    binary = b"\x00\x01\x01\x06\x0319room:1say\x00"
    await poller.post(["1", "1", "room:1", "phx_join", {}], binary)
    answer = await poller.poll()
    reply = json.loads(answer["messages"][1])
    assert reply[1] == "9"
    assert reply[4]["response"]["reason"] == "invalid_payload"


async def test_a_body_of_another_type_is_one_message_as_v1_sends_it(app: LongPoll) -> None:
    poller = await Poller.open(app, query="")
    frame = {"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": "1"}
    assert (await poller.post(frame, content_type="application/json"))["status"] == 200
    answer = await poller.poll()
    assert json.loads(answer["messages"][0])["ref"] == "1"


async def test_binary_for_a_poller_is_left_out_and_the_rest_arrives(app: LongPoll) -> None:
    poller = await Poller.open(app)
    binary = b"\x00\x01\x01\x06\x0419room:1echo\x00"
    await poller.post(
        ["1", "1", "room:1", "phx_join", {}], binary, [None, 3, "phoenix", "heartbeat", {}]
    )
    answer = await poller.poll()
    assert [json.loads(message)[1] for message in answer["messages"]] == ["1", 3]


async def test_a_breach_ends_the_session_after_its_last_word(app: LongPoll, site_hub: Hub) -> None:
    poller = await Poller.open(app)
    await poller.post(["not", "a", "frame"])
    answer = await poller.poll()
    assert answer["status"] == 200
    closing = json.loads(answer["messages"][-1])
    assert (closing[2], closing[3], closing[4]["code"]) == ("client", "closing", 4400)
    assert (await poller.poll())["status"] == 403
    assert (await poller.post([None, 1, "phoenix", "heartbeat", {}]))["status"] == 410
    assert list(site_hub.sockets()) == []


async def test_a_waiting_poll_hears_of_a_close_at_once(
    app: LongPoll, site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=60)
    poller = await Poller.open(app)
    waiting = asyncio.ensure_future(poller.poll())
    await settle()
    site_hub.disconnect(user_id=1, code=CloseCode.UNAUTHENTICATED, reason="logged out")
    answer = await asyncio.wait_for(waiting, 5)
    assert json.loads(answer["messages"][0])[4]["code"] == 4401


async def test_a_session_that_nobody_polls_ends_and_polls_keep_it(
    app: LongPoll, site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=10)
    poller = await Poller.open(app)
    await poller.post([None, 1, "phoenix", "heartbeat", {}])
    tick(site_hub, 14)
    assert (await poller.poll())["status"] == 200
    tick(site_hub, 15)
    await poller.post([None, 2, "phoenix", "heartbeat", {}])  # keeps nothing alive
    assert len(list(site_hub.sockets())) == 1
    tick(site_hub, 2 * 15)
    assert list(site_hub.sockets()) == []
    assert (await poller.poll())["status"] == 403


async def test_what_a_poller_does_not_fetch_is_bounded(
    app: LongPoll, site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=0.02, outbox_bytes=20_000, push_burst=10_000)
    poller = await Poller.open(app)
    (socket,) = site_hub.sockets()
    await poller.post(["1", "1", "room:1", "phx_join", {}])
    for n in range(12):
        await poller.post(["1", n, "room:1", "echo", "x" * 10_000])
        assert socket.bytes_waiting < 64 * 1024 + 40_000
    answers = await poller.poll()
    assert json.loads(answers["messages"][-1])[4]["code"] == 4008


# -- several processes


@pytest_asyncio.fixture
async def second(
    monkeypatch: pytest.MonkeyPatch, set_limits: Callable[..., None]
) -> AsyncIterator[tuple[Hub, Hub, Callable[[Hub], LongPoll]]]:
    """Two hubs over one layer, and how a request gets to one of them."""
    set_limits(longpoll_window_s=0.05)
    layer = MemoryLayer()
    monkeypatch.setattr(backplane_module, "get_channel_layer", lambda: layer)
    hubs = [Hub(), Hub()]
    for each in hubs:
        await each.start()

    def through(hub: Hub) -> LongPoll:
        for module in ("longpoll", "handshake"):
            monkeypatch.setattr(f"commsite.realtime.{module}.hub", hub)
        return LongPoll(MOUNT)

    yield hubs[0], hubs[1], through
    for each in hubs:
        for socket in each.sockets():
            each.remove(socket, 1006)
        await each.stop()


async def test_a_session_is_polled_and_pushed_to_through_any_process(second: Any) -> None:
    owner, other, through = second
    poller = await Poller.open(through(owner))
    poller.app = through(other)
    assert list(other.sockets()) == []
    assert (await poller.post([None, 1, "phoenix", "heartbeat", {}]))["status"] == 200
    # The answering side looks at the same module in this test's process: what matters is who is asked.
    answer = await poller.poll()
    assert answer["status"] == 200
    assert json.loads(answer["messages"][0])[1] == 1


async def test_a_session_of_a_process_that_is_gone_is_403(
    second: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other, through = second
    monkeypatch.setattr(longpoll_module, "CALL_MARGIN_S", 0.01)
    poller = await Poller.open(through(owner))
    await owner.stop()
    poller.app = through(other)
    assert (await poller.poll())["status"] == 403
    assert (await poller.post([None, 1, "phoenix", "heartbeat", {}]))["status"] == 408
