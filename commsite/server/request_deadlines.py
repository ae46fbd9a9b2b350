"""Which HTTP connections have not got their request out in time: slow senders must not hold connections for good."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BODY_S = 60.0


class _Waiting(NamedTuple):
    cycle: Any
    since: float


class RequestDeadlines:
    """Remembers since when each connection owes (the rest of) a request. Pure; `now` is in seconds."""

    def __init__(self) -> None:
        self._waiting: dict[HttpToolsProtocol, _Waiting] = {}

    def overdue(
        self, connections: Iterable[Any], now: float, *, head_s: float, body_s: float = BODY_S
    ) -> list[HttpToolsProtocol]:
        """The connections that are too late; to be asked again and again.

        A request's head may take `head_s`, after the previous answer too (uvicorn's own time-out for idle connections
        ends with the next byte); its body `body_s`, or what the scope allows (see `commsite.intake`).
        """
        before, self._waiting = self._waiting, {}
        late = []
        for connection in connections:
            if not isinstance(connection, HttpToolsProtocol) or not _owes(connection.cycle):
                continue
            waiting = before.get(connection)
            if waiting is None or waiting.cycle is not connection.cycle:
                waiting = _Waiting(connection.cycle, now)
            self._waiting[connection] = waiting
            if now - waiting.since >= (_body_s(connection.cycle, body_s) or head_s):
                late.append(connection)
        return late


def _owes(cycle: Any) -> bool:
    return cycle is None or cycle.response_complete or cycle.more_body


def _body_s(cycle: Any, body_s: float) -> float | None:
    """How long the body may take; None when it is no body that is waited for."""
    if cycle is None or cycle.response_complete:
        return None
    return float(cycle.scope.get("commsite.body_s", body_s))
