"""Token buckets of one socket: pushes and joins. Pure; `now` is in seconds of any steady clock."""

from commsite.realtime.limits import Limits

ABUSE = 300
"""Refusals in a row after which it is no longer a burst but a flood."""


class Bucket:
    """A token bucket: `rate` tokens a second up to `burst`."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Takes a token and returns 0, or returns the seconds until there is one."""
        wait_s = self.wait_s(now)
        if wait_s <= 0:
            self._tokens -= 1
        return wait_s

    def wait_s(self, now: float) -> float:
        """The seconds until there is a token: 0 when there is one."""
        if self._at is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self.rate


class Rate:
    """What one socket may do in a time. `is_abused` after many refusals with nothing allowed between."""

    __slots__ = ("_joins", "_pushes", "_refused")

    def __init__(self, limits: Limits) -> None:
        self._pushes = Bucket(limits.pushes_per_s, limits.push_burst)
        self._joins = Bucket(limits.joins_per_s, max(limits.joins_per_s, limits.topics_per_socket))
        self._refused = 0

    def take(self, now: float, *, is_join: bool) -> float:
        """Returns 0 when the push may pass, else the seconds to wait."""
        wait_s = self._pushes.take(now)
        if wait_s <= 0 and is_join:
            wait_s = self._joins.take(now)
        self._refused = self._refused + 1 if wait_s > 0 else max(0, self._refused - 1)
        return wait_s

    @property
    def is_abused(self) -> bool:
        """True when the client floods."""
        return self._refused > ABUSE
