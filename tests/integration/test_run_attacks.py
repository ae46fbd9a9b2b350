"""People who do things to a run at the worst moments, on two processes: one outcome, the same for all."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import pytest_asyncio

from tests.support.account import Account
from tests.support.databases import DATABASES, own_database
from tests.support.deadline import wait_for
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

ROUNDS = 5


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
def clustered(sites: Sites, folder: Path, **database: Any) -> Iterator[Cluster]:
    with RedisServer(folder) as redis:
        port = free_port()
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.support.noting_settings",
            "ASSISTANT_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "ASSISTANT_MODEL": "small",
            "COMMSITE_ASSISTANT_LEASE_S": "3",
            "COMMSITE_ASSISTANT_APPROVAL_S": "1",
            "REDIS_URL": redis.url,
        }
        here = sites(environment=environment, **database)
        yield Cluster(here, sites(environment=environment, database_url=here.database_url), port)


@pytest.fixture(scope="module", params=DATABASES)
def cluster(
    request: pytest.FixtureRequest,
    module_sites: Sites,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("attacks")
    url = own_database(request.param, request, folder)
    with clustered(module_sites, folder, database_url=url) as cluster:
        yield cluster


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


@pytest_asyncio.fixture
async def arena(cluster: Cluster) -> AsyncIterator[Arena]:
    async with arena_of(cluster) as arena:
        yield arena


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


# --- Leave ---------------------------------------------------------------------------------------
async def test_of_two_who_answer_at_the_same_instant_one_decides_and_it_happens_so(
    arena: Arena,
) -> None:
    ada, grace, _ = await arena.enter()
    chance = random.Random(1)
    for number in range(ROUNDS):
        run = (await arena.ask(grace, f"note {number}"))["run"]
        await until_asked(ada)
        yes = [chance.random() < 0.5 for _ in range(2)]
        answers = await at_once(
            approve(ada, run, is_yes=yes[0]), approve(grace, run, is_yes=yes[1])
        )
        message = await grace.completed(run["id"])

        said = [told(answer) for answer in answers]
        (winner,) = [index for index, (how, _) in enumerate(said) if how == "ok"]
        decided = "approved" if yes[winner] else "denied"
        assert said[winner] == ("ok", decided)
        assert said[1 - winner] == ("conflict", decided)
        (part,) = message["run"]["parts"]
        assert part["approval"]["state"] == decided
        assert part["approval"]["by"]["username"] == ("ada", "grace")[winner]
        assert part["status"] == ("done" if yes[winner] else "denied")
        assert await arena.noted() == yes[winner]


async def test_an_answer_at_the_instant_of_expiry_counts_or_does_not_and_never_both(
    arena: Arena,
) -> None:
    ada, grace, _ = await arena.enter()
    for number in range(ROUNDS):
        run = (await arena.ask(grace, f"note {number}"))["run"]
        await until_asked(ada)
        await asyncio.sleep(0.97 + number * 0.06 / ROUNDS)
        answers = await at_once(approve(ada, run), approve(grace, run))
        message = await grace.completed(run["id"])

        said = sorted(told(answer) for answer in answers)
        (part,) = message["run"]["parts"]
        state = part["approval"]["state"]
        assert said in (
            [("conflict", "approved"), ("ok", "approved")],
            [("conflict", "expired"), ("conflict", "expired")],
        )
        assert said[0][1] == state
        assert part["status"] == ("done" if state == "approved" else "denied")
        assert await arena.noted() == (state == "approved")


async def test_leave_and_stop_at_the_same_instant(arena: Arena) -> None:
    ada, grace, linus = await arena.enter()
    for number in range(ROUNDS):
        run = (await arena.ask(grace, f"note {number}"))["run"]
        for each in (ada, linus):
            await until_asked(each)
        refused, leave, stop = await at_once(
            approve(linus, run),
            approve(grace, run),
            ada.call("cancel_run", run_id=run["id"]),
        )
        message = await grace.completed(run["id"])

        (part,) = message["run"]["parts"]
        assert told(refused)[0] == "forbidden"
        assert told(stop) in (("ok", "stopped"), ("ok", "already_finished"))
        assert told(leave) in (("ok", "approved"), ("conflict", "expired"))
        assert part["approval"]["state"] == told(leave)[1]
        late = await at_once(approve(ada, run))
        assert told(late[0])[0] == "conflict"
        noted = await arena.noted()
        if told(leave)[0] == "conflict":
            assert not noted
        if part["status"] == "done":
            assert noted


async def test_leave_given_after_the_process_was_killed_changes_nothing_and_is_shown(
    sites: Sites, tmp_path: Path
) -> None:
    with clustered(sites, tmp_path) as cluster:
        async with arena_of(cluster) as arena:
            ada, grace, linus = await arena.enter()
            run = (await arena.ask(linus, "note never"))["run"]
            await until_asked(grace)
            await arena.onlookers.leave(ada, linus)
            arena.here.kill()

            ada = await arena.onlookers.enter(arena.there, arena.accounts[0])
            (leave,) = await at_once(approve(ada, run))
            message = await asyncio.wait_for(grace.completed(run["id"]), 20)

            assert told(leave) in (("ok", "approved"), ("conflict", "expired"))
            (part,) = message["run"]["parts"]
            assert message["run"]["status"] == "interrupted"
            assert (part["status"], part["approval"]["state"]) == ("error", told(leave)[1])
            assert not await arena.noted()


async def test_a_process_that_was_frozen_does_not_do_what_it_got_leave_for_meanwhile(
    sites: Sites, tmp_path: Path
) -> None:
    with clustered(sites, tmp_path) as cluster:
        async with arena_of(cluster) as arena:
            ada, grace, linus = await arena.enter()
            run = (await arena.ask(linus, "note never"))["run"]
            await until_asked(grace)
            await arena.onlookers.leave(ada, linus)
            arena.here.signal(signal.SIGSTOP)
            ada = await arena.onlookers.enter(arena.there, arena.accounts[0])
            (leave,) = await at_once(approve(ada, run))
            message = await asyncio.wait_for(grace.completed(run["id"]), 20)

            arena.here.signal(signal.SIGCONT)
            await asyncio.to_thread(
                wait_for,
                lambda: metric(arena.here, "assistant_runs_active") == 0,
                "end of the run in the process that was frozen",
            )

            assert message["run"]["status"] == "interrupted"
            assert told(leave) == ("ok", "approved")
            assert not await arena.noted()


# --- The run itself ------------------------------------------------------------------------------
async def test_stopping_exactly_as_it_ends_is_one_or_the_other(arena: Arena) -> None:
    ada, grace, _ = await arena.enter()
    for number in range(ROUNDS):
        started = await arena.ask(grace, f"short {number}")
        run_id = started["run"]["id"]
        await ada.until("run_event", type="TEXT_MESSAGE_CONTENT", run_id=run_id)
        await asyncio.sleep(0.015 + 0.03 * number / ROUNDS)
        stops = await at_once(
            ada.call("cancel_run", run_id=run_id), grace.call("cancel_run", run_id=run_id)
        )
        message = await grace.completed(run_id)

        verdicts = sorted(told(stop)[1] for stop in stops)
        status = message["run"]["status"]
        expected = {
            "cancelled": ["already_finished", "stopped"],
            "finished": ["already_finished"] * 2,
        }
        assert verdicts == expected[status]
        assert {stop["status"] for stop in stops} == {status}
        assert {stop["offset"] for stop in stops} == {len(message["body"])}
        await arena.agree()


async def test_a_question_and_its_answer_are_pulled_about_while_it_is_written(arena: Arena) -> None:
    ada, grace, linus = await arena.enter()
    chance = random.Random(2)
    for number in range(ROUNDS):
        run = (await arena.ask(grace, f"long {number}"))["run"]
        request, answer = run["request_id"], run["message_id"]
        await ada.until("run_event", type="TEXT_MESSAGE_CONTENT", run_id=run["id"])
        deeds = [
            (ada, "regenerate", {"message_id": answer, "client_id": f"a{number}", "queue": True}),
            (grace, "regenerate", {"message_id": answer, "client_id": f"b{number}"}),
            (linus, "select_branch", {"message_id": answer}),
            (ada, "select_branch", {"message_id": answer}),
            (grace, "branch_message", {"message_id": request, "body": "short otherwise",
                                       "client_id": f"d{number}", "queue": True}),
            (grace, "edit_message", {"message_id": request, "body": "long again", "revision": 1}),
            (ada, "delete_message", {"message_id": answer}),
            (grace, "delete_message", {"message_id": request}),
            (linus, "add_reaction", {"message_id": answer, "emoji": "❤"}),
            (linus, "pin_message", {"message_id": answer}),
            (linus, "send_message", {"body": "hm", "client_id": f"h{number}"}),
            (ada, "fetch_run", {"run_id": run["id"]}),
        ]  # fmt: skip
        chance.shuffle(deeds)
        answers = await at_once(*(who.call(event, **payload) for who, event, payload in deeds))
        reasons = {answer.reason for answer in answers if isinstance(answer, ErrorReply)}
        assert reasons <= {"conflict", "run_active", "invalid_payload"}, answers
        await at_once(ada.call("cancel_run", run_id=run["id"]))
        for who in (ada, grace, linus):
            assert (await who.completed(run["id"]))["run"]["status"] == "cancelled"
        await done(ada, arena)
        await arena.agree()


async def done(onlooker: Onlooker, arena: Arena) -> None:
    """Nothing runs or waits any more."""
    path = f"conversations/{arena.topic.partition(':')[2]}/runs/"
    while runs := (await arena.accounts[0].call("GET", path))["runs"]:
        for run in runs:
            await onlooker.completed(run["id"])


async def test_going_on_twice_at_once_goes_on_once(arena: Arena) -> None:
    ada, grace, _ = await arena.enter()
    for number in range(ROUNDS):
        run = (await arena.ask(grace, "long"))["run"]
        await ada.until("run_event", type="TEXT_MESSAGE_CONTENT", run_id=run["id"])
        await grace.call("cancel_run", run_id=run["id"])
        other = await arena.onlookers.enter(arena.here, arena.accounts[1])
        same = {"run_id": run["id"], "client_id": f"same-{number}"}
        answers = await at_once(
            grace.call("continue_run", **same),
            other.call("continue_run", **same),
            ada.call("continue_run", run_id=run["id"], client_id=f"ada-{number}"),
        )
        begun = [each["run"]["id"] for each in answers if not isinstance(each, ErrorReply)]
        refused = [each.reason for each in answers if isinstance(each, ErrorReply)]
        assert len(set(begun)) == 1, answers
        assert set(refused) == {"run_active"}, answers
        await at_once(ada.call("cancel_run", run_id=begun[0]))
        await ada.completed(begun[0])
        await arena.agree()
        await arena.onlookers.leave(other)


async def test_what_is_asked_in_the_name_of_somebody_who_has_left_is_not_done(
    arena: Arena,
) -> None:
    ada, grace, linus = await arena.enter()
    run = (await arena.ask(linus, "note by-linus"))["run"]
    waiting = await arena.ask(linus, "short", queue=True)
    await until_asked(ada)
    await linus.call("remove_member", user_id=linus.reply["user"]["id"])
    arena.onlookers.all.remove(linus)
    await linus.client.close()

    (leave,) = await at_once(approve(ada, run))
    message = await grace.completed(run["id"])
    last = await grace.completed(waiting["run"]["id"])

    assert told(leave) == ("ok", "approved")
    (part,) = message["run"]["parts"]
    assert (part["status"], message["run"]["status"]) == ("error", "finished")
    assert last["run"]["error"]["code"] == "withdrawn"
    assert not await arena.noted()
