"""Presence over three processes and a Redis: who is killed, who stands still, and what phoenix.js shows of it."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest

from tests.presence.phoenix_presence import PhoenixPresence
from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.people import ADA, GRACE
from tests.support.phoenix_client import PhoenixClient
from tests.support.phoenix_js import PhoenixJs

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.redis import RedisServer
    from tests.support.server import Site

LOBBY = "presence:lobby"
DOWN_S, GRACE_S, BROADCAST_S = 6.0, 5.0, 0.3
SETTINGS = {
    "COMMSITE_PRESENCE_BROADCAST_S": str(BROADCAST_S),
    "COMMSITE_PRESENCE_DOWN_S": str(DOWN_S),
    "COMMSITE_PRESENCE_GRACE_S": str(GRACE_S),
    "COMMSITE_PRESENCE_COUNTS_ABOVE": "100000",
}


@pytest.fixture
def cluster(redis: RedisServer, sites: Sites) -> list[Site]:
    environment = {"REDIS_URL": redis.url, **SETTINGS}
    first = sites("uvicorn", environment=environment)
    others = [
        sites("uvicorn", database_url=first.database_url, environment=environment) for _ in range(2)
    ]
    return [first, *others]


async def test_a_killed_process_takes_its_people_with_it_after_the_down_period(
    cluster: list[Site],
) -> None:
    ada, grace = await Account.log_in(ADA, cluster[0]), await Account.log_in(GRACE, cluster[0])
    async with await PhoenixClient.connect(cluster[0].socket_url, token=ada.access) as a:
        await a.join(LOBBY)
        view = PhoenixPresence()
        b = await PhoenixClient.connect(cluster[1].socket_url, token=grace.access)
        await b.join(LOBBY)

        async def sees(count: int) -> bool:
            view.take(a.messages)
            a.messages.clear()
            return len(view.state or {}) == count

        await eventually(lambda: sees(2), "the other")
        alive_at = time.monotonic()
        cluster[1].kill()
        await eventually(lambda: sees(1), "the leave")

        assert time.monotonic() - alive_at > DOWN_S - 2 * BROADCAST_S


async def test_a_frozen_process_is_not_taken_for_a_dead_cluster_by_itself(
    cluster: list[Site],
) -> None:
    ada, grace = await Account.log_in(ADA, cluster[0]), await Account.log_in(GRACE, cluster[0])
    async with (
        await PhoenixClient.connect(cluster[0].socket_url, token=ada.access) as a,
        await PhoenixClient.connect(cluster[1].socket_url, token=grace.access) as b,
    ):
        await a.join(LOBBY)
        await b.join(LOBBY)
        view = PhoenixPresence()

        async def sees_both() -> bool:
            view.take(a.messages)
            a.messages.clear()
            return len(view.state or {}) == 2

        await eventually(sees_both, "the other")
        cluster[0].signal(signal.SIGSTOP)
        await asyncio.sleep(DOWN_S + 1.0)
        cluster[0].signal(signal.SIGCONT)
        for _ in range(4):
            await a.heartbeat()
            await asyncio.sleep(BROADCAST_S)

        assert await sees_both()
        assert view.left == []


@pytest.mark.parametrize("version", ["phoenix1721", "phoenix1816"])
async def test_the_unmodified_phoenix_presence_class_shows_who_is_here(
    cluster: list[Site], version: str
) -> None:
    ada, grace = await Account.log_in(ADA, cluster[0]), await Account.log_in(GRACE, cluster[1])
    async with (
        PhoenixJs(version) as js,
        await PhoenixClient.connect(cluster[1].socket_url, token=grace.access) as there,
    ):
        await js.open(
            "s", f"{cluster[0].url}/socket", transport="websocket", params={"token": ada.access}
        )
        await js.present("s", "lobby", LOBBY)
        (me,) = await js.shown("lobby", 1)
        await there.join(LOBBY)
        both = await js.shown("lobby", 2)
        assert me in both
        await there.call(LOBBY, "set_activity", {"activity": "away"})
        await js.shown("lobby", 2, activity="away")
        await js.cut("s")  # a reload, as others see it
        await js.opened("s", times=2)
        await js.shown("lobby", 2, activity="away")
        await there.leave(LOBBY)
        assert await js.shown("lobby", 1) == [me]
        kinds = [(event["kind"], event["key"]) for event in js.heard("presence_change")]
        assert ("leave", me) not in kinds


@pytest.mark.parametrize("version", ["phoenix1721", "phoenix1816"])
async def test_a_list_in_parts_is_whole_for_phoenix_and_nobody_seems_to_leave_when_it_comes_back(
    sites: Sites, version: str
) -> None:
    site = sites("uvicorn", environment=SETTINGS)
    ada, grace = await Account.log_in(ADA, site), await Account.log_in(GRACE, site)
    async with (
        PhoenixJs(version) as js,
        await PhoenixClient.connect(site.socket_url, token=grace.access, max_size=None) as other,
    ):
        await other.join("crowd:control")
        crowd = {"topic": LOBBY, "topics": 1, "people": 2_000}
        await other.call("crowd:control", "crowd", crowd)
        await js.open(
            "s", f"{site.url}/socket", transport="websocket", params={"token": ada.access}
        )
        await js.present("s", "lobby", LOBBY)
        await js.shown("lobby", 2_001)

        await js.cut("s")
        await js.opened("s", times=2)
        await other.call("crowd:control", "crowd", {**crowd, "people": 1})
        await js.shown("lobby", 2_002)

        async def is_whole() -> bool:
            shown = js.heard("presence_list", channel="lobby")[-1]["shown"]
            return all(meta.get("username") for metas in shown.values() for meta in metas)

        await eventually(is_whole, "everybody's name")
        assert [event for event in js.heard("presence_change") if event["kind"] == "leave"] == []

        await other.join(LOBBY)
        parts = [(await other.next("presence_state")).payload]
        while not all(
            meta.get("username") for person in merged(parts).values() for meta in person["metas"]
        ):
            parts.append((await other.next("presence_diff")).payload)
        assert len(merged(parts)) == 2_003
        assert len(parts) > 2
        assert max(len(json.dumps(part)) for part in parts) <= 262_144


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A state and the joins that follow it, as anybody would put them together."""
    state, *diffs = parts
    return reduce(lambda known, diff: known | diff["joins"], diffs, state)
