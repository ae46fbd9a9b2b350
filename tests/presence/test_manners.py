"""How people want to be seen is read for many at once; what changes meanwhile is read again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.errors import PushError
from commsite.realtime.hub import hub
from presence import manners as manners_module
from presence.manners import Manners
from presence.schema import Manner
from tests.commsite.realtime.two_processes import condition

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Reads:
    """The database: a read begins, and ends when it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gates: list[asyncio.Event] = []
        self.hidden: set[int] = set()
        self.error: Exception | None = None

    async def __call__(self, fn: Callable[..., object], user_ids: list[int]) -> dict[int, Manner]:
        gate = asyncio.Event()
        self.batches.append(user_ids)
        self.gates.append(gate)
        found = {user_id: Manner(is_hidden=user_id in self.hidden) for user_id in user_ids}
        await gate.wait()
        if self.error is not None:
            raise self.error
        return found

    async def end(self, number: int) -> None:
        """The read of this number, which has begun, ends."""
        await condition(lambda: len(self.gates) > number)
        self.gates[number].set()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """In the place of the database threads."""
    fake = Reads()
    monkeypatch.setattr(manners_module, "in_thread", fake)
    monkeypatch.setattr(hub, "spawn", asyncio.ensure_future)
    return fake


async def test_who_is_asked_for_while_a_read_runs_is_in_the_next_one_with_all_others(
    reads: Reads,
) -> None:
    manners = Manners()
    reads.hidden = {3}
    first = asyncio.ensure_future(manners.of(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(manners.of(user_id)) for user_id in (2, 3, 2, 1)]
    await reads.end(0)
    await reads.end(1)

    assert await first == Manner(is_hidden=False)
    found = [manner.is_hidden for manner in await asyncio.gather(*others)]
    assert found == [False, True, False, False]
    assert reads.batches == [[1], [2, 3, 1]]
    assert manners._open == {}


async def test_what_somebody_changes_while_it_is_read_is_read_again_and_nobody_else_waits(
    reads: Reads,
) -> None:
    manners = Manners()
    changing, other = (asyncio.ensure_future(manners.of(user_id)) for user_id in (1, 2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reads.hidden = {1}
    manners.changed(1)
    await reads.end(0)
    assert (await other).is_hidden is False
    await reads.end(1)

    assert (await changing).is_hidden is True
    assert reads.batches == [[1, 2], [1]]


async def test_what_changes_after_the_read_and_before_its_use_is_read_again(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    manners, answer = Manners(), manners_module._answer

    def answer_too_late(*found: Any) -> None:
        answer(*found)
        if not reads.hidden:
            reads.hidden = {1}
            manners.changed(1)

    monkeypatch.setattr(manners_module, "_answer", answer_too_late)
    asked = asyncio.ensure_future(manners.of(1))
    await reads.end(0)
    await reads.end(1)

    assert (await asked).is_hidden is True


async def test_a_database_that_does_not_answer_is_told_to_all_and_asked_anew(reads: Reads) -> None:
    manners = Manners()
    reads.error = PushError("overloaded")
    asked = [asyncio.ensure_future(manners.of(user_id)) for user_id in (1, 2)]
    await reads.end(0)
    for each in asked:
        with pytest.raises(PushError, match="overloaded"):
            await each

    reads.error = None
    again = asyncio.ensure_future(manners.of(1))
    await reads.end(1)
    assert (await again).is_hidden is False


async def test_who_does_not_wait_any_more_holds_up_nobody(reads: Reads) -> None:
    manners = Manners()
    gone, there = (asyncio.ensure_future(manners.of(user_id)) for user_id in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    await reads.end(0)
    assert (await there).is_hidden is False
    assert manners._open == {}


async def test_more_than_one_read_takes_go_in_several(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manners_module, "READ_AT_ONCE", 2)
    manners = Manners()
    asked = [asyncio.ensure_future(manners.of(user_id)) for user_id in (1, 2, 3)]
    for number in range(2):
        await reads.end(number)
    await asyncio.gather(*asked)
    assert reads.batches == [[1, 2], [3]]


async def test_where_the_process_ends_nobody_is_left_waiting(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[asyncio.Future[None]] = []

    def spawn(work: Coroutine[None, None, None]) -> None:
        tasks.append(asyncio.ensure_future(work))

    monkeypatch.setattr(hub, "spawn", spawn)
    manners = Manners()
    asked = [asyncio.ensure_future(manners.of(1))]
    await condition(lambda: bool(reads.gates))
    asked.append(asyncio.ensure_future(manners.of(2)))
    await asyncio.sleep(0)
    tasks[0].cancel()
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in done] == [asyncio.CancelledError] * 2
