"""The tracker's times, and whether they fit each other. Pure."""

import msgspec


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """How often replicas speak and after which silence they are given up. All in seconds but `max_silent_periods`.

    A heartbeat goes out in every `max_silent_periods`-th period even with nothing to say. It is 1 by default (Phoenix:
    10): the clock in it is what shows a loss, and a heal must be seen within two periods.
    """

    broadcast_s: float = 1.5
    max_silent_periods: int = 1
    down_s: float = 30.0
    permdown_s: float = 1_200.0

    @property
    def heartbeat_s(self) -> float:
        """The longest silence of a healthy replica."""
        return self.broadcast_s * self.max_silent_periods

    @property
    def jitter_s(self) -> float:
        """What must not happen everywhere at the same moment is spread over this time."""
        return self.broadcast_s / 4

    @property
    def retry_s(self) -> float:
        """A transfer that was asked for and has not come after this time is asked for again."""
        return self.broadcast_s / 2

    @property
    def patience_s(self) -> float:
        """The longest that a leave waits because something else is missing: by then its process is down."""
        return self.down_s


def problems(periods: Periods) -> list[str]:
    """Everything that is wrong with these times, one sentence each; empty when they fit. For a system check."""
    found = [
        f"{name} must be greater than 0 and finite, got {value:g}."
        for name, value in (
            ("broadcast_s", periods.broadcast_s),
            ("down_s", periods.down_s),
            ("permdown_s", periods.permdown_s),
        )
        if not 0 < value < float("inf")
    ]
    if periods.max_silent_periods < 1:
        found.append(f"max_silent_periods must be at least 1, got {periods.max_silent_periods}.")
    if found:
        return found
    if periods.down_s < 2 * periods.heartbeat_s:
        found.append(
            f"down_s must be at least twice the longest silence of a healthy replica (broadcast_s * "
            f"max_silent_periods = {periods.heartbeat_s:g}), or one lost heartbeat takes a process for dead; "
            f"got {periods.down_s:g}."
        )
    if periods.permdown_s <= periods.down_s:
        found.append(
            f"permdown_s must be greater than down_s ({periods.down_s:g}), got {periods.permdown_s:g}."
        )
    return found
