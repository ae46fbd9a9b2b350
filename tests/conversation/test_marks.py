"""Marks only grow, whatever the order in which they come."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from conversation.marks import Mark, Marks, Place

ROOM, THREAD = uuid.UUID(int=1), uuid.UUID(int=2)
marks = st.builds(Mark, st.integers(0, 50), st.integers(0, 50))
places = st.builds(Place, st.integers(1, 3), st.sampled_from([None, THREAD]))


def test_what_was_read_was_delivered() -> None:
    assert Mark().joined(Mark(delivered=3, read=7)) == Mark(delivered=7, read=7)


def test_a_mark_beyond_the_end_counts_as_the_end() -> None:
    assert Mark(delivered=90, read=80).within(12) == Mark(12, 12)


@given(marks, marks, marks)
def test_joining_marks_is_a_join(one: Mark, other: Mark, third: Mark) -> None:
    joined = one.joined(other)

    assert joined == other.joined(one)
    assert joined.joined(third) == one.joined(other.joined(third))
    assert joined.joined(joined) == joined
    assert joined.read >= max(one.read, other.read)
    assert joined.delivered >= joined.read


@given(st.lists(st.tuples(places, marks), max_size=30), st.randoms(use_true_random=False))
def test_the_order_in_which_marks_are_noted_does_not_matter(noted: list, chance: object) -> None:
    def gathered(order: list) -> dict[Place, Mark]:
        buffer = Marks()
        for place, mark in order:
            buffer.note(ROOM, place, mark)
        return buffer.take(ROOM)

    shuffled = list(noted)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert gathered(noted) == gathered(shuffled)


@given(st.lists(st.tuples(places, marks, st.booleans()), max_size=30))
def test_nothing_is_lost_when_a_write_fails(noted: list) -> None:
    buffer, steady = Marks(), Marks()
    for place, mark, is_tried in noted:
        buffer.note(ROOM, place, mark)
        steady.note(ROOM, place, mark)
        if is_tried:
            buffer.put_back(ROOM, buffer.take(ROOM))

    assert buffer.take(ROOM) == steady.take(ROOM)
    assert len(buffer) == 0
