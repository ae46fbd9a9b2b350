"""How often one person may do what: told how long to wait, by whatever door they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commsite.realtime import telemetry
from commsite.realtime.errors import PushError
from conversation import rates
from conversation.rates import MOST_PEOPLE, Rates, spend

if TYPE_CHECKING:
    from conversation.rates import Kind


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_messages_come_in_a_burst_then_five_a_second(clock: Clock) -> None:
    people = Rates(clock)

    burst = [people.wait_s("message", 1) for _ in range(11)]
    clock.now += 0.2
    after = people.wait_s("message", 1)

    assert burst == [0.0] * 10 + [pytest.approx(0.2)]
    assert after == 0


def test_no_more_than_sixty_messages_a_minute(clock: Clock) -> None:
    people = Rates(clock)
    waits = []
    for _ in range(300):
        waits.append(people.wait_s("message", 1))
        clock.now += 0.2

    # What the bucket holds, and what it regains in that minute; then one a second.
    assert sum(wait_s == 0 for wait_s in waits) == 60 + 59
    assert max(waits) <= 1


@pytest.mark.parametrize(
    ("kind", "at_once", "per_s"),
    [("change", 5, 5), ("history", 10, 10), ("typing", 1, 1), ("read", 10, 2)],
)
def test_each_kind_has_its_rate(clock: Clock, kind: Kind, at_once: int, per_s: int) -> None:
    people = Rates(clock)

    waits = [people.wait_s(kind, 1) for _ in range(at_once + 1)]

    assert waits == [0.0] * at_once + [pytest.approx(1 / per_s)]


def test_ten_questions_a_minute(clock: Clock) -> None:
    people = Rates(clock)

    assert [people.wait_s("assistant", 1) for _ in range(11)] == [0.0] * 10 + [pytest.approx(6)]


def test_nobody_pays_for_another_nor_one_kind_for_another(clock: Clock) -> None:
    people = Rates(clock)
    people.wait_s("typing", 1)

    assert people.wait_s("typing", 1) > 0
    assert people.wait_s("typing", 2) == 0
    assert people.wait_s("read", 1) == 0


def test_whoever_was_quiet_for_longest_is_forgotten_first(clock: Clock) -> None:
    people = Rates(clock)
    for user_id in range(MOST_PEOPLE + 1):
        people.wait_s("typing", user_id)

    assert len(people._buckets) == MOST_PEOPLE
    assert people.wait_s("typing", MOST_PEOPLE) > 0


def test_too_fast_is_told_with_the_time_to_wait_and_counted(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    people = Rates(clock)
    monkeypatch.setattr(rates, "rates", lambda: people)
    counter = ("acts_throttled_total", (("kind", "typing"),))
    before = telemetry.counters[counter]
    spend("typing", 1)

    with pytest.raises(PushError) as refused:
        spend("typing", 1)

    assert (refused.value.reason, refused.value.retry_after_ms) == ("rate_limited", 1000)
    assert telemetry.counters[counter] == before + 1
