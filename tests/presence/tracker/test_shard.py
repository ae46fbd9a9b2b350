"""The process file: what goes to all, what goes to one, and a transfer that goes part by part."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest_asyncio

from presence.tracker.gossip import Heartbeat, TransferAnswer, TransferRequest, decode, encode
from presence.tracker.periods import Periods
from presence.tracker.replica import Replica
from presence.tracker.shard import Shard

A, B = Replica("a", 1), Replica("b", 1)


class FakeLink:
    """Keeps what is sent; what is told to one is taken when the test says so."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.told: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.taken = asyncio.Semaphore(0)
        self.tasks: list[asyncio.Task[Any]] = []
        self.is_gone = False

    def to_all(self, gossip: bytes) -> None:
        self.said.append(decode(gossip))

    async def tell(self, address: str, gossip: bytes) -> None:
        self.told.put_nowait((address, decode(gossip)))
        await self.taken.acquire()
        if self.is_gone:
            raise TimeoutError

    def spawn(self, work: Any) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


@pytest_asyncio.fixture
async def link() -> FakeLink:
    return FakeLink()


@pytest_asyncio.fixture
async def shard(link: FakeLink) -> Shard:
    periods = Periods(broadcast_s=3600.0, down_s=10_000.0, permdown_s=20_000.0)
    shard = Shard(A, periods, link, lambda diff: None, part_bytes=200)
    for number in range(20):
        shard.track("lobby", f"person {number}", "tab", b"{}")
    shard.tracker.stop()  # they are told
    return shard


async def test_the_next_part_goes_when_the_one_before_has_been_taken(
    shard: Shard, link: FakeLink
) -> None:
    shard.receive_own("there", encode(TransferRequest(B, A, {A: 0})))

    numbers = []
    while True:
        address, part = await link.told.get()
        assert address == "there"
        assert isinstance(part, TransferAnswer)
        await asyncio.sleep(0)
        assert link.told.empty()
        numbers.append(part.number)
        link.taken.release()
        if part.number == part.of - 1:
            break

    await asyncio.gather(*link.tasks)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 5


async def test_who_asks_again_while_it_is_being_answered_gets_no_second_answer(
    shard: Shard, link: FakeLink
) -> None:
    request = encode(TransferRequest(B, A, {A: 0}))
    shard.receive_own("there", request)
    shard.receive_own("there", request)
    assert len(link.tasks) == 1

    link.is_gone = True
    link.taken.release()
    await asyncio.gather(*link.tasks, return_exceptions=True)

    shard.receive_own("there", request)
    assert len(link.tasks) == 2
    link.tasks[-1].cancel()


async def test_a_request_goes_to_where_the_peer_was_heard_from(
    shard: Shard, link: FakeLink
) -> None:
    shard = Shard(A, Periods(), link, lambda diff: None)
    shard.receive("there", encode(Heartbeat(B, 1, {B: 5})))

    shard.catch_up()

    address, request = await link.told.get()
    assert (address, request) == ("there", TransferRequest(A, B, {B: 0}))
    link.tasks[-1].cancel()
    shard.stop(0.0)
