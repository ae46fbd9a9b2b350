"""How many may come: handshakes under way, sockets per user, address and process, and who came back too early."""

import asyncio
import time
from collections import Counter

from commsite.realtime.auth import Identity, Refused, limit_key
from commsite.realtime.limits import limits
from commsite.realtime.telemetry import count

RETRY_AFTER_S = 5


class Handshake:
    """One handshake under way. `end` may be called by everyone who knows that it was decided; the first one counts."""

    __slots__ = ("_counter", "_key", "_task", "is_expired")

    def __init__(self, counter: Counter[str], key: str) -> None:
        self._counter: Counter[str] | None = counter
        self._key = key
        self._task = asyncio.current_task()
        self.is_expired = False
        counter[key] += 1

    def end(self) -> None:
        """It was decided."""
        counter, self._counter = self._counter, None
        self._task = None
        if counter is not None:
            counter[self._key] -= 1
            if not counter[self._key]:
                del counter[self._key]

    def expire(self) -> None:
        """Its time is over: when it is still undecided, the task that serves it is cancelled."""
        if self._task is not None:
            self.is_expired = True
            self._task.cancel()
            self._task = None


class Admission:
    """The connection limits of one process, and what they count. `bench` switches all of them off."""

    def __init__(self) -> None:
        self.is_draining = False
        self._handshakes: Counter[str] = Counter()
        self._per_address: Counter[str] = Counter()
        self._deferred: dict[str, float] = {}

    @property
    def handshakes(self) -> int:
        """How many are under way."""
        return self._handshakes.total()

    def begin_handshake(self, address: str) -> Handshake:
        """Counts a handshake of this address until its `end`; raises Refused when too many are under way."""
        key = limit_key(address)
        self._check_drain()
        if not limits().bench and self._handshakes[key] >= limits().sockets_per_address_anonymous:
            raise _refused("handshakes", 429, "connection_limit", RETRY_AFTER_S)
        return Handshake(self._handshakes, key)

    def admit(self, identity: Identity, address: str, *, of_user: int, of_process: int) -> None:
        """Raises Refused when one more socket of this user, address or process is too many, or comes too early."""
        self._check_drain()
        if limits().bench:
            return
        wait_s = self._deferred.get(identity.session_id, 0.0) - time.monotonic()
        if wait_s > 0:
            raise _refused("came_back_too_early", 429, "rate_limited", 1 + int(wait_s))
        if of_user >= limits().sockets_per_user:
            raise _refused("user", 429, "connection_limit", RETRY_AFTER_S)
        if self._per_address[limit_key(address)] >= limits().sockets_per_address:
            raise _refused("address", 429, "connection_limit", RETRY_AFTER_S)
        if of_process >= limits().sockets_per_process:
            raise _refused("process", 503, "overloaded", RETRY_AFTER_S)

    def came(self, address: str) -> None:
        """A socket of this address is there."""
        self._per_address[limit_key(address)] += 1

    def went(self, address: str) -> None:
        """It is gone."""
        key = limit_key(address)
        self._per_address[key] -= 1
        if not self._per_address[key]:
            del self._per_address[key]

    def defer(self, session_id: str, seconds: float) -> None:
        """Refuses this client session's earlier return: the advice given with a close is enforced."""
        if session_id and not limits().bench and not self.is_draining:
            self._deferred[session_id] = time.monotonic() + seconds

    def forget_past(self) -> None:
        """Drops the deferrals that are over."""
        now = time.monotonic()
        self._deferred = {
            session: until for session, until in self._deferred.items() if until > now
        }

    def _check_drain(self) -> None:
        if self.is_draining:
            raise Refused(503, "draining", retry_after_s=RETRY_AFTER_S)


def _refused(limit: str, status: int, reason: str, retry_after_s: int) -> Refused:
    count("connections_refused_total", limit=limit)
    return Refused(status, reason, retry_after_s=retry_after_s)
