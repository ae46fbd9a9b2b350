"""One Phoenix connection that pushes and waits: for what a benchmark tells a server to do, and asks of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

if TYPE_CHECKING:
    from bench.servers import Server

PATIENCE_S = 60.0


class PhoenixLink(WSListener):
    """Joins topics, pushes, awaits replies; counts all other events by name."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._transport: WSTransport | None = None
        self._replies: dict[str, asyncio.Future[Any]] = {}
        self._events: dict[str, asyncio.Future[None]] = {}
        self._join_refs: dict[str, str] = {}
        self._ref = 0

    @classmethod
    async def open(cls, server: Server) -> PhoenixLink:
        """Connect to a server's user socket."""
        link = cls()
        url = server.dialect.url(server.port, "presence")
        await ws_connect(lambda: link, url, use_aiofastnet=False)
        return link

    async def join(self, topic: str, payload: Any = None) -> Any:
        """Join a topic; return the response."""
        self._join_refs[topic] = str(self._ref + 1)
        return await self.call(topic, "phx_join", payload)

    async def call(self, topic: str, event: str, payload: Any = None) -> Any:
        """Push and return the response. Raises RuntimeError when it is no ok."""
        ref = self.push(topic, event, payload)
        answer = self._replies[ref] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(PATIENCE_S):
            reply = await answer
        if reply["status"] != "ok":
            raise RuntimeError(f"{event}: {reply}")
        return reply["response"]

    def push(self, topic: str, event: str, payload: Any = None) -> str:
        """Push and return the ref."""
        self._ref += 1
        ref = str(self._ref)
        envelope = [self._join_refs.get(topic), ref, topic, event, payload or {}]
        if self._transport is None:
            raise ConnectionError("not connected")
        self._transport.send(WSMsgType.TEXT, json.dumps(envelope).encode())
        return ref

    def next(self, event: str) -> asyncio.Future[None]:
        """Return what is done when the next event of this name has come."""
        return self._events.setdefault(event, asyncio.get_running_loop().create_future())

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Settle a reply; count an event without reading its payload."""
        data = frame.get_payload_as_bytes()
        head = data[:120].split(b'"')
        if b'"phx_reply"' in data[:120]:
            _, ref, _, _, reply = json.loads(data)
            answer = self._replies.pop(ref, None)
            if answer is not None and not answer.done():
                answer.set_result(reply)
            return
        name = next((word.decode() for word in head if word.startswith(b"presence_")), "")
        self.seen[name] += 1
        waiting = self._events.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Fail whoever waits."""
        self._transport = None
        for answer in (*self._replies.values(), *self._events.values()):
            if not answer.done():
                answer.set_exception(ConnectionError("the server hung up"))
                answer.exception()
