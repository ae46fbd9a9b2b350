"""People who do things to a run at the worst moments, on two processes: one outcome, the same for all."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.support.databases import DATABASES, own_database
from tests.support.phoenix_client import ErrorReply
from tests.support.run_arena import (
    Arena,
    Cluster,
    approve,
    arena_of,
    at_once,
    clustered,
    told,
    until_asked,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.integration.conftest import Sites
    from tests.support.onlookers import Onlooker

ROUNDS = 5


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


@pytest_asyncio.fixture
async def arena(cluster: Cluster) -> AsyncIterator[Arena]:
    async with arena_of(cluster) as arena:
        yield arena


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


@pytest.mark.parametrize("database", DATABASES)
async def test_an_answer_at_the_instant_of_expiry_counts_or_does_not_and_never_both(
    sites: Sites, tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    url = own_database(database, request, tmp_path)
    with clustered(sites, tmp_path, approval_s=1, database_url=url) as cluster:
        async with arena_of(cluster) as arena:
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
