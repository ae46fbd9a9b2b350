"""The tracker's times must fit each other."""

from __future__ import annotations

import pytest

from presence.tracker.periods import Periods, problems


def test_the_defaults_fit() -> None:
    assert problems(Periods()) == []


@pytest.mark.parametrize(
    ("periods", "said"),
    [
        (Periods(broadcast_s=0), "broadcast_s must be greater than 0 and finite, got 0."),
        (Periods(down_s=-1), "down_s must be greater than 0 and finite, got -1."),
        (Periods(permdown_s=0), "permdown_s must be greater than 0 and finite, got 0."),
        (
            Periods(broadcast_s=float("nan")),
            "broadcast_s must be greater than 0 and finite, got nan.",
        ),
        (
            Periods(permdown_s=float("inf")),
            "permdown_s must be greater than 0 and finite, got inf.",
        ),
        (Periods(max_silent_periods=0), "max_silent_periods must be at least 1, got 0."),
        (Periods(broadcast_s=10, down_s=19), "down_s must be at least twice"),
        (Periods(broadcast_s=1, max_silent_periods=20), "down_s must be at least twice"),
        (Periods(permdown_s=30), "permdown_s must be greater than down_s (30), got 30."),
    ],
)
def test_times_that_do_not_fit_are_told_in_a_sentence(periods: Periods, said: str) -> None:
    (problem,) = problems(periods)

    assert problem.startswith(said)


def test_every_problem_is_told() -> None:
    assert len(problems(Periods(broadcast_s=20, permdown_s=25))) == 2
    assert len(problems(Periods(broadcast_s=0, down_s=0, permdown_s=0, max_silent_periods=0))) == 4
