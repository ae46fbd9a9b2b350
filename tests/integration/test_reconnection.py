"""What a client that was away gets: everything it missed, once, in order; and no more than that."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.account import Account
from tests.support.people import ADA, GRACE
from tests.support.phoenix_js import VERSIONS, PhoenixJs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.integration.conftest import Sites
    from tests.support.server import Site

KINDS = ("uvicorn", "daphne")
both_servers = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(params=VERSIONS)
async def js(request: pytest.FixtureRequest) -> AsyncIterator[PhoenixJs]:
    async with PhoenixJs(request.param) as client:
        yield client


@pytest.fixture
async def every_js() -> AsyncIterator[list[PhoenixJs]]:
    """One client of each version."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(PhoenixJs(version)) for version in VERSIONS]


async def enter(js: PhoenixJs, ada: Account, room: str, transport: str, **facts: Any) -> str:
    """A socket of hers over this transport that has joined the room; the name of both."""
    await js.open(
        transport, f"{ada.url}/socket", transport=transport, params={"token": ada.access}, **facts
    )
    await js.opened(transport)
    assert (await js.join(transport, transport, room))["status"] == "ok"
    return transport


@both_servers
async def test_a_server_restart_loses_nothing_and_repeats_nothing(
    every_js: list[PhoenixJs], sites: Sites, kind: Any
) -> None:
    site = sites(kind)
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation("grace")
    clients = [
        (js, await enter(js, ada, room, transport))
        for js in every_js
        for transport in ("websocket", "longpoll")
    ]
    await ada.say(room, "before")
    for js, channel in clients:
        await js.wait_for_messages(channel, "message_sent", 1)
    site.stop()
    # Said where no client can hear it: another process on the same database.
    other = sites("uvicorn", database_url=site.database_url)
    grace = await Account.log_in(GRACE, other)
    missed = [f"missed {n}" for n in range(120)]
    await grace.say(room, *missed)
    other.stop()
    site.start()
    for js, channel in clients:
        await js.wait_for("joined", channel=channel, status="ok", times=2)
    await ada.say(room, "after")
    expected = ["before", *missed, "after"]
    for js, channel in clients:
        got = await js.wait_for_messages(channel, "message_sent", len(expected))
        assert [m["message"]["body"] for m in got] == expected, (js.version, channel)
        seqs = [m["message"]["seq"] for m in got]
        assert seqs == list(range(seqs[0], seqs[0] + len(expected)))


@both_servers
async def test_the_end_of_the_server_is_told_as_1012_and_the_client_comes_back(
    every_js: list[PhoenixJs], sites: Sites, kind: Any
) -> None:
    site = sites(kind)
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation("grace")
    clients = [(js, await enter(js, ada, room, "websocket")) for js in every_js]
    site.restart()
    for js, name in clients:
        await js.opened(name, times=2)
        await js.wait_for("joined", channel=name, status="ok", times=2)
        assert js.heard("socket_close", socket=name)[0]["code"] == 1012, js.version


@pytest.fixture(scope="module")
def held_database(module_sites: Sites) -> Iterator[tuple[Site, sqlite3.Connection]]:
    """A site with a single database thread, and a connection that can make that thread wait."""
    site = module_sites("uvicorn", environment={"COMMSITE_DB_THREADS": "1"})
    path = site.database_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        yield site, holder


async def test_heartbeats_and_other_topics_are_answered_while_a_push_and_a_join_wait(
    js: PhoenixJs, held_database: tuple[Site, sqlite3.Connection]
) -> None:
    site, holder = held_database
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation("grace")
    a = await enter(js, ada, room, "websocket", options={"heartbeatIntervalMs": 5_000})
    await js.join(a, "quick", "bench:quick")
    other = await ada.open_conversation("grace", title="Other")
    holder.execute("BEGIN IMMEDIATE")
    await js.push_without_waiting(a, "send_message", {"body": "held", "client_id": "held"})
    await js.push_without_waiting(a, "send_message", {"body": "next", "client_id": "next"})
    slow_join = await js.start_joining(a, "slow", other)
    for n in range(5):
        assert await js.ping(a) is not None
        assert (await js.push("quick", "echo", {"n": n}))["response"] == {"n": n}
    assert not js.messages(a, "message_sent")
    assert not slow_join.done()
    holder.execute("ROLLBACK")
    assert (await slow_join)["status"] == "ok"
    got = await js.wait_for_messages(a, "message_sent", 2)
    assert [m["message"]["body"] for m in got] == ["held", "next"]
    assert not js.heard("socket_close", socket=a)
