"""A user socket on the real hub with a network that is a list: it can clog and clear. No server, no database."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from commsite.realtime import json_codec
from commsite.realtime.auth import ClientContext, Identity
from commsite.realtime.user_socket import UserSocket
from tests.support.deadline import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.codec import Codec
    from commsite.realtime.envelope import Wire
    from commsite.realtime.hub import Hub
    from commsite.realtime.outbox import Outbox

TURNS = 25
_numbers = itertools.count(1)


class Frame(NamedTuple):
    """A V2 frame as a client sees it."""

    join_ref: Any
    ref: Any
    topic: str
    event: str
    payload: Any


def unframed(data: bytes) -> list[tuple[bytes, bool]]:
    """The messages in a run of WebSocket frames: (body, is binary)."""
    messages, at = [], 0
    while at < len(data):
        opcode, size = data[at], data[at + 1]
        at += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + width])
            at += width
        assert opcode in (0x81, 0x82), f"not a whole text or binary frame: {opcode:#x}"
        messages.append((data[at : at + size], opcode == 0x82))
        at += size
    return messages


class MemoryTransport:
    """A network that is a list of writes. With `is_raw` it takes framed bytes as our servers do."""

    rtt_ms: float | None = 12.5

    def __init__(self, *, is_raw: bool = True) -> None:
        self.writes: list[bytes] = []
        self.messages: list[tuple[bytes, bool]] = []
        self.closed: tuple[int, str] | None = None
        self.write: Callable[[bytes], Any] | None = self._write if is_raw else None
        self.held_bytes = 0
        self._is_clogged = False
        self._outbox: Outbox | None = None
        self._news = asyncio.Event()

    def attach(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def send(self, wire: Wire) -> None:
        self._write(wire.framed)

    def waiting(self) -> int:
        return self.held_bytes

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self._news.set()

    def _write(self, data: bytes) -> None:
        self.writes.append(data)
        self.messages += unframed(data)
        if self._is_clogged:
            self.held_bytes += len(data)
        self._news.set()

    def clog(self) -> None:
        """The client stops reading."""
        self._is_clogged = True
        assert self._outbox is not None
        self._outbox.clogged()

    def clear(self) -> None:
        """The client reads again."""
        self._is_clogged = False
        self.held_bytes = 0
        assert self._outbox is not None
        self._outbox.cleared()

    async def news(self) -> None:
        """Waits for something written."""
        self._news.clear()
        async with asyncio.timeout(PATIENCE_S):
            await self._news.wait()


OK: dict[str, Any] = {"status": "ok", "response": {}}
"""What a reply holds that says nothing more."""


def error(reason: str, frame: Frame) -> bool:
    """Whether a reply is an error with this reason."""
    return bool(
        frame.payload["status"] == "error" and frame.payload["response"]["reason"] == reason
    )


def identity(user_id: int = 1, **changes: Any) -> Identity:
    """Who a test socket speaks for."""
    known = {"username": f"user{user_id}", "session_id": f"session{user_id}"}
    return Identity(user_id=user_id, **(known | changes))


class SocketClient:
    """Speaks V2 to a UserSocket. A verb that expects something waits for exactly that."""

    def __init__(self, hub: Hub, socket: UserSocket, transport: MemoryTransport) -> None:
        self.hub = hub
        self.socket = socket
        self.transport = transport
        self._refs = itertools.count(1)
        self._join_refs: dict[str, str] = {}
        self._read = 0

    @classmethod
    def connect(
        cls,
        hub: Hub,
        user_id: int = 1,
        *,
        codec: Codec = json_codec.JSON_V2,
        kinds: frozenset[str] | None = None,
        is_raw: bool = True,
        address: str = "192.0.2.1",
        **who: Any,
    ) -> SocketClient:
        """A socket that the hub has admitted. Raises Refused."""
        context = ClientContext(identity(user_id, **who), address)
        hub.admit(context.identity, address)
        transport = MemoryTransport(is_raw=is_raw)
        socket = UserSocket(hub, context, codec, transport, kinds)
        hub.add(socket)
        return cls(hub, socket, transport)

    # -- what a client does

    def send(self, *frame: Any) -> None:
        """One V2 text frame, whatever is in it."""
        self.socket.receive(json.dumps(frame).encode(), False)

    def push(
        self, topic: str, event: str, payload: Any = None, *, join_ref: Any = "its own"
    ) -> str:
        """Pushes and returns the ref."""
        ref = str(next(self._refs))
        if join_ref == "its own":
            join_ref = self._join_refs.get(topic)
        self.send(join_ref, ref, topic, event, {} if payload is None else payload)
        return ref

    def ask_to_join(self, topic: str, payload: Any = None) -> str:
        """Sends a join and returns its ref, which is its join_ref."""
        ref = str(next(self._refs))
        self._join_refs[topic] = ref
        self.send(ref, ref, topic, "phx_join", {} if payload is None else payload)
        return ref

    async def join(self, topic: str, payload: Any = None) -> Any:
        """Joins and returns the reply's response."""
        return await self.assert_reply(self.ask_to_join(topic, payload))

    def leave(self, topic: str) -> str:
        """Sends a leave and returns its ref."""
        return self.push(topic, "phx_leave")

    def heartbeat(self) -> str:
        """Sends a heartbeat and returns its ref."""
        return self.push("phoenix", "heartbeat", join_ref=None)

    def vanish(self) -> None:
        """The connection is lost."""
        self.hub.remove(self.socket, 1006)

    # -- what it sees

    @property
    def seen(self) -> list[Frame]:
        """All text frames so far, oldest first."""
        return [
            Frame(*json.loads(body)) for body, is_binary in self.transport.messages if not is_binary
        ]

    @property
    def events(self) -> list[tuple[str, str]]:
        """(topic, event) of all text frames so far."""
        return [(frame.topic, frame.event) for frame in self.seen]

    def of(self, topic: str, event: str | None = None) -> list[Any]:
        """The payloads of a topic's frames that are no replies (of one event)."""
        return [
            frame.payload
            for frame in self.seen
            if frame.topic == topic
            and (frame.event == event if event else not frame.event.startswith("phx_"))
        ]

    async def until(self, found: Callable[[Frame], bool]) -> Frame:
        """The first frame, from the beginning, that is it; waits for it."""
        while True:
            for frame in self.seen:
                if found(frame):
                    return frame
            try:
                await self.transport.news()
            except TimeoutError:
                raise AssertionError(f"never came; seen: {self.seen}") from None

    async def assert_reply(self, ref: str, status: str = "ok") -> Any:
        """The response to this ref."""
        frame = await self.until(lambda frame: frame.ref == ref and frame.event == "phx_reply")
        assert frame.payload["status"] == status, frame
        return frame.payload["response"]

    async def assert_push(self, topic: str, event: str) -> Any:
        """The payload of the first such event."""
        frame = await self.until(lambda frame: (frame.topic, frame.event) == (topic, event))
        return frame.payload

    async def assert_closed(self, code: int) -> dict[str, Any]:
        """The socket was closed with this code; returns what `closing` said before."""
        while self.transport.closed is None:
            await self.transport.news()
        assert self.transport.closed[0] == code, self.transport.closed
        last = self.seen[-1]
        assert (last.topic, last.event) == ("client", "closing")
        payload: dict[str, Any] = last.payload
        return payload

    async def settle(self) -> None:
        """Lets all that is ready to run, run: nothing but an outside event can change what was seen."""
        await settle()


async def settle() -> None:
    """Turns the loop until nothing new was scheduled by what ran."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
