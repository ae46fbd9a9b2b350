"""Long-poll: the real status is in the body, each row of Phoenix's table."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime import longpoll as longpoll_module
from commsite.realtime.auth import Refused
from commsite.realtime.longpoll import BODY_BYTES, LongPoll
from tests.commsite.realtime.polls import NDJSON, Poller, request
from tests.support.socket_client import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.hub import Hub


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


async def test_nothing_is_kept_of_a_body_before_its_sender_is_known(app: LongPoll) -> None:
    part = 64 * 1024
    left = BODY_BYTES // part
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": b"x" * part, "more_body": left > 0}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "query_string": b"token=poll.none", "headers": []}
    tracemalloc.start()
    try:
        await app(scope, receive, send)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert json.loads(sent[1]["body"]) == {"status": 410}
    assert peak < 10 * part
