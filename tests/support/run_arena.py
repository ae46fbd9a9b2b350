"""Two processes, a model, a tool that asks for leave, and three people who attack their runs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.account import Account
from tests.support.metrics import metric
from tests.support.model_server import ModelServer, call, content, finish
from tests.support.onlookers import Onlookers
from tests.support.people import ADA, GRACE, LINUS
from tests.support.phoenix_client import ErrorReply
from tests.support.ports import free_port
from tests.support.redis import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Sites
    from tests.support.model_server import Exchange
    from tests.support.onlookers import Onlooker
    from tests.support.server import Site


async def model(exchange: Exchange) -> None:
    """Does what the question says: `note <words>` calls the tool, `long` goes on for a while."""
    asked = exchange.messages[-1]
    await exchange.begin()
    words = str(asked["content"]).split(": ", 1)[-1].split()
    if asked["role"] != "tool" and words[0] == "note":
        arguments = json.dumps({"text": words[1]})
        await exchange.say(
            content("I try. "), call(0, id="t1", name="write_note", arguments=arguments)
        )
        await exchange.say(finish("tool_calls"), "[DONE]")
    else:
        pieces = 200 if words[0] in ("long", "Your") else 3  # "Your answer was cut off"
        for number in range(pieces):
            await exchange.say(content(f"{number} "))
            await asyncio.sleep(0.01)  # as models do
        await exchange.say(finish(), "[DONE]")
    await exchange.end()


class Arena:
    """Two processes, one conversation that Ada owns, and Grace and Linus in it."""

    def __init__(self, here: Site, there: Site, accounts: list[Account], topic: str) -> None:
        self.here, self.there = here, there
        self.accounts = accounts
        self.topic = topic
        self.onlookers = Onlookers(topic)
        self._notes = self.notes()
        self._ids = (f"c{number}" for number in itertools.count())

    async def enter(self) -> tuple[Onlooker, Onlooker, Onlooker]:
        """Ada here, Grace there, Linus here."""
        ada, grace, linus = self.accounts
        return (
            await self.onlookers.enter(self.here, ada),
            await self.onlookers.enter(self.there, grace),
            await self.onlookers.enter(self.here, linus),
        )

    async def agree(self) -> dict[str, Any]:
        """All see the same, and no process has met anything that it did not expect."""
        fresh = await self.onlookers.agree(self.there, self.accounts[0])
        for site in (self.here, self.there):
            for fault in ("Traceback", "deadlock"):
                assert fault not in site.log, site.log[-6000:]
        return fresh

    async def noted(self) -> bool:
        """Whether the tool was carried out since this was asked last: once, by whichever process. All see the same."""
        await self.agree()
        before, self._notes = self._notes, await asyncio.to_thread(self.notes)
        assert self._notes - before in (0, 1)
        return self._notes > before

    def notes(self) -> float:
        """How often the tool was carried out in the processes that live."""
        which = {"tool": "write_note", "outcome": "done"}
        sites = [site for site in (self.here, self.there) if site.is_running]
        return sum(metric(site, "assistant_tool_calls_total", **which) for site in sites)

    async def ask(self, onlooker: Onlooker, body: str, **more: Any) -> dict[str, Any]:
        """A run and its question."""
        more.setdefault("client_id", next(self._ids))
        started: dict[str, Any] = await onlooker.call("start_run", body=body, **more)
        return started


class Cluster(NamedTuple):
    """Two processes, and where they expect their model."""

    here: Site
    there: Site
    port: int


@contextlib.contextmanager
def clustered(
    sites: Sites, folder: Path, *, approval_s: float = 600, **database: Any
) -> Iterator[Cluster]:
    """Two processes on one Redis; what asks for leave waits `approval_s` for it."""
    with RedisServer(folder) as redis:
        port = free_port()
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.support.noting_settings",
            "ASSISTANT_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "ASSISTANT_MODEL": "small",
            "COMMSITE_ASSISTANT_LEASE_S": "3",
            "COMMSITE_ASSISTANT_APPROVAL_S": str(approval_s),
            "REDIS_URL": redis.url,
        }
        here = sites(environment=environment, **database)
        yield Cluster(here, sites(environment=environment, database_url=here.database_url), port)


@contextlib.asynccontextmanager
async def arena_of(cluster: Cluster) -> AsyncIterator[Arena]:
    async with ModelServer(model, port=cluster.port):
        accounts = [await Account.log_in(person, cluster.here) for person in (ADA, GRACE, LINUS)]
        topic = await accounts[0].open_conversation("grace", "linus")
        arena = await asyncio.to_thread(Arena, cluster.here, cluster.there, accounts, topic)
        try:
            yield arena
        finally:
            await arena.onlookers.leave()


async def at_once(*calls: Awaitable[Any]) -> list[Any]:
    """All of them at the same instant; an error reply is an answer too."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, ErrorReply):
            raise answer
    return answers


def told(answer: Any) -> tuple[str, Any]:
    """What somebody was told: ("ok", state or verdict) or (reason, state)."""
    if isinstance(answer, ErrorReply):
        return str(answer.reason), answer.response.get("state")
    return "ok", answer.get("state", answer.get("verdict"))


def approve(onlooker: Onlooker, run: dict[str, Any], *, is_yes: bool = True) -> Awaitable[Any]:
    """Somebody answers what the run asks."""
    return onlooker.call("answer_approval", run_id=run["id"], tool_call_id="t1", approve=is_yes)


async def until_asked(onlooker: Onlooker) -> None:
    await onlooker.until("run_event", type="CUSTOM", name="approval_requested")
