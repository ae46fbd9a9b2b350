"""The pace of telling: at once, then joined, never more often than once a period."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from conversation.pace import Pace

steps = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3_000)), max_size=60)


def test_the_first_news_is_told_at_once_and_the_next_a_period_later() -> None:
    pace: Pace[str] = Pace(1.0)
    pace.want("a", 10.0)
    assert pace.take(10.0) == ["a"]

    pace.want("a", 10.2)

    assert (pace.next_at, pace.take(10.9)) == (11.0, [])
    assert pace.take(11.0) == ["a"]
    assert pace.next_at is None


def test_news_that_waits_is_told_once_however_often_it_came() -> None:
    pace: Pace[str] = Pace(1.0)
    pace.want("a", 0.0)
    pace.take(0.0)
    for at in (0.1, 0.2, 0.3):
        pace.want("a", at)

    assert pace.take(1.0) == ["a"]
    assert pace.take(5.0) == []


def test_after_a_quiet_period_news_is_told_at_once_again() -> None:
    pace: Pace[str] = Pace(1.0)
    pace.want("a", 0.0)
    pace.take(0.0)

    pace.want("a", 7.0)

    assert pace.take(7.0) == ["a"]


def test_the_first_news_may_wait_a_moment_for_more() -> None:
    pace: Pace[str] = Pace(1.0, delay_s=0.25)
    pace.want("a", 10.0)
    pace.want("a", 10.2)

    assert (pace.take(10.2), pace.take(10.25)) == ([], ["a"])
    pace.want("a", 10.5)
    assert pace.next_at == 11.25
    assert pace.take(11.25) == ["a"]
    pace.want("a", 12.125)
    assert pace.next_at == 12.375


def test_at_the_end_everything_is_told_due_or_not() -> None:
    pace: Pace[str] = Pace(1.0)
    pace.want("a", 0.0)
    pace.take(0.0)
    pace.want("a", 0.1)
    pace.want("b", 0.1)

    assert sorted(pace.take_all()) == ["a", "b"]
    assert pace.next_at is None


class Weighed:
    """A thing that counts how often anybody looks at one of its kind."""

    looks = 0

    def __hash__(self) -> int:
        Weighed.looks += 1
        return id(self)


def test_what_waits_costs_nothing_while_something_else_is_told() -> None:
    pace: Pace[Weighed] = Pace(1_000.0)
    told = [Weighed() for _ in range(500)]
    for now in (0, 1):
        for thing in told:
            pace.want(thing, now)
        pace.take(now)
    Weighed.looks = 0

    pace.want(Weighed(), 2.0)
    assert len(pace.take(2.0)) == 1

    assert Weighed.looks < 20


@given(steps)
def test_nothing_is_told_twice_in_a_period_and_no_news_waits_for_longer(
    wanted: list[tuple[str, int]],
) -> None:
    pace: Pace[str] = Pace(1_000)
    now = 0.0
    waiting: dict[str, float] = {}
    told: dict[str, list[float]] = {"a": [], "b": []}

    def take() -> None:
        for thing in pace.take(now):
            told[thing].append(now)
            assert now - waiting.pop(thing) <= 1_000
        assert all(now - since < 1_000 for since in waiting.values())

    for thing, pause in [*wanted, ("a", 2_000)]:
        end = now + pause
        while pace.next_at is not None and pace.next_at <= end:
            now = pace.next_at
            take()
        now = end
        pace.want(thing, now)
        waiting.setdefault(thing, now)
        take()

    for times in told.values():
        assert all(later - earlier >= 1_000 for earlier, later in itertools.pairwise(times))
