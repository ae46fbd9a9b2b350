"""What each process does about revocations on its event loop: learns of them and closes sockets.

News comes by control message at once. Because messages can be lost, and because a management
command of a site without Redis cannot send any, the table is read again after a gap and every
second; that also brings the table of live connections up to date.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.utils import timezone

from commsite.clients import actions, queries, tokens
from commsite.clients.connections import ConnectionTable
from commsite.clients.revocation import Notice
from commsite.realtime.errors import CloseCode
from commsite.realtime.hub import Hub, hub
from commsite.realtime.telemetry import subscribe
from commsite.realtime.threads import in_thread

if TYPE_CHECKING:
    from commsite.realtime.user_socket import UserSocket

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
LATE_COMMIT = timedelta(seconds=5)
"""A row may be committed so long after the moment that it carries."""


class Watch:
    """The memory's state of reading in this process. Event loop only."""

    def __init__(self) -> None:
        self.read_at: datetime | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_failing = False

    async def ensure_loaded(self) -> None:
        """Returns at once when the table was read in this process, else reads it, once for all."""
        if self.read_at is not None:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self.look())
        await asyncio.shield(self._reading)

    async def look(self, *, since: datetime | None = None) -> None:
        """Reads the revocations after `since` (all that matter without it) and acts on the news."""
        read_at = timezone.now()
        learn(await in_thread(recent_notices, since))
        self.read_at = read_at

    async def forever(self, table: ConnectionTable) -> None:
        """Looks every second, writes the connection table when it is due, clears up at the end."""
        try:
            while True:
                await self._round(table)
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await table.close()

    async def _round(self, table: ConnectionTable) -> None:
        try:
            since = self.read_at - LATE_COMMIT if self.read_at else None
            await self.look(since=since)
            tokens.revocations.prune(time.time())
            await table.write_when_due()
        except Exception:
            # The database may be away for a while; sockets live on and the next round tries again.
            if not self._is_failing:
                logger.exception("revocations or connections could not be brought up to date")
            self._is_failing = True
        else:
            self._is_failing = False


watch = Watch()
ensure_loaded = watch.ensure_loaded


def recent_notices(since: datetime | None = None) -> list[Notice]:
    """The revocations of the table as notices. Sync."""
    return [actions.notice_of(row) for row in queries.recent_revocations(since)]


def learn(notices: Iterable[Notice]) -> None:
    """Remembers notices; closes the sockets here of whoever was revoked (4401)."""
    news = tokens.revocations.apply(notices)
    if any(notice.user_id is None for notice in news):
        _close(hub.sockets())
    else:
        for notice in news:
            _close(hub.sockets_of(int(notice.user_id or 0)))


def _close(sockets: "Iterable[UserSocket]") -> None:
    for socket in sockets:
        notice = tokens.revocations.revoked(socket.identity)
        if notice is not None:
            socket.close(CloseCode.UNAUTHENTICATED, notice.reason)


def on_revoke(payload: dict[str, Any]) -> None:
    """Control message: a session or a user was revoked."""
    learn([msgspec.convert(payload, Notice)])


def on_disconnect(payload: dict[str, Any]) -> None:
    """Control message: an administrator closes one connection; its client may come back."""
    hub.disconnect(
        connection_id=str(payload["connection_id"]),
        code=CloseCode.GOING_AWAY,
        reason="disconnected by an administrator",
    )


def on_gap() -> None:
    """Control messages were lost: everything that matters is read again."""
    hub.spawn(watch.look())


def on_socket_opened(socket: "UserSocket") -> None:
    """A revocation may have come between a handshake's check and its socket's registration."""
    _close([socket])


def on_hub_started(hub: Hub) -> None:
    """From here on control messages reach this process; what came before is read from the table."""
    if settings.REALTIME["BENCH"]:
        hub.spawn(watch.look())
    else:
        hub.spawn(watch.forever(ConnectionTable(hub.node, hub.by_id)))


def start_listening() -> None:
    """Registers everything above; called once, when Django starts."""
    actions.listen(on_revoke=on_revoke, on_disconnect=on_disconnect, on_gap=on_gap)
    subscribe("hub_started", on_hub_started)
    subscribe("socket_opened", on_socket_opened)
