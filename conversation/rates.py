"""How often one person may do what, whatever they do it with: sockets and REST draw on the same buckets.

Each process counts for itself. Too fast is an error with the time to wait, and never ends a socket.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Literal

from django.conf import settings

from commsite.realtime.errors import PushError
from commsite.realtime.limits import limits
from commsite.realtime.rate import Bucket
from commsite.realtime.telemetry import count

Kind = Literal["message", "change", "history", "typing", "read", "assistant"]

_ALLOWED: dict[Kind, tuple[tuple[str, str | None, float], ...]] = {
    "message": (("MESSAGES_PER_S", "MESSAGE_BURST", 1), ("MESSAGES_PER_MIN", None, 60)),
    "change": (("MESSAGE_CHANGES_PER_S", None, 1),),
    "history": (("HISTORY_PER_S", None, 1),),
    "typing": (("TYPING_PER_S", None, 1),),
    "read": (("READ_MARKS_PER_S", "READ_MARK_BURST", 1),),
    "assistant": (("RUNS_PER_MIN", None, 60),),
}
"""Kind -> (setting of the rate, setting of the burst or the rate itself, in how many seconds)."""
MOST_PEOPLE = 10_000
"""Whoever was quiet for longest is forgotten beyond this: their buckets are full by then."""


class Rates:
    """The buckets of everybody, in one process. From any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._buckets: OrderedDict[tuple[Kind, int], list[Bucket]] = OrderedDict()

    def wait_s(self, kind: Kind, user_id: int) -> float:
        """Spends one and returns 0, or spends nothing and returns the seconds until one may be spent."""
        with self._lock:
            buckets = self._buckets.get((kind, user_id))
            if buckets is None:
                buckets = self._buckets[kind, user_id] = _full(kind)
                if len(self._buckets) > MOST_PEOPLE:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end((kind, user_id))
            now = self._clock()
            wait_s = max(bucket.wait_s(now) for bucket in buckets)
            if wait_s <= 0:
                for bucket in buckets:
                    bucket.take(now)
            return wait_s


def _full(kind: Kind) -> list[Bucket]:
    known = settings.REALTIME
    return [
        Bucket(known[rate] / seconds, known[burst or rate])
        for rate, burst, seconds in _ALLOWED[kind]
    ]


@cache
def rates() -> Rates:
    """The buckets of this process."""
    return Rates()


def spend(kind: Kind, user_id: int) -> None:
    """Counts one act of this person. Raises PushError("rate_limited") with `retry_after_ms`."""
    if limits().bench:
        return
    wait_s = rates().wait_s(kind, user_id)
    if wait_s > 0:
        count("acts_throttled_total", kind=kind)
        raise PushError("rate_limited", retry_after_ms=max(1, round(wait_s * 1000)))
