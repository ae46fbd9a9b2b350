"""Answers in parts: in any order, doubled, or never whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence.tracker.assembly import MOST_AT_ONCE, Assembly
from presence.tracker.delta import Delta, Entry
from presence.tracker.gossip import TransferAnswer
from presence.tracker.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

pytestmark = pytest.mark.timeout(180)  # the nightly profile has twenty times the examples

A, B, C = Replica("a", 1), Replica("b", 1), Replica("c", 1)


def delta(end: int, of: Replica = A) -> Delta:
    entries = {
        number: Entry("lobby", f"person {number}", "tab", b"{}", of.ref(number))
        for number in range(1, end + 1)
    }
    return Delta(of, 0, end, entries, set(range(1_000, 1_040)))


def answers(whole: Delta, sender: Replica = A) -> Sequence[TransferAnswer]:
    parts = list(whole.parts(100))
    assert len(parts) > 3
    return [
        TransferAnswer(sender, B, part, number, len(parts)) for number, part in enumerate(parts)
    ]


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 20)))
def test_parts_in_any_order_and_doubled_become_the_whole_once(
    chance: Random, doubled: list[int]
) -> None:
    parts = list(answers(delta(8)))
    last = parts.pop(chance.randrange(len(parts)))
    parts += [parts[place % len(parts)] for place in doubled]
    chance.shuffle(parts)
    assembly = Assembly()

    assert [assembly.add(part) for part in parts] == [None] * len(parts)
    assert assembly.add(last) == delta(8)
    assert len(assembly) == 0


def test_an_answer_of_one_part_is_whole_at_once() -> None:
    assembly = Assembly()

    assert assembly.add(TransferAnswer(A, B, delta(2))) == delta(2)
    assert len(assembly) == 0


def test_parts_of_two_answers_are_never_mixed() -> None:
    assembly = Assembly()
    one, other = answers(delta(8)), answers(delta(9), sender=C)

    for part in (*one[:-1], *other[1:]):
        assert assembly.add(part) is None

    assert assembly.add(other[0]) == delta(9)


def test_no_more_than_a_few_answers_about_one_replica_are_kept() -> None:
    assembly = Assembly()

    for end in range(8, 30):
        assembly.add(answers(delta(end))[0])
        assembly.add(answers(delta(end, of=C))[0])

    assert len(assembly) == 2 * MOST_AT_ONCE


def test_what_was_forgotten_does_not_complete_a_later_answer() -> None:
    assembly = Assembly()
    parts = answers(delta(8))
    for part in parts[:-1]:
        assembly.add(part)

    assembly.forget(A)

    assert assembly.add(parts[-1]) is None
    assembly.clear()
    assert len(assembly) == 0
