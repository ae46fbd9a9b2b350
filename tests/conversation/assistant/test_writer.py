"""The writer: what several runs say is stored together, then told; a database that does not answer holds them back."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.errors import PushError
from conversation.assistant import beat, writer
from conversation.assistant.store import Claim
from conversation.assistant.transcript import Transcript
from conversation.assistant.writer import MOST_WAITING, Stream, Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conversation.assistant.store import Batch


class Database:
    """Keeps what it is given, when it is let."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Batch]] = []
        self.lost: set[uuid.UUID] = set()
        self.poison: set[uuid.UUID] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def keep(self, batches: Sequence[Batch]) -> set[uuid.UUID]:
        await self.gate.wait()
        runs = {batch.claim.run_id for batch in batches}
        if runs & self.poison:
            raise ValueError("this cannot be stored")
        self.batches.append(batches)
        return runs - self.lost


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(beat, "left_s", lambda *_: 0.0)
    return Database()


def a_stream() -> Stream:
    claim = Claim(uuid.uuid4(), uuid.uuid4(), uuid.uuid4())
    return Stream(claim, uuid.uuid4(), Transcript(), asyncio.get_running_loop().time())


def word(text: str) -> dict[str, Any]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": text}


async def test_what_runs_say_meanwhile_is_one_transaction_and_one_event_each(
    database: Database,
) -> None:
    wrote, streams = Writer(database.keep), [a_stream(), a_stream()]
    for stream in streams:
        for text in ("one ", "two ", "three"):
            wrote.add(stream, word(text))

    settled = [await wrote.settle(stream) for stream in streams]

    assert settled == [True, True]
    (batches,) = database.batches
    assert [[event["delta"] for event in batch.events] for batch in batches] == [
        ["one two three"],
        ["one two three"],
    ]


async def test_events_are_numbered_without_a_gap_and_carry_the_offset_before_them(
    database: Database,
) -> None:
    wrote, stream = Writer(database.keep), a_stream()
    for event in (word("a🕰️"), {"type": "TEXT_MESSAGE_END", "messageId": "m"}, word("b"), word("c")):
        wrote.add(stream, event)
        await wrote.settle(stream)

    events = [event for (batch,) in database.batches for event in batch.events]
    assert [(event["seq"], event["offset"]) for event in events] == [(1, 0), (2, 4), (3, 4), (4, 5)]


async def test_a_run_that_is_ours_no_more_is_told_so_and_others_are_not(database: Database) -> None:
    wrote, lost, kept = Writer(database.keep), a_stream(), a_stream()
    database.lost.add(lost.claim.run_id)
    for stream in (lost, kept):
        wrote.add(stream, word("x"))

    assert [await wrote.settle(lost), await wrote.settle(kept)] == [False, True]


async def test_what_cannot_be_stored_costs_only_the_run_that_said_it(database: Database) -> None:
    wrote, bad, good = Writer(database.keep), a_stream(), a_stream()
    database.poison.add(bad.claim.run_id)
    for stream in (bad, good):
        wrote.add(stream, word("x"))

    assert [await wrote.settle(bad), await wrote.settle(good)] == [False, True]


async def test_a_backend_waits_while_the_database_does(database: Database) -> None:
    wrote, stream = Writer(database.keep), a_stream()
    database.gate.clear()
    wrote.add(stream, word("first"), is_urgent=True)
    await asyncio.sleep(0)
    wrote.add(stream, word("x" * MOST_WAITING))
    wrote.add(stream, word("x"))

    is_full, settled = stream.is_full, asyncio.ensure_future(wrote.settle(stream))
    database.gate.set()

    assert is_full
    assert await settled
    assert not stream.is_full


async def test_a_database_that_is_away_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [PushError("overloaded"), PushError("overloaded"), {uuid.UUID(int=1)}]

    async def in_thread(*_: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, PushError):
            raise answer
        return answer

    monkeypatch.setattr(writer, "in_thread", in_thread)
    monkeypatch.setattr(writer, "RETRY_S", 0.0)

    assert await writer._keep([]) == {uuid.UUID(int=1)}


async def test_all_that_was_said_is_stored_anew_every_half_second(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT_S", 0.0)
    wrote, stream = Writer(database.keep), a_stream()
    for text in ("one ", "two"):
        wrote.add(stream, word(text))
        await wrote.settle(stream)

    points = [batch.checkpoint for (batch,) in database.batches]
    assert [(point.seq, point.text) for point in points if point] == [(1, "one "), (2, "one two")]
