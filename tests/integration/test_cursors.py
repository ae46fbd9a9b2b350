"""Cursors between processes, and to a client that does not read: the latest place arrives, the ways to it need not."""

from __future__ import annotations

import asyncio
import json
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.test_slow_client import join_raw, stuff
from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.metrics import metric
from tests.support.people import ADA, GRACE, LINUS
from tests.support.phoenix_client import PhoenixClient
from tests.support.raw_socket import TEXT
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.raw_socket import RawSocket
    from tests.support.redis import RedisServer
    from tests.support.server import Site

MOVED = "cursor_moved"


@pytest.fixture
def cluster(redis: RedisServer, sites: Sites) -> tuple[Site, Site]:
    here = sites("uvicorn", environment={"REDIS_URL": redis.url})
    there = sites("uvicorn", database_url=here.database_url, environment={"REDIS_URL": redis.url})
    return here, there


class View:
    """What a client shows: the latest place of each connection."""

    def __init__(self, client: PhoenixClient) -> None:
        self.client = client
        self.places: dict[str, Any] = {}

    def look(self) -> list[Any]:
        for message in self.client.waiting(MOVED):
            self.client.messages.remove(message)
            payload = message.payload
            if payload["anchor"] is None:
                self.places.pop(payload["connection"], None)
            else:
                self.places[payload["connection"]] = payload["anchor"]
        return sorted(self.places.values())

    async def shows(self, *anchors: int) -> None:
        async def is_so() -> bool:
            return self.look() == list(anchors)

        await eventually(is_so, f"cursors at {anchors}")


async def sees(account: Account, room: str, user_id: int) -> bool:
    """Whether this person is in the room as the account's process lists it."""
    return str(user_id) in (await account.call("GET", f"presence/{room}/"))["presences"]


async def test_cursors_cross_processes_and_a_newcomer_gets_those_of_all(
    cluster: tuple[Site, Site],
) -> None:
    here, there = cluster
    ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
    room = await ada.open_conversation("grace")
    async with (
        await PhoenixClient.connect(here.socket_url, token=ada.access) as a,
        await PhoenixClient.connect(there.socket_url, token=grace.access) as b,
    ):
        await a.join(room)
        await b.join(room)
        for number in range(30):
            await a.call(room, "move_cursor", {"anchor": number})
        await b.call(room, "move_cursor", {"anchor": 100})
        views = View(a), View(b)
        await views[1].shows(29)
        await views[0].shows(100)

        async with await PhoenixClient.connect(there.socket_url, token=grace.access) as c:
            await c.join(room)
            newcomer = View(c)
            await newcomer.shows(29, 100)
            await a.call(room, "move_cursor", {"anchor": 31})
            await newcomer.shows(31, 100)
            a.drop()
            await newcomer.shows(100)
            await views[1].shows()


async def test_the_cursors_of_a_killed_process_end_for_everybody_with_its_people_and_once(
    redis: RedisServer, sites: Sites
) -> None:
    environment = {
        "REDIS_URL": redis.url,
        "COMMSITE_PRESENCE_BROADCAST_S": "0.3",
        "COMMSITE_PRESENCE_DOWN_S": "5",
        "COMMSITE_PRESENCE_GRACE_S": "1",
    }
    here = sites("uvicorn", environment=environment)
    there = sites("uvicorn", database_url=here.database_url, environment=environment)
    ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
    room = await ada.open_conversation("grace")
    async with (
        await PhoenixClient.connect(here.socket_url, token=ada.access) as a,
        await PhoenixClient.connect(there.socket_url, token=grace.access) as b,
        await PhoenixClient.connect(there.socket_url, token=grace.access) as c,
    ):
        own_id = (await a.join(room))["user"]["id"]
        for client in (b, c):
            await client.join(room)

        async def is_gone() -> bool:
            return not await sees(grace, room, own_id)

        await eventually(partial(sees, grace, room, own_id), "ada in the other process")
        await a.call(room, "move_cursor", {"anchor": 1})
        where = {(await client.next(MOVED)).payload["connection"] for client in (b, c)}
        assert len(where) == 1

        here.kill()

        for client in (b, c):
            gone = (await client.next(MOVED)).payload
            assert ({gone["connection"]}, gone["anchor"]) == (where, None)
        await eventually(is_gone, "end of ada")
        for client in (b, c):
            await client.heartbeat()
            assert client.waiting(MOVED) == []


@pytest.mark.parametrize("blow", ["cut", "freeze"])
async def test_cursors_come_back_with_the_heal_and_not_with_the_next_move(
    redis: RedisServer, sites: Sites, blow: str
) -> None:
    settings = {
        "COMMSITE_PRESENCE_BROADCAST_S": "0.3",
        "COMMSITE_PRESENCE_DOWN_S": "2",
        "COMMSITE_PRESENCE_GRACE_S": "1",
    }
    with TcpProxy(redis.port) as wire:
        here = sites(
            "uvicorn",
            environment={"REDIS_URL": f"redis://127.0.0.1:{wire.port}/0", **settings},
        )
        there = sites(
            "uvicorn",
            database_url=here.database_url,
            environment={"REDIS_URL": redis.url, **settings},
        )
        ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
        room = await ada.open_conversation("grace")
        async with (
            await PhoenixClient.connect(here.socket_url, token=ada.access) as a,
            await PhoenixClient.connect(there.socket_url, token=grace.access) as b,
        ):
            adas_id = (await a.join(room))["user"]["id"]
            graces_id = (await b.join(room))["user"]["id"]
            of_grace, of_ada = View(a), View(b)
            await eventually(partial(sees, grace, room, adas_id), "ada in the other process")
            await eventually(partial(sees, ada, room, graces_id), "grace in this one")
            await a.call(room, "move_cursor", {"anchor": 1})
            await b.call(room, "move_cursor", {"anchor": 100})
            await of_ada.shows(1)
            await of_grace.shows(100)

            if blow == "freeze":
                here.signal(signal.SIGSTOP)
            else:
                await asyncio.to_thread(wire.cut)
                await a.call(room, "move_cursor", {"anchor": 2})
            await b.call(room, "move_cursor", {"anchor": 101})
            await of_ada.shows()
            if blow == "freeze":
                here.signal(signal.SIGCONT)
            else:
                await of_grace.shows()
                await asyncio.to_thread(wire.heal)

            await of_ada.shows(1 if blow == "freeze" else 2)
            await of_grace.shows(101)


async def test_a_client_that_does_not_read_gets_one_place_for_each_connection(
    sites: Sites,
) -> None:
    """The others move on unhindered; what waits for the slow one does not grow with their moves."""
    site = sites("uvicorn", environment={"COMMSITE_CURSORS_PER_S": "1000"})
    ada, grace, linus = [await Account.log_in(person, site) for person in (ADA, GRACE, LINUS)]
    room = await ada.open_conversation("grace", "linus")
    slow, _ = await join_raw(site, ada, room)
    async with (
        await PhoenixClient.connect(site.socket_url, token=grace.access) as mover,
        await PhoenixClient.connect(site.socket_url, token=linus.access) as bystander,
    ):
        await mover.join(room)
        await bystander.join(room)
        sent = await stuff(mover, room, site)
        before = metric(site, "deliveries_conflated_total")
        view = View(bystander)
        for number in range(40):
            await mover.call(room, "move_cursor", {"anchor": number})
            await view.shows(number)
        assert metric(site, "deliveries_conflated_total") - before >= 39

        assert await places_in(slow, after=sent) == [39]
    slow.close()


async def places_in(slow: RawSocket, *, after: int) -> list[int]:
    """The places that arrive until so many messages and a place have come."""
    heard: list[int] = []
    messages = 0
    while not heard or messages < after:
        frame = await slow.read()
        assert frame.opcode == TEXT, "it is slow, not too slow"
        *_, event, payload = json.loads(frame.payload)
        messages += event == "message_sent"
        if event == MOVED:
            heard.append(payload["anchor"])
    return heard
