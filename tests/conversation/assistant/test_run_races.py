"""A run that is stopped, whose readers come and go, whose process is slow or dies, at every point of it.

Whatever the order: one outcome, the same for all; nothing is lost that was on anybody's screen.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from commsite.realtime.threads import in_thread
from conversation.assistant.models import Run, RunEvent
from conversation.models import Change, Message
from conversation.rates import rates
from tests.support.run_viewer import units
from tests.support.run_world import World
from tests.support.scripted_backend import tool_call, tool_result

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.support.scripted_backend import Writing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

BATCHES = 10
SCHEDULES = 24
WORDS = ("Once ", "upon ", "🕰️ a ", "time ", "there ", "was ")


async def one_schedule(world: World) -> None:
    """A whole run, with trouble at points that the seed chooses."""
    await world.begin()
    troubles = world.random.sample(
        ["cancel", "cancel elsewhere", "kill", "freeze", "drop", "drop", "renew"],
        k=world.random.randint(1, 4),
    )
    said = list(WORDS)
    while said or troubles:
        for _ in range(world.random.randint(0, 6)):
            await world.step()
        if troubles and world.random.random() < 0.3:
            await trouble(world, troubles.pop())
        elif said and world.writing is not None:
            say(world, said)
        elif not await world.step() and said:
            break  # nobody will ever ask the backend
        elif not said and not troubles:
            break
    await world.quiet()
    if world.writing is not None:
        await finish_writing(world, world.writing)


async def finish_writing(world: World, writing: Writing) -> None:
    """The backend comes to its end; for a run that is over it had to be closed before."""
    is_over = not await Run.objects.filter(pk=world.run_id, status="running").aexists()
    if is_over and world.processes[0].is_alive:
        assert writing.closed.is_set(), "the backend works on for a run that has ended"
    writing.end()
    await world.quiet()


def say(world: World, said: list[str]) -> None:
    assert world.writing is not None
    world.writing.say(said.pop(0))
    if len(said) == 3:
        for event in (*tool_call("t1", "search", '{"query": "x"}'), tool_result("t1", "2 found")):
            world.writing.do(event)


async def trouble(world: World, kind: str) -> None:
    first, second = world.processes
    if kind == "cancel" and first.is_alive:
        await world.cancel(first)
    elif kind == "cancel elsewhere":
        await world.cancel(second)
    elif kind == "kill":
        world.kill(first)
        await world.expire()
        world.sweep(second)
    elif kind == "freeze":  # the process lives, but its lease runs out
        await world.expire()
        world.sweep(second)
    elif kind == "drop":
        world.move(world.random.choice(world.readers))
    elif kind == "renew" and first.is_alive:
        world.renew(first)


async def come_to_rest(world: World) -> None:
    """Everybody is here again, holes are filled, what a dead process left is taken up."""
    for reader in world.readers:
        if reader not in reader.process.readers:
            world.move(reader)
    await world.quiet()
    if not all(process.is_alive for process in world.processes):
        await world.expire()
    for process in world.alive:
        world.renew(process)
        world.sweep(process)
    await world.quiet()
    for reader in world.readers:
        await reader.catch_up()


def check(world: World, run: Run, body: str, completions: int) -> None:
    """What must hold whatever the order was."""
    assert completions == 1, "the run has ended more than once, or not at all"
    assert run.status in {"finished", "cancelled", "interrupted"}
    for reader in world.readers:
        for viewer in reader.screens:
            outcome = viewer.outcome(str(run.pk))
            assert outcome in {None, (run.status, body)}
            for text in viewer.seen.get(str(run.pk), ()):
                assert body.startswith(text), "a reader saw what was lost"
        assert reader.viewer is not None
        assert not reader.viewer.gaps
    stopped = [verdict for verdict in world.verdicts if verdict["verdict"] == "stopped"]
    assert len(stopped) == (run.status == "cancelled")
    for verdict in world.verdicts:
        assert (verdict["status"], verdict["offset"]) == (run.status, units(body))
    if run.status == "finished":
        assert body == "".join(WORDS)


def results(message: UUID, run_id: str) -> tuple[Run, str, int, int]:
    run = Run.objects.get(pk=run_id)
    completions = Change.objects.filter(message=message, event="message_completed").count()
    left = RunEvent.objects.filter(run=run).count()
    return run, Message.objects.get(pk=message).body, completions, left


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_a_run_has_one_outcome_and_nothing_seen_is_lost(
    batch: int, make_room: Callable[[], Conversation], ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: dict[str, int] = {}
    for seed in range(batch * SCHEDULES, (batch + 1) * SCHEDULES):
        rates.cache_clear()
        room = await in_thread(make_room)
        world = World(room.pk, ada.pk, seed)
        with monkeypatch.context() as patched:
            world.install(patched)
            try:
                await one_schedule(world)
                await come_to_rest(world)
                run = await Run.objects.aget(pk=world.run_id)
                found = await in_thread(results, run.message_id, world.run_id)
                run, body, completions, left = found
                check(world, run, body, completions)
                assert left == 0
                if world.processes[0].is_alive and world.writing is not None:
                    await asyncio.wait_for(world.writing.closed.wait(), 5)
            except BaseException as error:
                error.add_note(f"schedule {seed}")
                raise
        outcomes[run.status] = outcomes.get(run.status, 0) + 1
    assert set(outcomes) == {"finished", "cancelled", "interrupted"}, "the schedules try too little"
