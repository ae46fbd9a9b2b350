"""Two server processes, one database, one Redis: to a client they are one site."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.account import Account
from tests.support.deadline import PATIENCE_S, eventually
from tests.support.metrics import metric
from tests.support.people import ADA, GRACE
from tests.support.phoenix_client import PhoenixClient, refusal

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.redis import RedisServer
    from tests.support.server import Site

Cluster = tuple["Site", "Site"]


@pytest.fixture
def cluster(redis: RedisServer, sites: Sites) -> Cluster:
    here = sites("uvicorn", environment={"REDIS_URL": redis.url})
    there = sites("uvicorn", database_url=here.database_url, environment={"REDIS_URL": redis.url})
    return here, there


@pytest.mark.parametrize("kinds", [("uvicorn", "uvicorn"), ("uvicorn", "daphne")])
async def test_what_is_said_in_one_process_is_heard_in_the_other_in_order(
    redis: RedisServer, sites: Sites, kinds: Any
) -> None:
    here = sites(kinds[0], environment={"REDIS_URL": redis.url})
    there = sites(kinds[1], database_url=here.database_url, environment={"REDIS_URL": redis.url})
    ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
    room = await ada.open_conversation("grace")
    async with (
        await PhoenixClient.connect(here.socket_url, token=ada.access) as a,
        await PhoenixClient.connect(there.socket_url, token=grace.access) as b,
    ):
        await a.join(room)
        await b.join(room)
        for n in range(30):
            speaker = a if n % 2 else b
            await speaker.call(room, "send_message", {"body": f"{n}", "client_id": f"c{n}"})
        for listener in (a, b):
            heard = [await listener.next("message_sent") for _ in range(30)]
            assert [m.payload["message"]["body"] for m in heard] == [str(n) for n in range(30)]


async def test_a_long_poll_session_is_served_by_whichever_process_is_asked(
    cluster: Cluster,
) -> None:
    here, there = cluster
    ada = await Account.log_in(ADA, here)
    query = {"vsn": "2.0.0"}
    headers = {"X-Phoenix-AuthToken": ada.access}
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_S, trust_env=False) as http:
        opened = await http.get(f"{here.url}/socket/longpoll", params=query)
        body = opened.json()
        assert (opened.status_code, body["status"], body["messages"]) == (200, 410, [])
        query["token"] = body["token"]
        frame = json.dumps(["1", "1", "bench:poll", "phx_join", {}])
        posted = await http.post(
            f"{there.url}/socket/longpoll",
            params=query,
            content=frame,
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert posted.json()["status"] == 200
        polled = (await http.get(f"{there.url}/socket/longpoll", params=query)).json()
        assert polled["status"] == 200
        assert [json.loads(message)[:4] for message in polled["messages"]] == [
            ["1", "1", "bench:poll", "phx_reply"]
        ]


async def test_a_revoked_login_ends_its_sockets_everywhere(
    cluster: Cluster,
) -> None:
    here, there = cluster
    ada = await Account.log_in(ADA, here)
    other_device = await Account.log_in(ADA, here)
    async with (
        await PhoenixClient.connect(there.socket_url, token=ada.access) as gone,
        await PhoenixClient.connect(there.socket_url, token=other_device.access) as stays,
    ):
        await ada.call("POST", "token/revoke/", refresh=ada.refresh)
        assert await gone.close_code() == 4401
        await stays.heartbeat()
    for site in cluster:
        assert await refusal(site.socket_url, token=ada.access) == 403


async def test_a_user_s_sockets_are_counted_over_all_processes(
    redis: RedisServer, sites: Sites
) -> None:
    strict = {"REDIS_URL": redis.url, "COMMSITE_SOCKETS_PER_USER": "2", "COMMSITE_BENCH": "0"}
    here = sites("uvicorn", environment=strict)
    there = sites("uvicorn", database_url=here.database_url, environment=strict)
    ada = await Account.log_in(ADA, here)
    async with (
        await PhoenixClient.connect(here.socket_url, token=ada.access),
        await PhoenixClient.connect(here.socket_url, token=ada.access),
    ):

        async def is_refused_there() -> bool:
            try:
                return await refusal(there.socket_url, token=ada.access) in (403, 429)
            except AssertionError:
                return False  # accepted: the other process has not heard of the two yet

        await eventually(is_refused_there, "refusal of the third socket")


async def test_each_process_counts_its_links_to_redis(cluster: Cluster) -> None:
    for site in cluster:
        assert await asyncio.to_thread(metric, site, "redis_links") >= 1


async def test_a_redis_restart_under_load_heals_and_nobody_misses_a_message(
    redis: RedisServer, cluster: Cluster
) -> None:
    here, there = cluster
    ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
    room = await ada.open_conversation("grace")
    async with (
        await PhoenixClient.connect(here.socket_url, token=ada.access) as a,
        await PhoenixClient.connect(there.socket_url, token=grace.access) as b,
    ):
        first = (await a.join(room))["seq"] + 1
        await b.join(room)

        async def talk(client: PhoenixClient, name: str, until: asyncio.Event) -> int:
            number = 0
            while not until.is_set():
                command = {"body": f"{name} {number}", "client_id": f"{name}{number}"}
                await client.call(room, "send_message", command)
                number += 1
            return number

        done = asyncio.Event()
        talkers = [
            asyncio.create_task(talk(a, "a", done)),
            asyncio.create_task(talk(b, "b", done)),
        ]
        for listener in (a, b):
            await listener.next("message_sent")
        for _ in range(2):
            await asyncio.to_thread(redis.restart)
            heard = [len(listener.messages) for listener in (a, b)]
            for listener, already in zip((a, b), heard, strict=True):
                await eventually(_more_than(listener, already + 20), "talk after the restart")
        done.set()
        said = sum(await asyncio.gather(*talkers))
        for listener in (a, b):
            await eventually(_more_than(listener, said - 2), f"{said} messages")
            seqs = [m.payload["message"]["seq"] for m in listener.waiting("message_sent")]
            assert seqs == list(range(first + 1, first + said))
        # And what has no history crosses again, too.
        await a.join("bench:healed")
        await b.join("bench:healed")

        async def crosses() -> bool:
            await a.push("bench:healed", "msg", {})
            await b.heartbeat()
            return bool(b.waiting("msg"))

        await eventually(crosses, "broadcast across processes")


def _more_than(listener: PhoenixClient, count: int) -> Any:
    async def look() -> bool:
        return len(listener.waiting("message_sent")) > count

    return look
