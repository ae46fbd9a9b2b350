"""The system check that refuses periods which do not fit each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from presence.checks import check_periods

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings


def test_the_defaults_fit() -> None:
    assert check_periods() == []


@pytest.mark.parametrize(
    ("wrong", "number"),
    [
        ({"PRESENCE_DOWN_S": 2.0, "PRESENCE_GRACE_S": 1.0}, "presence.E001"),
        ({"PRESENCE_PERMDOWN_S": 10.0}, "presence.E001"),
        ({"PRESENCE_GRACE_S": 31.0}, "presence.E002"),
        ({"PRESENCE_IDLE_S": 60.0}, "presence.E003"),
        ({"PRESENCE_AWAY_S": 300.0}, "presence.E003"),
    ],
)
def test_periods_that_contradict_each_other_are_refused(
    settings: Settings, wrong: dict[str, float], number: str
) -> None:
    settings.REALTIME = {**settings.REALTIME, **wrong}

    assert [message.id for message in check_periods()] == [number]
