"""Presence over three processes and a Redis: everybody right again after every blow, and nobody gone who was here."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.presence.phoenix_presence import PhoenixPresence, refs
from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.people import ADA, GRACE
from tests.support.phoenix_client import PhoenixClient
from tests.support.phoenix_js import PhoenixJs
from tests.support.redis import RedisServer
from tests.support.server import manage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.integration.conftest import Sites
    from tests.support.server import Site

LOBBY = "presence:lobby"
MAKE_PEOPLE = """
from django.contrib.auth.models import User
from commsite.clients.models import ClientSession
from commsite.clients.tokens import issue
for number in range({count}):
    user = User.objects.create(username="visitor%d" % number)
    session = ClientSession.objects.create(user=user, name="test", kind=ClientSession.Kind.TOKEN)
    print("VISITOR", user.pk, issue(session, version=0).access)
"""
DOWN_S, GRACE_S, BROADCAST_S = 6.0, 5.0, 0.3
IS_NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
CLIENTS, ROUNDS = (1_000, 10) if IS_NIGHTLY else (60, 4)
SETTINGS = {
    "COMMSITE_PRESENCE_BROADCAST_S": str(BROADCAST_S),
    "COMMSITE_PRESENCE_DOWN_S": str(DOWN_S),
    "COMMSITE_PRESENCE_GRACE_S": str(GRACE_S),
    "COMMSITE_PRESENCE_COUNTS_ABOVE": "100000",
}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def cluster(redis: RedisServer, sites: Sites) -> list[Site]:
    environment = {"REDIS_URL": redis.url, **SETTINGS}
    first = sites("uvicorn", environment=environment)
    others = [
        sites("uvicorn", database_url=first.database_url, environment=environment) for _ in range(2)
    ]
    return [first, *others]


class Visitor:
    """A person's client in the lobby that comes back when its connection ends, and keeps what Presence keeps."""

    def __init__(self, account: Account, user: str, sites: list[Site], at: int) -> None:
        self.account, self.user = account, user
        self.sites, self.at = sites, at
        self.view = PhoenixPresence()
        self.client: PhoenixClient | None = None

    async def come(self) -> None:
        """Connects to the site it is at, or to the next one that answers."""
        for at in itertools.cycle([*range(self.at, len(self.sites)), *range(self.at)]):
            site = self.sites[at]
            try:
                client = await PhoenixClient.connect(site.socket_url, token=self.account.access)
                await client.join(LOBBY)
            except Exception:
                await asyncio.sleep(0.05)
                continue
            self.at, self.client = at, client
            return

    async def go(self, *, is_polite: bool) -> None:
        client, self.client = self.client, None
        assert client is not None
        if is_polite:
            await client.leave(LOBBY)
            await client.close()
        else:
            client.drop()

    def look(self) -> None:
        """Reads what has arrived."""
        if self.client is not None:
            messages, self.client.messages = self.client.messages, []
            self.view.take(messages)

    async def mend(self) -> None:
        """Comes back if the connection is gone: to another process, as behind a proxy."""
        if self.client is not None and self.client.closed is not None:
            self.look()
            self.at = (self.at + 1) % len(self.sites)
            await self.come()


def people(site: Site, count: int = CLIENTS) -> list[tuple[str, str]]:
    """(user id, access token) of people made for this test."""
    printed = manage(
        "shell",
        "-c",
        MAKE_PEOPLE.format(count=count),
        DATABASE_URL=site.database_url,
        COMMSITE_ACCESS_LIFETIME_S="7200",
    )
    rows = [line.split() for line in printed.splitlines() if line.startswith("VISITOR")]
    assert len(rows) == count
    return [(user, access) for _, user, access in rows]


async def settled(
    visitors: list[Visitor], sites: list[Site], truth: int, timeout_s: float
) -> float:
    """Waits until every client shows exactly what every process lists, `truth` entries; seconds it took."""
    start = time.monotonic()
    account = visitors[0].account
    seen: list[Any] = []

    async def is_so() -> bool:
        for visitor in visitors:
            visitor.look()
        lists = []
        for site in sites:
            answer = await Account(site.url, account.access, "").call("GET", f"presence/{LOBBY}/")
            lists.append(refs(answer["presences"]))
        views = [refs(visitor.view.state) for visitor in visitors]
        seen[:] = [[sum(map(len, one.values())) for one in both] for both in (lists, views)]
        return (
            all(one == lists[0] for one in (*lists, *views))
            and sum(len(metas) for metas in lists[0].values()) == truth
        )

    try:
        await eventually(is_so, f"agreement on {truth}", timeout_s=timeout_s)
    except TimeoutError as error:
        raise AssertionError(f"{error}: lists and views hold {seen}") from None
    return time.monotonic() - start


@contextlib.asynccontextmanager
async def mending(visitors: list[Visitor]) -> AsyncIterator[None]:
    """Meanwhile everybody comes back whose connection ends."""

    async def forever() -> None:
        while True:
            await gather(visitors, Visitor.mend)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def gather(visitors: list[Visitor], verb: Any, at_once: int = 20) -> None:
    gate = asyncio.Semaphore(at_once)

    async def one(visitor: Visitor) -> None:
        async with gate:
            await verb(visitor)

    await asyncio.gather(*(one(visitor) for visitor in visitors))


@pytest.mark.timeout(1800 if IS_NIGHTLY else 120)
async def test_everybody_sees_the_truth_after_every_blow(
    redis: RedisServer, cluster: list[Site]
) -> None:
    chance = random.Random(6)  # the same blows in every run
    visitors = [
        Visitor(Account(cluster[0].url, access, ""), user, cluster, number % 3)
        for number, (user, access) in enumerate(people(cluster[0]))
    ]
    await gather(visitors, Visitor.come)
    await settled(visitors, cluster, CLIENTS, 20)
    allowed: set[str] = set()

    async with mending(visitors):
        for number in range(ROUNDS):
            blow = ("leave", "kill", "redis", "restart")[number % 4]
            victim = cluster[number % 3]
            if blow == "leave":
                leaving = chance.sample(visitors, CLIENTS // 3)
                allowed |= {each.user for each in leaving}
                await gather(leaving, lambda visitor: visitor.go(is_polite=chance.random() < 0.5))
                await settled(
                    [each for each in visitors if each.client], cluster, CLIENTS - len(leaving), 20
                )
                await gather(leaving, Visitor.come)
            elif blow == "redis":
                redis.stop()
                await asyncio.sleep(BROADCAST_S * 3)  # shorter than the down period: nobody may go
                redis.start()
            else:
                end = victim.kill if blow == "kill" else victim.stop
                ending = asyncio.create_task(asyncio.to_thread(end))
                rest = [site for site in cluster if site is not victim]
                await settled(visitors, rest, CLIENTS, DOWN_S + 20)
                await ending
                await asyncio.to_thread(victim.start)
            await settled(visitors, cluster, CLIENTS, 20)
            seen_leaving = {key for visitor in visitors for key in visitor.view.left}
            # The others came back within the down period, whatever happened to their process.
            assert seen_leaving <= allowed, f"a false leave in round {number}: {blow}"
    assert seen_leaving == allowed
    await gather(visitors, lambda visitor: visitor.go(is_polite=True))


async def test_a_killed_process_takes_its_people_with_it_within_the_down_period(
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
        cluster[1].kill()
        killed_at = time.monotonic()
        await eventually(lambda: sees(1), "the leave")

        gone_after_s = time.monotonic() - killed_at
        assert DOWN_S - 2 * BROADCAST_S < gone_after_s < DOWN_S + 2 * BROADCAST_S + 1.0


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
