"""One client over long-poll: the transport that buffers its frames between polls, and the life of its session."""

import asyncio
from typing import TYPE_CHECKING

from commsite.realtime.envelope import Wire
from commsite.realtime.outbox import Outbox
from commsite.realtime.telemetry import count

if TYPE_CHECKING:
    from commsite.realtime.user_socket import UserSocket

HIGH_WATER = 64 * 1024
LIFE_WINDOWS = 1.5
"""A session whose last poll began this many windows ago is gone."""


class PollTransport:
    """Buffers text frames until a poll takes them. Frames of bytes cannot travel this way and are counted."""

    write = None
    rtt_ms: float | None = None

    def __init__(self) -> None:
        self._messages: list[str] = []
        self._bytes = 0
        self._outbox: Outbox | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self.is_closed = False

    def attach(self, outbox: Outbox) -> None:
        """Tells `outbox` from now on when the buffer is full and when it was taken."""
        self._outbox = outbox

    def send(self, wire: Wire) -> None:
        """Adds one frame and wakes a waiting poll."""
        if wire.is_binary:
            count("deliveries_not_representable_total", codec="longpoll")
            return
        self._messages.append(wire.body.decode())
        self._bytes += len(wire.framed)
        if self._bytes > HIGH_WATER and self._outbox is not None:
            self._outbox.clogged()
        self._wake(is_replaced=False)

    def waiting(self) -> int:
        """Bytes not yet polled."""
        return self._bytes

    def close(self, code: int, reason: str) -> None:
        """No more polls after the one that takes what is left."""
        self.is_closed = True
        self._wake(is_replaced=False)

    async def take(self, window_s: float) -> list[str]:
        """What there is, waiting up to `window_s` for the first; a later poll makes an earlier one return nothing."""
        self._wake(is_replaced=True)
        if not self._messages and not self.is_closed:
            waiter = self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(window_s):
                    if await waiter:
                        return []
            except TimeoutError:
                return []
            finally:
                if self._waiter is waiter:
                    self._waiter = None
        messages, self._messages, self._bytes = self._messages, [], 0
        if self._outbox is not None and not self._outbox.is_clear and not self.is_closed:
            self._outbox.cleared()
        return messages

    def _wake(self, *, is_replaced: bool) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(is_replaced)


class PollSession:
    """A user socket whose frames wait to be fetched. Only polls keep it alive."""

    def __init__(
        self, session_id: str, mount: str, socket: "UserSocket", transport: PollTransport
    ) -> None:
        self.id = session_id
        self.mount = mount
        self.socket = socket
        self.transport = transport
        self.polled_at = socket.hub.wheel.tick

    def is_stale(self, tick: int, window_s: float) -> bool:
        """True when nobody polls any more."""
        return tick - self.polled_at >= LIFE_WINDOWS * window_s

    async def poll(self, window_s: float) -> list[str]:
        """One GET."""
        self.polled_at = self.socket.hub.wheel.tick
        return await self.transport.take(window_s)
