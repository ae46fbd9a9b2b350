"""How each server is spoken to: its address, its joining, its publish and its echo.

All carry the same 200-byte JSON object, and every frame a subscriber gets from Commsite, from `ws`
and from Channels has the same bytes; Socket.IO has its own, slightly shorter, envelope.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass
from typing import Protocol

PAYLOAD_BYTES = 200
TOPIC = "bench:load"
MARK_BYTES = len(b'"p":"0000"}]')
STAMP_DIGITS = 19
STAMP_END = -(MARK_BYTES + len(b'",'))
STAMP_START = STAMP_END - STAMP_DIGITS


class Greeting(enum.Enum):
    """What a frame means to a connection that is still joining."""

    WAIT = enum.auto()
    JOINED = enum.auto()


def mark(publisher: int) -> bytes:
    """Return the last bytes of every frame that `publisher` caused."""
    return b'"p":"%04d"}]' % publisher


def payload(publisher: int) -> bytes:
    """Return a JSON object of exactly 200 bytes that ends with the time and the publisher."""
    tail = b'","t":"%019d","p":"%04d"}' % (time.monotonic_ns(), publisher)
    head = b'{"text":"'
    return head + b"x" * (PAYLOAD_BYTES - len(head) - len(tail)) + tail


def stamp(frame: memoryview | bytes) -> int:
    """Return the monotonic nanoseconds at which the publisher of `frame` sent it."""
    return int(bytes(frame[STAMP_START:STAMP_END]))


class Dialect(Protocol):
    """What the load generator needs to know to use a server."""

    joins: bool

    def url(self, port: int, purpose: str) -> str:
        """Return the address for `purpose`, which is `msg` or `echo`."""

    def opening(self) -> bytes | None:
        """Return the frame to send at once after the handshake, if any."""

    def greet(self, frame: bytes) -> tuple[Greeting, bytes | None]:
        """Read a frame of the joining; return how far it is and what to answer."""

    def publish(self, publisher: int) -> bytes:
        """Return the frame that makes the server broadcast one payload."""

    def echo(self) -> bytes:
        """Return the frame that makes the server answer with one payload."""

    def upkeep(self, frame: bytes) -> bytes | None:
        """Return the answer to a frame of the protocol's own liveness check, if `frame` is one."""


@dataclass
class Plain:
    """A server that sends on the very bytes it gets: Node `ws` and the Channels consumers."""

    joins: bool = False

    def url(self, port: int, purpose: str) -> str:
        """Return the address for `purpose`."""
        return f"ws://127.0.0.1:{port}/{purpose}"

    def opening(self) -> bytes | None:
        """Return nothing: to be connected is to be subscribed."""
        return None

    def greet(self, frame: bytes) -> tuple[Greeting, bytes | None]:
        """Refuse: there is no joining."""
        raise ValueError(f"a frame before anything was sent: {frame[:80]!r}")

    def publish(self, publisher: int) -> bytes:
        """Return a frame with the bytes of a Phoenix broadcast."""
        return b'[null,null,"%s","msg",%s]' % (TOPIC.encode(), payload(publisher))

    def echo(self) -> bytes:
        """Return a frame with the bytes of a Phoenix reply."""
        head = b'["1","9","%s","phx_reply",{"status":"ok","response":' % TOPIC.encode()
        return head + payload(0) + b"}]"

    def upkeep(self, frame: bytes) -> bytes | None:
        """Return nothing: control frames are answered below this layer."""
        return None


@dataclass
class Phoenix:
    """Commsite: the Phoenix V2 protocol on the user socket, with a signed token."""

    token: str
    joins: bool = True

    def url(self, port: int, purpose: str) -> str:
        """Return the user socket's address; both purposes are events of one topic."""
        return f"ws://127.0.0.1:{port}/socket/websocket?token={self.token}&vsn=2.0.0"

    def opening(self) -> bytes | None:
        """Return the join."""
        return b'["1","1","%s","phx_join",{}]' % TOPIC.encode()

    def greet(self, frame: bytes) -> tuple[Greeting, bytes | None]:
        """Expect the join's ok reply; other topics' frames are not ours to judge."""
        if b'"phx_reply"' not in frame or TOPIC.encode() not in frame:
            return Greeting.WAIT, None
        if b'"status":"ok"' not in frame:
            raise ValueError(f"the join was refused: {frame[:200]!r}")
        return Greeting.JOINED, None

    def publish(self, publisher: int) -> bytes:
        """Return a push of event `msg`."""
        return b'["1","2","%s","msg",%s]' % (TOPIC.encode(), payload(publisher))

    def echo(self) -> bytes:
        """Return a push of event `echo`."""
        return b'["1","9","%s","echo",%s]' % (TOPIC.encode(), payload(0))

    def upkeep(self, frame: bytes) -> bytes | None:
        """Return nothing: runs are shorter than the idle deadline."""
        return None


@dataclass
class SocketIO:
    """Socket.IO 4 over its websocket transport (Engine.IO 4 packets in text frames)."""

    joins: bool = True

    def url(self, port: int, purpose: str) -> str:
        """Return the Engine.IO address; both purposes are events of the main namespace."""
        return f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"

    def opening(self) -> bytes | None:
        """Return nothing: the server speaks first."""
        return None

    def greet(self, frame: bytes) -> tuple[Greeting, bytes | None]:
        """Answer the Engine.IO open with the namespace connect, then expect its answer."""
        if frame.startswith(b"0{"):
            return Greeting.WAIT, b"40"
        if frame.startswith(b"40{"):
            return Greeting.JOINED, None
        raise ValueError(f"not a Socket.IO greeting: {frame[:80]!r}")

    def publish(self, publisher: int) -> bytes:
        """Return an event packet `msg`."""
        return b'42["msg",%s]' % payload(publisher)

    def echo(self) -> bytes:
        """Return an event packet `echo` that asks for an acknowledgement."""
        return b'429["echo",%s]' % payload(0)

    def upkeep(self, frame: bytes) -> bytes | None:
        """Answer the server's ping."""
        return b"3" if frame == b"2" else None
