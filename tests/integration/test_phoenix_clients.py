"""The official npm client, four versions of it, over both transports and on both servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.account import Account
from tests.support.people import ADA, GRACE, LINUS
from tests.support.phoenix_js import VERSIONS, PhoenixJs, as_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.conftest import Sites
    from tests.support.people import Person
    from tests.support.server import Site

TRANSPORTS = ("websocket", "longpoll")


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def site(request: pytest.FixtureRequest, module_sites: Sites) -> Site:
    return module_sites(request.param)


@pytest.fixture(params=VERSIONS)
async def js(request: pytest.FixtureRequest) -> AsyncIterator[PhoenixJs]:
    async with PhoenixJs(request.param) as client:
        yield client


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return f"bench:{abs(hash(request.node.nodeid)):x}"


async def open_socket(
    js: PhoenixJs,
    site: Site,
    transport: str,
    *,
    name: str = "a",
    person: Person = ADA,
    **facts: Any,
) -> Account:
    account = await Account.log_in(person, site)
    await js.open(
        name, f"{site.url}/socket", transport=transport, params={"token": account.access}, **facts
    )
    await js.opened(name)
    return account


async def test_a_token_in_the_params_opens_the_socket_and_joins(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    await open_socket(js, site, transport)
    assert (await js.join("a", "room", topic))["status"] == "ok"


@pytest.mark.parametrize("js", ["phoenix1815", "phoenix1816"], indirect=True)
async def test_an_auth_token_opens_the_socket_without_showing_in_the_address(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    ada = await Account.log_in(ADA, site)
    await js.open("a", f"{site.url}/socket", transport=transport, authToken=ada.access)
    await js.opened("a")
    assert (await js.join("a", "room", topic))["status"] == "ok"
    assert ada.access not in site.log


async def test_a_bad_token_never_opens_the_socket(
    js: PhoenixJs, site: Site, transport: str
) -> None:
    await js.open("a", f"{site.url}/socket", transport=transport, params={"token": "no.such.token"})
    await js.wait_for("socket_error", socket="a", times=3)
    assert not js.heard("socket_open", socket="a")


async def test_a_push_gets_its_own_reply(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    await open_socket(js, site, transport)
    await js.join("a", "room", topic)
    replies = [await js.push("room", "echo", {"n": n, "text": "é😀"}) for n in range(20)]
    assert replies == [{"status": "ok", "response": {"n": n, "text": "é😀"}} for n in range(20)]


async def test_a_broadcast_reaches_everyone_in_order_the_sender_too(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    await open_socket(js, site, transport, name="a", person=ADA)
    await open_socket(js, site, transport, name="b", person=GRACE)
    await js.join("a", "a-room", topic)
    await js.join("b", "b-room", topic)
    for first in (0, 75):  # 1.7.21 puts any number of pushes into a body; a hundred are taken
        for n in range(first, first + 75):
            await js.push_without_waiting("a-room", "msg", {"n": n})
        await js.wait_for_messages("a-room", "msg", first + 75)
    heard = await js.wait_for_messages("a-room", "msg", 150)
    assert await js.wait_for_messages("b-room", "msg", 150) == heard
    if (js.version, transport) == ("phoenix1616", "longpoll"):
        heard = sorted(
            heard, key=lambda payload: int(payload["n"])
        )  # its POSTs overtake each other
    assert heard == [{"n": n} for n in range(150)]


async def test_joining_a_topic_twice_ends_the_first_channel_and_keeps_the_second(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    await open_socket(js, site, transport)
    await js.join("a", "first", topic)
    assert (await js.join("a", "second", topic))["status"] == "ok"
    await js.wait_for("channel_close", channel="first")
    assert (await js.push("second", "echo", {"still": "here"}))["status"] == "ok"
    assert not js.heard("channel_close", channel="second")
    assert not js.heard("channel_error")


async def test_leaving_closes_the_channel_and_the_topic_can_be_joined_again(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    await open_socket(js, site, transport)
    await js.join("a", "first", topic)
    assert (await js.leave("first"))["status"] == "ok"
    await js.wait_for("channel_close", channel="first")
    assert (await js.join("a", "again", topic))["status"] == "ok"
    assert (await js.push("again", "echo", {"n": 1}))["response"] == {"n": 1}


async def test_a_topic_that_nobody_serves_is_refused_by_name(
    js: PhoenixJs, site: Site, transport: str
) -> None:
    await open_socket(js, site, transport)
    answer = await js.join("a", "nowhere", "nowhere:1")
    assert (answer["status"], answer["response"]["reason"]) == ("error", "unmatched topic")


async def test_an_unknown_event_gets_an_error_reply_and_the_channel_lives(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    await open_socket(js, site, transport)
    await js.join("a", "room", topic)
    answer = await js.push("room", "no_such_event", {})
    assert (answer["status"], answer["response"]["reason"]) == ("error", "unknown_event")
    assert (await js.push("room", "echo", {"n": 1}))["status"] == "ok"


async def test_array_buffers_are_pushed_replied_and_broadcast_as_binary_frames(
    js: PhoenixJs, site: Site, topic: str
) -> None:
    await open_socket(js, site, "websocket", name="a", person=ADA)
    await open_socket(js, site, "websocket", name="b", person=GRACE)
    await js.join("a", "a-room", topic)
    await js.join("b", "b-room", topic)
    content = as_bytes(bytes(range(256)) * 40)
    assert await js.push("a-room", "echo", content) == {"status": "ok", "response": content}
    await js.push_without_waiting("a-room", "msg", content)
    assert await js.wait_for_messages("b-room", "msg", 1) == [content]
    assert await js.wait_for_messages("a-room", "msg", 1) == [content]


async def test_heartbeats_are_answered_with_and_without_a_channel(
    js: PhoenixJs, site: Site, transport: str, topic: str
) -> None:
    # The client takes a line for dead where a heartbeat is not answered before the next one is due.
    await open_socket(js, site, transport, options={"heartbeatIntervalMs": 3_000})
    assert await js.ping("a") is not None
    await js.join("a", "room", topic)
    for _ in range(10):
        assert await js.ping("a") is not None
    if transport == "websocket":  # over long polling it does not beat by itself
        await js.wait_for("beat", socket="a", times=12)
    assert not js.heard("socket_close", socket="a")


async def test_a_broken_connection_comes_back_and_the_channel_with_it(
    js: PhoenixJs, site: Site, topic: str
) -> None:
    await open_socket(js, site, "websocket")
    await js.join("a", "room", topic)
    await js.cut("a")
    await js.opened("a", times=2)
    await js.wait_for("joined", channel="room", status="ok", times=2)
    assert (await js.push("room", "echo", {"n": 1}))["status"] == "ok"


@pytest.mark.parametrize("js", ["phoenix1721", "phoenix1815", "phoenix1816"], indirect=True)
async def test_where_no_websocket_gets_through_the_client_falls_back_to_long_polling(
    js: PhoenixJs, site: Site, topic: str
) -> None:
    await open_socket(js, site, "blocked", options={"longPollFallbackMs": 5_000})
    assert (await js.join("a", "room", topic))["status"] == "ok"
    assert js.heard("socket_open", socket="a")[-1]["transport"] == "LongPoll"


@pytest.mark.parametrize("js", ["phoenix1721", "phoenix1815", "phoenix1816"], indirect=True)
async def test_a_healthy_websocket_does_not_fall_back(
    js: PhoenixJs, site: Site, topic: str
) -> None:
    await open_socket(js, site, "websocket", options={"longPollFallbackMs": 30_000})
    await js.join("a", "room", topic)
    for _ in range(3):
        assert await js.ping("a") is not None
    assert await js.is_healthy("a")
    assert {e["transport"] for e in js.heard("socket_open")} == {"WebSocket"}


async def test_a_message_appears_at_once_with_the_other_and_is_numbered_without_gaps(
    js: PhoenixJs, site: Site, transport: str
) -> None:
    ada = await open_socket(js, site, transport, name="a", person=ADA)
    await open_socket(js, site, transport, name="b", person=GRACE)
    room = await ada.open_conversation("grace")
    joined = await js.join("a", "a-room", room)
    await js.join("b", "b-room", room)
    for n in range(10):
        answer = await js.push("a-room", "send_message", {"body": f"{n}", "client_id": f"c{n}"})
        assert answer["status"] == "ok", answer
    got = [m["message"] for m in await js.wait_for_messages("b-room", "message_sent", 10)]
    assert [m["body"] for m in got] == [str(n) for n in range(10)]
    first = joined["response"]["seq"] + 1
    assert [m["seq"] for m in got] == list(range(first, first + 10))


async def test_the_same_client_id_twice_is_one_message(
    js: PhoenixJs, site: Site, transport: str
) -> None:
    ada = await open_socket(js, site, transport)
    room = await ada.open_conversation("grace")
    await js.join("a", "room", room)
    command = {"body": "once", "client_id": "same"}
    first = await js.push("room", "send_message", command)
    second = await js.push("room", "send_message", command)
    await js.push("room", "send_message", {"body": "end", "client_id": "end"})
    assert first == second
    bodies = [m["message"]["body"] for m in await js.wait_for_messages("room", "message_sent", 2)]
    assert bodies == ["once", "end"]


async def test_a_stranger_cannot_join_a_conversation(
    js: PhoenixJs, site: Site, transport: str
) -> None:
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation("grace")
    await open_socket(js, site, transport, person=LINUS)
    answer = await js.join("a", "room", room)
    assert answer["status"] == "error"
    assert answer["response"]["reason"] in ("forbidden", "not_found")
