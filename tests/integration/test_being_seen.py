"""The unmodified Presence class of phoenix.js where people see themselves alone: in a crowd, and when they hide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.people import ADA, GRACE, LINUS
from tests.support.phoenix_client import PhoenixClient
from tests.support.phoenix_js import PhoenixJs

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.redis import RedisServer
    from tests.support.server import Site

LOBBY = "presence:lobby"
versions = pytest.mark.parametrize("version", ["phoenix1721", "phoenix1816"])


@pytest.fixture
def cluster(redis: RedisServer, sites: Sites) -> tuple[Site, Site]:
    environment = {
        "REDIS_URL": redis.url,
        "COMMSITE_PRESENCE_BROADCAST_S": "0.3",
        "COMMSITE_PRESENCE_COUNTS_ABOVE": "2",
    }
    here = sites("uvicorn", environment=environment)
    return here, sites("uvicorn", database_url=here.database_url, environment=environment)


async def see(js: PhoenixJs, site: Site, account: Account) -> str:
    """Opens the lobby with the client's own Presence; returns the own key."""
    await js.open(
        "s", f"{site.url}/socket", transport="websocket", params={"token": account.access}
    )
    joined = await js.present("s", "lobby", LOBBY)
    return str(joined["response"]["user"]["id"])


@versions
async def test_in_a_crowd_one_sees_oneself_and_everybody_again_when_it_shrinks(
    cluster: tuple[Site, Site], version: str
) -> None:
    here, there = cluster
    accounts = [await Account.log_in(person, there) for person in (GRACE, LINUS)]
    ada = await Account.log_in(ADA, here)
    async with (
        PhoenixJs(version) as js,
        await PhoenixClient.connect(there.socket_url, token=accounts[0].access) as grace,
        await PhoenixClient.connect(there.socket_url, token=accounts[1].access) as linus,
    ):
        me = await see(js, here, ada)
        await grace.join(LOBBY)
        await js.shown("lobby", 2)
        await linus.join(LOBBY)
        assert await js.shown("lobby", 1) == [me]

        reply = await js.push("lobby", "set_status", {"text": "In the crowd"})
        assert reply["status"] == "ok"
        await js.shown("lobby", 1, status=reply["response"]["status"])
        await grace.leave(LOBBY)
        await linus.leave(LOBBY)

        async def is_empty() -> bool:
            return bool((await ada.call("GET", f"presence/{LOBBY}/"))["count"] == 1)

        await eventually(is_empty, "end of the crowd")
        await grace.join(LOBBY)
        assert me in await js.shown("lobby", 2)


@versions
async def test_whoever_hides_sees_themselves_and_the_others_and_is_not_seen_in_another_process(
    cluster: tuple[Site, Site], version: str
) -> None:
    here, there = cluster
    ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
    async with (
        PhoenixJs(version) as js,
        PhoenixJs(version) as other,
    ):
        me = await see(js, here, ada)
        them = await see(other, there, grace)
        assert await other.shown("lobby", 2) == sorted([me, them])

        await ada.call("PATCH", "preferences/", visibility="nobody")

        assert await other.shown("lobby", 1) == [them]
        assert await js.shown("lobby", 2, hidden=True) == sorted([me, them])
        await js.cut("s")
        await js.opened("s", times=2)
        await js.shown("lobby", 2, hidden=True)
        assert await other.shown("lobby", 1) == [them]

        await ada.call("PATCH", "preferences/", visibility="everyone")

        assert await other.shown("lobby", 2) == sorted([me, them])
