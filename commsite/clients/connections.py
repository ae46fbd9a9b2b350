"""The table of live connections, for the admin: written behind, in batches, off the event loop.

The hub's registry is the truth; every few seconds each process compares it with what it wrote
before: new and closed sockets at once, the others in turn, a bounded number per round. A process
that dies leaves rows behind; they count no longer when its lease is over, and others remove them.
"""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from commsite.clients.models import ClientSession, Connection, Node
from commsite.realtime.telemetry import counters
from commsite.realtime.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from commsite.realtime.user_socket import UserSocket

REFRESH_MAX = 500
"""Sockets looked at again in one round: ten thousand take a minute and never stall the loop."""
DELETE_MAX = 500
SEEN_EVERY = timedelta(seconds=30)
TOPICS_MAX = 100

REFUSALS = ("refused", "dropped", "conflated", "closed", "slow", "locked_out", "throttled")
"""What the counters of limits are called."""

CHANGING = ("topics", "bytes_waiting", "rtt_ms", "updated_at")


class Batch(msgspec.Struct):
    """What one round writes: rows as keyword arguments, ids of closed sockets, sessions seen."""

    rows: list[dict[str, Any]]
    closed: list[str]
    session_ids: set[str]
    report: dict[str, Any] = {}


class ConnectionTable:
    """This process's part of the table. Event loop only; `store` and `forget` run in a thread."""

    def __init__(self, node: str, sockets: "Mapping[str, UserSocket]") -> None:
        self.node = node
        self._sockets = sockets
        self._written: dict[str, tuple[Any, ...]] = {}
        self._turn: Iterator[str] = iter(())
        self._due = 0.0

    async def write_when_due(self) -> None:
        """Writes what changed, at most once in CONNECTIONS_WRITE_S seconds."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + settings.REALTIME["CONNECTIONS_WRITE_S"]
        await self.write()

    async def write(self) -> None:
        """Writes what changed now. What could not be written is written the next time."""
        batch = self.batch()
        was_known = await in_thread(store, self.node, batch)
        if not was_known:
            self._written.clear()
        self._written |= {row["id"]: _changing(row) for row in batch.rows}
        for connection_id in batch.closed:
            self._written.pop(connection_id, None)

    async def close(self) -> None:
        """This process ends: it has no connections any more."""
        await in_thread(forget, self.node)
        self._written.clear()

    def batch(self) -> Batch:
        """What differs from what was written: all news, and what changed among those in turn."""
        looked_at = [key for key in self._sockets if key not in self._written]
        looked_at += self._next_in_turn()
        found = [socket for key in looked_at if (socket := self._sockets.get(key)) is not None]
        rows = [row for socket in found if self._is_news(row := describe(socket))]
        closed = [key for key in self._written if key not in self._sockets]
        seen = {socket.identity.session_id for socket in found}
        return Batch(rows, closed, seen, self.report())

    def report(self) -> dict[str, Any]:
        """The limits of this process and how often it had to refuse, drop or close something."""
        counted = {
            name + "".join(f" {key}={value}" for key, value in labels): number
            for (name, labels), number in sorted(counters.items())
            if any(word in name for word in REFUSALS)
        }
        limits = {key: value for key, value in settings.REALTIME.items() if key != "NODE"}
        return {"sockets": len(self._sockets), "limits": limits, "counted": counted}

    def _is_news(self, row: dict[str, Any]) -> bool:
        return self._written.get(row["id"]) != _changing(row)

    def _next_in_turn(self) -> list[str]:
        keys = list(islice(self._turn, REFRESH_MAX))
        if len(keys) < REFRESH_MAX:
            self._turn = iter(list(self._written))
        return [key for key in keys if key in self._written]


def describe(socket: "UserSocket") -> dict[str, Any]:
    """A socket as a row."""
    identity, rtt_ms = socket.identity, socket.rtt_ms
    return {
        "id": socket.id,
        "user_id": identity.user_id,
        "session_id": identity.session_id or None,
        "address": socket.context.address[:64],
        "user_agent": socket.context.user_agent[:300],
        "since": datetime.fromtimestamp(socket.opened_at, UTC),
        "topics": socket.topics[:TOPICS_MAX],
        "bytes_waiting": socket.bytes_waiting,
        "rtt_ms": None if rtt_ms is None else round(rtt_ms, 1),
    }


def _changing(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["topics"], row["bytes_waiting"], row["rtt_ms"])


@transaction.atomic
def store(node: str, batch: Batch) -> bool:
    """Writes a round and keeps the lease. False when the process was not known (any more).

    Others took it for dead then, and the rows of its earlier rounds are gone.
    """
    now = timezone.now()
    known = Node.objects.filter(id=node)
    was_known = bool(known.update(seen_at=now, report=batch.report))
    if not was_known:
        Node.objects.create(id=node, started_at=now, seen_at=now, report=batch.report)
    _reap(now)
    for start in range(0, len(batch.closed), DELETE_MAX):
        Connection.objects.filter(id__in=batch.closed[start : start + DELETE_MAX]).delete()
    Connection.objects.bulk_create(
        [Connection(node_id=node, updated_at=now, **row) for row in batch.rows],
        batch_size=DELETE_MAX,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=CHANGING,
    )
    _see_sessions(batch.session_ids, now)
    return was_known


def forget(node: str) -> None:
    """Removes a process with its connections."""
    Node.objects.filter(id=node).delete()


def _reap(now: datetime) -> None:
    lease = timedelta(seconds=settings.REALTIME["CONNECTIONS_LEASE_S"])
    Node.objects.filter(seen_at__lt=now - lease).delete()


def _see_sessions(session_ids: set[str], now: datetime) -> None:
    seen = list(session_ids)
    for start in range(0, len(seen), DELETE_MAX):
        ClientSession.objects.filter(
            id__in=seen[start : start + DELETE_MAX], last_seen_at__lt=now - SEEN_EVERY
        ).update(last_seen_at=now)
