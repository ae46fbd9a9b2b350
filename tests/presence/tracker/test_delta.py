"""Stretches of events and how they join; generations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence.tracker.delta import Delta, Entry, Generations
from presence.tracker.replica import Replica

pytestmark = pytest.mark.timeout(180)  # the nightly profile has twenty times the examples

A = Replica("a", 1)


def entry(counter: int) -> Entry:
    return Entry("lobby", f"person {counter}", "tab", b"{}", A.ref(counter))


class History:
    """Events of one replica: a number adds nothing, or adds an entry, and may take an earlier one away."""

    def __init__(self, events: list[tuple[bool, int | None]]) -> None:
        self.events = events
        self.alive: list[dict[int, Entry]] = [{}]
        for counter, (adds, place) in enumerate(events, 1):
            living = dict(self.alive[-1])
            if place is not None and living:
                del living[sorted(living)[place % len(living)]]
            if adds:
                living[counter] = entry(counter)
            self.alive.append(living)

    @property
    def length(self) -> int:
        return len(self.events)

    def delta(self, start: int, end: int) -> Delta:
        """By definition: what was made in the stretch and lived at its end, and what it took away."""
        made = {counter: one for counter, one in self.alive[end].items() if counter > start}
        return Delta(A, start, end, made, {*self.alive[start]} - {*self.alive[end]})


histories = st.lists(
    st.tuples(st.booleans(), st.none() | st.integers(0, 9)), min_size=1, max_size=40
).map(History)


@given(histories, st.data())
def test_the_join_of_two_stretches_is_the_delta_of_both(
    history: History, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.tuples(*[st.integers(0, history.length)] * 4)))
    start, middle, end, last = cuts
    if end == last:
        return
    earlier, later = history.delta(start, end), history.delta(middle, last)
    before = earlier.copy()

    change = earlier.extend(later)

    assert earlier == history.delta(start, last)
    assert later == history.delta(middle, last)
    joined = {one.ref for one in change.joins}
    left = {one.ref for one in change.leaves}
    had = {one.ref for one in before.entries.values()}
    assert (had - left) | joined == {one.ref for one in earlier.entries.values()}
    assert left <= had
    assert not joined & had


def test_what_came_and_went_inside_a_stretch_needs_no_word() -> None:
    delta = Delta(A, 0, 0)
    for counter in range(1, 200, 2):
        delta.extend(Delta(A, counter - 1, counter, {counter: entry(counter)}))
        delta.extend(Delta(A, counter, counter + 1, {}, {counter}))

    assert (delta.start, delta.end, delta.size) == (0, 200, 0)
    assert not delta.is_empty


def test_stretches_touch_when_there_is_no_gap_and_the_later_goes_further() -> None:
    delta = Delta(A, 3, 6)

    assert delta.touches(Delta(A, 6, 7))
    assert delta.touches(Delta(A, 4, 7))
    assert not delta.touches(Delta(A, 7, 8))
    assert not delta.touches(Delta(A, 4, 6))
    assert not delta.touches(Delta(A, 2, 8))


@given(histories, st.lists(st.integers(1, 6), max_size=40))
def test_a_generation_that_covers_brings_one_up_to_the_end(
    history: History, steps: list[int]
) -> None:
    generations = Generations((3, 6, 12))
    at = 0
    for step in steps:
        upto = min(at + step, history.length)
        if upto > at:
            generations.push(history.delta(at, upto))
        at = upto

    assert all(size <= most for size, most in zip(generations.sizes(), (3, 6, 12), strict=True))
    for known in range(at):
        covering = generations.covering(known)
        if covering is not None:
            assert covering == history.delta(covering.start, at)
            behind = history.delta(0, known)
            behind.extend(covering)
            assert behind == history.delta(0, at)
    assert generations.covering(at) is None


def test_the_smallest_generation_that_covers_is_chosen_and_none_for_one_too_far_behind() -> None:
    generations = Generations((2, 4))
    for counter in range(1, 8):
        generations.push(Delta(A, counter - 1, counter, {counter: entry(counter)}))

    nearly, behind = generations.covering(6), generations.covering(4)

    assert nearly is not None
    assert behind is not None
    assert nearly.size <= 2
    assert nearly.size < behind.size <= 4
    assert generations.covering(0) is None


def test_a_generation_starts_again_after_a_gap() -> None:
    generations = Generations((10,))
    generations.push(Delta(A, 0, 1, {1: entry(1)}))
    generations.push(Delta(A, 4, 5, {5: entry(5)}))

    assert generations.covering(0) is None
    assert generations.covering(4) == Delta(A, 4, 5, {5: entry(5)})


def test_a_delta_above_every_size_leaves_no_generation() -> None:
    generations = Generations((1, 2))
    generations.push(Delta(A, 0, 3, {counter: entry(counter) for counter in (1, 2, 3)}))

    assert generations.sizes() == [0, 0]
    assert generations.covering(0) is None


@given(histories, st.integers(1, 400), st.data())
def test_the_parts_of_a_delta_are_small_and_hold_together_what_it_holds(
    history: History, most_bytes: int, data: st.DataObject
) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, history.length)] * 2)))
    delta = history.delta(start, end)

    parts = list(delta.parts(most_bytes))

    whole = Delta(A, start, end, {}, set())
    for part in parts:
        assert (part.replica, part.start, part.end) == (A, start, end)
        assert not whole.entries.keys() & part.entries.keys()
        assert not whole.removed & part.removed
        whole.entries |= part.entries
        whole.removed |= part.removed
        assert (
            len(part.entries) <= 1 or sum(one.cost for one in part.entries.values()) <= most_bytes
        )
        assert len(part.removed) <= max(1, most_bytes // 9)
    assert whole == delta
    assert parts


def test_a_part_is_a_copy_that_later_events_do_not_change() -> None:
    delta = History([(True, None), (True, None)]).delta(0, 1)
    (part,) = delta.parts(1_000)

    delta.extend(Delta(A, 1, 2, {2: entry(2)}, set()))

    assert list(part.entries) == [1]
