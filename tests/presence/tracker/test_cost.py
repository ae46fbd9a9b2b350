"""A merge costs the size of the delta, never of the state: counted in operations, not in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from presence.tracker.replica import Replica
from presence.tracker.roster import Roster
from presence.tracker.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presence.tracker.delta import Delta

A, B = Replica("a", 1), Replica("b", 1)


class Counting(dict[Any, Any]):
    """A dict that counts each element looked at, also those a scan or a copy goes past."""

    operations = 0

    def __iter__(self) -> Iterator[Any]:
        for key in super().__iter__():
            Counting.operations += 1
            yield key

    def keys(self) -> Any:
        Counting.operations += len(self)
        return super().keys()

    def values(self) -> Any:
        Counting.operations += len(self)
        return super().values()

    def items(self) -> Any:
        Counting.operations += len(self)
        return super().items()

    def __contains__(self, key: object) -> bool:
        Counting.operations += 1
        return super().__contains__(key)

    def __getitem__(self, key: Any) -> Any:
        Counting.operations += 1
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        Counting.operations += 1
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        Counting.operations += 1
        super().__delitem__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        Counting.operations += 1
        return super().get(key, default)

    def pop(self, *arguments: Any) -> Any:
        Counting.operations += 1
        return super().pop(*arguments)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        Counting.operations += 1
        return super().setdefault(key, default)

    def update(self, *arguments: Any, **words: Any) -> None:
        Counting.operations += sum(map(len, arguments)) + len(words)
        super().update(*arguments, **words)


def crowd(size: int) -> tuple[State, State]:
    """A writer with so many people in one topic, and a reader who knows them."""
    writer, reader = State(A), State(B)
    for number in range(size):
        writer.track("lobby", f"person {number}", "tab", b"{}")
    delta = writer.flush()
    assert delta is not None
    reader.merge(delta)
    return writer, reader


def small_delta(writer: State) -> Delta:
    """One joins, one changes, one leaves."""
    writer.track("lobby", "ada", "tab", b"{}")
    writer.update("lobby", "person 1", "tab", b"2")
    writer.untrack("lobby", "person 2", "tab")
    delta = writer.flush()
    assert delta is not None
    return delta


def cost_of_a_merge(size: int, *, is_doubled: bool = False) -> int:
    """Operations on the reader's entries and on its index for a delta of three events."""
    writer, reader = crowd(size)
    roster = Roster()
    roster.show(reader.entries(A))
    whole = reader._parts[A].whole
    whole.entries = Counting(whole.entries)
    roster._topics = Counting({topic: Counting(keys) for topic, keys in roster._topics.items()})
    delta = small_delta(writer)
    Counting.operations = 0

    roster.apply(reader.merge(delta))
    if is_doubled:
        roster.apply(reader.merge(delta))

    assert len(roster) == size == len(whole.entries)
    return Counting.operations


def test_a_merge_costs_the_same_whatever_is_there() -> None:
    at_ten = cost_of_a_merge(10)

    assert cost_of_a_merge(10_000) == at_ten
    assert at_ten < 40


def test_a_doubled_delta_costs_nothing() -> None:
    assert cost_of_a_merge(1_000, is_doubled=True) == cost_of_a_merge(1_000)


@pytest.mark.parametrize("size", [100, 10_000])
def test_an_overlap_costs_its_length_and_not_the_state(size: int) -> None:
    writer, reader = crowd(size)
    first = small_delta(writer)
    reader.merge(first)
    writer.track("lobby", "grace", "tab", b"{}")
    writer.flush()
    answer = writer.answer(A, first.start)
    assert answer is not None
    assert answer.start < reader.version(A) < answer.end
    whole = reader._parts[A].whole
    whole.entries = Counting(whole.entries)
    Counting.operations = 0

    reader.merge(answer)

    assert Counting.operations < 10 * (answer.end - answer.start)


def test_the_count_of_a_topic_looks_at_nobody() -> None:
    roster = Roster()
    roster.show(crowd(1_000)[1].entries(A))
    roster._topics["lobby"] = Counting(roster._topics["lobby"])
    Counting.operations = 0

    assert roster.count_keys("lobby") == len(roster) == 1_000
    assert Counting.operations == 0
