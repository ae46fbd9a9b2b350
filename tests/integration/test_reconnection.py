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


async def enter(js: PhoenixJs, site: Site, transport: str, **facts: Any) -> tuple[Account, str]:
    """Ada and a conversation of hers that the client has joined as `room`."""
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation("grace")
    await js.open(
        "a", f"{site.url}/socket", transport=transport, params={"token": ada.access}, **facts
    )
    await js.opened("a")
    assert (await js.join("a", "room", room))["status"] == "ok"
    return ada, room


@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
@both_servers
async def test_a_server_restart_loses_nothing_and_repeats_nothing(
    js: PhoenixJs, sites: Sites, kind: Any, transport: str
) -> None:
    site = sites(kind)
    ada, room = await enter(js, site, transport)
    await ada.say(room, "before")
    await js.wait_for_messages("room", "message_sent", 1)
    site.stop()
    # Said where the client cannot hear it: another process on the same database.
    other = sites("uvicorn", database_url=site.database_url)
    grace = await Account.log_in(GRACE, other)
    missed = [f"missed {n}" for n in range(120)]
    await grace.say(room, *missed)
    other.stop()
    site.start()
    await js.wait_for("joined", channel="room", status="ok", times=2)
    await ada.say(room, "after")
    expected = ["before", *missed, "after"]
    got = await js.wait_for_messages("room", "message_sent", len(expected))
    assert [m["message"]["body"] for m in got] == expected
    seqs = [m["message"]["seq"] for m in got]
    assert seqs == list(range(seqs[0], seqs[0] + len(expected)))


@both_servers
async def test_the_end_of_the_server_is_told_as_1012_and_the_client_comes_back(
    js: PhoenixJs, sites: Sites, kind: Any
) -> None:
    site = sites(kind)
    await enter(js, site, "websocket")
    site.restart()
    await js.opened("a", times=2)
    await js.wait_for("joined", channel="room", status="ok", times=2)
    assert js.heard("socket_close", socket="a")[0]["code"] == 1012


@pytest.fixture
def held_database(sites: Sites) -> Iterator[tuple[Site, sqlite3.Connection]]:
    """A site with a single database thread, and a connection that can make that thread wait."""
    site = sites("uvicorn", environment={"COMMSITE_DB_THREADS": "1"})
    path = site.database_url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        yield site, holder


async def test_heartbeats_and_other_topics_are_answered_while_a_push_and_a_join_wait(
    js: PhoenixJs, held_database: tuple[Site, sqlite3.Connection]
) -> None:
    site, holder = held_database
    ada, _ = await enter(js, site, "websocket", options={"heartbeatIntervalMs": 200})
    await js.join("a", "quick", "bench:quick")
    other = await ada.open_conversation("grace", title="Other")
    holder.execute("BEGIN IMMEDIATE")
    await js.push_without_waiting("room", "send_message", {"body": "held", "client_id": "held"})
    await js.push_without_waiting("room", "send_message", {"body": "next", "client_id": "next"})
    slow_join = await js.start_joining("a", "slow", other)
    for n in range(5):
        assert await js.ping("a") is not None
        assert (await js.push("quick", "echo", {"n": n}))["response"] == {"n": n}
    assert not js.messages("room", "message_sent")
    assert not slow_join.done()
    holder.execute("ROLLBACK")
    assert (await slow_join)["status"] == "ok"
    got = await js.wait_for_messages("room", "message_sent", 2)
    assert [m["message"]["body"] for m in got] == ["held", "next"]
    assert not js.heard("socket_close", socket="a")
