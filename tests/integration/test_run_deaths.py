"""Leave that is given for what a process asked that is killed or stands still: nothing is done, and all are told so."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from tests.support.deadline import PATIENCE_S, wait_for
from tests.support.metrics import metric
from tests.support.run_arena import (
    Arena,
    approve,
    arena_of,
    at_once,
    clustered,
    told,
    until_asked,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.integration.conftest import Sites


@pytest_asyncio.fixture
async def arena(sites: Sites, tmp_path: Path) -> AsyncIterator[Arena]:
    with clustered(sites, tmp_path) as cluster:
        async with arena_of(cluster) as arena:
            yield arena


async def leave_for_what_is_gone(
    arena: Arena, go: Callable[[], object]
) -> tuple[dict[str, Any], Any]:
    """A run asks, its process goes, Ada gives leave elsewhere: the message in the end, and what she was told."""
    ada, grace, linus = await arena.enter()
    run = (await arena.ask(linus, "note never"))["run"]
    await until_asked(grace)
    await arena.onlookers.leave(ada, linus)
    ada = await arena.onlookers.enter(arena.there, arena.accounts[0])
    go()
    (leave,) = await at_once(approve(ada, run))
    return await asyncio.wait_for(grace.completed(run["id"]), PATIENCE_S), leave


async def test_leave_given_after_the_process_was_killed_changes_nothing_and_is_shown(
    arena: Arena,
) -> None:
    message, leave = await leave_for_what_is_gone(arena, arena.here.kill)

    assert told(leave) in (("ok", "approved"), ("conflict", "expired"))
    (part,) = message["run"]["parts"]
    assert message["run"]["status"] == "interrupted"
    assert (part["status"], part["approval"]["state"]) == ("error", told(leave)[1])
    assert not await arena.noted()


async def test_a_process_that_was_frozen_does_not_do_what_it_got_leave_for_meanwhile(
    arena: Arena,
) -> None:
    message, leave = await leave_for_what_is_gone(arena, lambda: arena.here.signal(signal.SIGSTOP))

    arena.here.signal(signal.SIGCONT)
    await asyncio.to_thread(
        wait_for,
        lambda: metric(arena.here, "assistant_runs_active") == 0,
        "end of the run in the process that was frozen",
    )

    assert message["run"]["status"] == "interrupted"
    assert told(leave) == ("ok", "approved")
    assert not await arena.noted()
