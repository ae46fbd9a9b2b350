"""Each seq is released once, in order, from whatever order it was offered in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.sequence import Sequence


def test_nothing_is_released_before_the_baseline_is_known() -> None:
    sequence: Sequence[str] = Sequence()
    assert sequence.offer(3, "c") == []
    assert sequence.hole is None
    assert sequence.baseline(2) == ["c"]


def test_a_second_baseline_changes_nothing() -> None:
    sequence: Sequence[str] = Sequence()
    sequence.baseline(2)
    sequence.baseline(9)
    assert sequence.offer(3, "c") == ["c"]


def test_a_hole_says_what_is_missing_and_gives_way_when_told() -> None:
    sequence: Sequence[str] = Sequence()
    sequence.baseline(2)
    assert sequence.offer(6, "f") == []
    assert sequence.hole == (2, 5)
    assert sequence.skip_to(5) == ["f"]
    assert sequence.hole is None


@given(
    st.integers(0, 5),
    st.lists(st.integers(1, 30), max_size=60),
    st.integers(0, 60),
)
def test_any_offers_lead_to_an_ordered_run_without_gap_or_repeat(
    start: int, offers: list[int], baseline_at: int
) -> None:
    sequence: Sequence[int] = Sequence()
    released: list[int] = []
    for number, seq in enumerate(offers):
        if number == baseline_at:
            released += sequence.baseline(start)
        released += sequence.offer(seq, seq)
    released += sequence.baseline(start)
    expected: list[int] = []
    while start + len(expected) + 1 in offers:
        expected.append(start + len(expected) + 1)
    assert released == expected
    assert sequence.last == start + len(expected)


@given(st.permutations(range(1, 15)), st.data())
def test_skipping_holes_keeps_the_order(order: list[int], data: st.DataObject) -> None:
    sequence: Sequence[int] = Sequence()
    released = sequence.baseline(0)
    for seq in order:
        released += sequence.offer(seq, seq)
        if sequence.hole and data.draw(st.booleans()):
            released += sequence.skip_to(sequence.hole[1])
    assert released == sorted(set(released))
    assert sequence.hole is None
