"""System checks: the tracker's times fit each other."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from presence.tracker.periods import problems
from presence.tracking import periods

AGAIN_S = 60
"""How often a page says that somebody uses it (`activity.ts`)."""


@register("realtime")
def check_periods(**kwargs: Any) -> list[CheckMessage]:
    """The periods of gossip agree, and a reload fits into the time of grace of everybody."""
    found: list[CheckMessage] = [
        Error(f"COMMSITE_PRESENCE_*: {problem}", id="presence.E001")
        for problem in problems(periods())
    ]
    limits = settings.REALTIME
    if limits["PRESENCE_GRACE_S"] > limits["PRESENCE_DOWN_S"]:
        found.append(
            Error(
                "COMMSITE_PRESENCE_GRACE_S must not be above COMMSITE_PRESENCE_DOWN_S: a process that leaves in "
                "good order would be shown for longer than one that died.",
                id="presence.E002",
            )
        )
    if not AGAIN_S * 2 <= limits["PRESENCE_IDLE_S"] < limits["PRESENCE_AWAY_S"]:
        found.append(
            Error(
                f"COMMSITE_PRESENCE_IDLE_S must be at least {AGAIN_S * 2} and below COMMSITE_PRESENCE_AWAY_S: "
                f"pages that are used say so every {AGAIN_S} seconds.",
                id="presence.E003",
            )
        )
    return found
