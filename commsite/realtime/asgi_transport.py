"""A transport over plain ASGI sends, for servers that offer no `commsite.transport`: the same promises, only slower."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from commsite.realtime.envelope import Wire
from commsite.realtime.outbox import Outbox

HIGH_WATER = 64 * 1024

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class AsgiTransport:
    """Sends frames one after another in a task that exists only while there are some."""

    write = None
    rtt_ms: float | None = None

    def __init__(self, send: Send) -> None:
        self._send = send
        self._frames: deque[Wire] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._outbox: Outbox | None = None
        self._closing: tuple[int, str] | None = None

    def attach(self, outbox: Outbox) -> None:
        """Tells `outbox` from now on when the transport clogs and clears."""
        self._outbox = outbox

    def send(self, wire: Wire) -> None:
        """Queues one frame."""
        self._frames.append(wire)
        self._bytes += len(wire.framed)
        if self._bytes > HIGH_WATER and self._outbox is not None:
            self._outbox.clogged()
        self._start()

    def waiting(self) -> int:
        """Bytes not yet taken by the server."""
        return self._bytes

    def close(self, code: int, reason: str) -> None:
        """Sends the close behind what is queued."""
        self._closing = (code, reason)
        self._start()

    def abandon(self) -> None:
        """The connection is gone."""
        self._frames.clear()
        self._bytes = 0
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._frames:
                wire = self._frames.popleft()
                if wire.is_binary:
                    await self._send({"type": "websocket.send", "bytes": wire.body})
                else:
                    await self._send({"type": "websocket.send", "text": wire.body.decode()})
                self._bytes -= len(wire.framed)
                if (
                    self._bytes <= HIGH_WATER // 2
                    and self._outbox is not None
                    and not self._outbox.is_clear
                ):
                    self._outbox.cleared()
            if self._closing is not None:
                code, reason = self._closing
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:
            self._frames.clear()
            self._bytes = 0
        finally:
            self._task = None
