"""The way out of one socket: straight through while clear; by class, bounded and in order while not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime import telemetry
from commsite.realtime.envelope import wire
from commsite.realtime.outbox import CONFLATED, DROPPED, EVICTED, Outbox
from commsite.realtime.registry import Delivery
from tests.support.socket_client import MemoryTransport, settle

MUST, STATE, EPHEMERAL = Delivery.MUST, Delivery.STATE, Delivery.EPHEMERAL


class Rig:
    """An outbox on a network that is a list."""

    def __init__(self, limit: int = 1000, *, is_raw: bool = True) -> None:
        self.transport = MemoryTransport(is_raw=is_raw)
        self.overflows = 0
        self.outbox = Outbox(self.transport, limit, self._overflowed)

    def _overflowed(self) -> None:
        self.overflows += 1

    def put(self, text: str, delivery: Delivery = MUST, key: object = None) -> None:
        self.outbox.put(wire(text.encode()), delivery, key)

    @property
    def sent(self) -> list[str]:
        return [body.decode() for body, _ in self.transport.messages]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Any:
    before = dict(telemetry.counters)
    return lambda name: telemetry.counters[name] - before.get(name, 0)


@pytest.mark.parametrize("is_raw", [True, False])
async def test_while_clear_everything_goes_straight_through(is_raw: bool) -> None:
    rig = Rig(is_raw=is_raw)
    for delivery in Delivery:
        rig.put(delivery.name, delivery)
    assert rig.sent == ["MUST", "STATE", "EPHEMERAL"]
    assert rig.outbox.queued_bytes == 0


async def test_while_clogged_must_events_wait_in_their_order() -> None:
    rig = Rig()
    rig.transport.clog()
    for text in "abc":
        rig.put(text)
    assert rig.sent == []
    assert rig.outbox.queued_bytes == 9
    rig.transport.clear()
    rig.put("d")
    assert rig.sent == ["a", "b", "c", "d"]
    assert rig.outbox.queued_bytes == 0


async def test_while_clogged_ephemeral_events_are_dropped_and_counted(counted: Any) -> None:
    rig = Rig()
    rig.transport.clog()
    rig.put("typing", EPHEMERAL)
    rig.transport.clear()
    assert rig.sent == []
    assert counted(DROPPED) == 1


async def test_while_clogged_the_latest_state_of_a_key_replaces_the_older(counted: Any) -> None:
    rig = Rig()
    rig.transport.clog()
    rig.put("a1", STATE, "a")
    rig.put("b1", STATE, "b")
    rig.put("must")
    rig.put("a2", STATE, "a")
    rig.put("no key 1", STATE)
    rig.put("no key 2", STATE)
    rig.transport.clear()
    assert rig.sent == ["b1", "must", "a2", "no key 1", "no key 2"]
    assert counted(CONFLATED) == 1


async def test_what_exceeds_the_bound_first_costs_the_droppable(counted: Any) -> None:
    rig = Rig(limit=30)
    rig.transport.clog()
    rig.put("x" * 10, STATE, "k")
    rig.put("y" * 10)
    rig.put("z" * 10)
    assert counted(EVICTED) == 1
    assert rig.overflows == 0
    rig.transport.clear()
    assert rig.sent == ["y" * 10, "z" * 10]


async def test_must_events_over_the_bound_end_the_socket() -> None:
    rig = Rig(limit=30)
    rig.transport.clog()
    for _ in range(3):
        rig.put("x" * 10)
    assert rig.overflows == 1


async def test_clearing_stops_when_the_transport_clogs_again() -> None:
    rig = Rig()
    rig.transport.clog()
    for text in "abcd":
        rig.put(text)
    send = rig.transport.send

    def full_after_two(frame: Any) -> None:
        send(frame)
        if len(rig.sent) == 2:
            rig.transport.clog()

    rig.transport.send = full_after_two  # type: ignore[method-assign, assignment]
    rig.transport.clear()
    assert rig.sent == ["a", "b"]
    rig.put("e")
    rig.transport.clear()
    assert rig.sent == list("abcde")


async def test_a_close_drops_what_waits_says_its_last_word_and_takes_no_more() -> None:
    rig = Rig()
    rig.transport.clog()
    rig.put("waits")
    rig.outbox.close(4008, "too slow", wire(b"last"))
    rig.outbox.close(1011, "again", wire(b"never"))
    rig.put("later")
    rig.transport.clear()
    assert rig.sent == ["last"]
    assert rig.transport.closed == (4008, "too slow")
    assert rig.outbox.queued_bytes == 0


async def test_bytes_waiting_are_those_here_and_in_the_network() -> None:
    rig = Rig()
    rig.transport.clog()
    rig.transport.held_bytes = 100
    rig.put("abc")
    assert rig.outbox.bytes_waiting == 105


@pytest.mark.parametrize("ends", ["clear", "gone"])
async def test_who_waits_for_room_goes_on_when_there_is_some_or_nobody_reads(ends: str) -> None:
    rig = Rig()
    rig.transport.clog()
    waiting = [asyncio.ensure_future(rig.outbox.when_clear()) for _ in range(2)]
    await settle()
    assert not any(task.done() for task in waiting)
    if ends == "clear":
        rig.transport.clear()
    else:
        rig.outbox.discard()
    await asyncio.wait_for(asyncio.gather(*waiting), 1)


PUT = st.tuples(st.sampled_from(list(Delivery)), st.sampled_from(["k1", "k2", None]))
STEPS = st.lists(st.one_of(PUT, st.sampled_from(["clog", "clear"])), max_size=60)


@given(STEPS)
def test_must_events_arrive_all_and_in_order_and_the_last_state_wins(steps: list[Any]) -> None:
    async def run() -> None:
        rig = Rig(limit=100_000)
        musts: list[str] = []
        latest: dict[str, str] = {}
        for number, step in enumerate(steps):
            if step == "clog":
                rig.transport.clog()
            elif step == "clear":
                rig.transport.clear()
            else:
                delivery, key = step
                text = f"{delivery.name} {key} {number}"
                rig.put(text, delivery, key)
                if delivery is MUST:
                    musts.append(text)
                elif delivery is STATE and key is not None:
                    latest[key] = text
        rig.transport.clear()
        assert [text for text in rig.sent if text.startswith("MUST")] == musts
        for key, text in latest.items():
            arrived = [sent for sent in rig.sent if sent.startswith(f"STATE {key}")]
            assert arrived[-1] == text
            numbers = [int(sent.split()[-1]) for sent in arrived]
            assert numbers == sorted(numbers)
        assert rig.outbox.queued_bytes == 0

    asyncio.run(run())
