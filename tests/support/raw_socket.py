"""A WebSocket made by hand on a TCP socket, for what no library lets a client do.

It reads only when told to (so it can stop), sends any bytes (so it can be wrong), sees each frame.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from tests.support.deadline import PATIENCE_S

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class Frame(NamedTuple):
    """One WebSocket frame as it came."""

    opcode: int
    payload: bytes
    is_final: bool = True

    @property
    def close_code(self) -> int:
        """The code of a close frame; 1005 when it has none."""
        return struct.unpack("!H", self.payload[:2])[0] if len(self.payload) >= 2 else 1005


class Refused(Exception):
    """The server answered the handshake with something else than 101."""

    def __init__(self, status: int, head: str) -> None:
        self.status = status
        self.head = head
        super().__init__(head)


def frame_bytes(payload: bytes, opcode: int = TEXT, *, mask: bytes | None = None) -> bytes:
    """A final frame, masked as a client must (pass mask=b"" to break that rule)."""
    mask = os.urandom(4) if mask is None else mask
    size, flag = len(payload), 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, flag | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, flag | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, flag | 127, size)
    if not mask:
        return head + payload
    key = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
    return head + mask + masked


class RawSocket:
    """One TCP connection that speaks WebSocket only as far as its test wants."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.buffer = b""

    @classmethod
    async def connect(
        cls, url: str, *, headers: dict[str, str] | None = None, receive_buffer: int = 8_192
    ) -> Self:
        """Opens a WebSocket with a small receive buffer; Refused when the answer is not 101."""
        address = urlsplit(url)
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        link.setblocking(False)
        self = cls(link)
        target = address.path + (f"?{address.query}" if address.query else "")
        lines = {
            "Host": address.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            async with asyncio.timeout(PATIENCE_S):
                loop = asyncio.get_running_loop()
                await loop.sock_connect(link, (address.hostname, address.port))
                await self.send_bytes(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
                answer = (await self._read_until(b"\r\n\r\n")).decode()
            if (status := int(answer.split(" ", 2)[1])) != 101:
                raise Refused(status, answer)
            undo.pop_all()
        return self

    async def send_bytes(self, data: bytes) -> None:
        """Sends bytes as they are."""
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.link, data), PATIENCE_S)

    async def send(self, payload: str | bytes, opcode: int | None = None) -> None:
        """Sends one masked frame: text for str, binary for bytes, or as `opcode` says."""
        if isinstance(payload, str):
            await self.send_bytes(frame_bytes(payload.encode(), opcode or TEXT))
        else:
            await self.send_bytes(frame_bytes(payload, opcode or BINARY))

    async def push(self, *envelope: Any) -> None:
        """Sends [join_ref, ref, topic, event, payload] as JSON."""
        await self.send(json.dumps(envelope))

    async def read(self, *, timeout_s: float = PATIENCE_S) -> Frame:
        """Reads one frame; ConnectionResetError or EOFError when the server hung up."""
        return await asyncio.wait_for(self._read_frame(), timeout_s)

    async def read_envelope(self, *, timeout_s: float = PATIENCE_S) -> list[Any]:
        """Reads text frames until one is an envelope."""
        while True:
            frame = await self.read(timeout_s=timeout_s)
            if frame.opcode == TEXT:
                envelope: list[Any] = json.loads(frame.payload)
                return envelope
            if frame.opcode == CLOSE:
                raise EOFError(f"closed {frame.close_code}")

    async def read_reply(self, ref: str, *, timeout_s: float = PATIENCE_S) -> Any:
        """Reads until the reply to `ref` and returns its payload; drops what came before."""
        while True:
            _, answer_ref, _, event, payload = await self.read_envelope(timeout_s=timeout_s)
            if event == "phx_reply" and answer_ref == ref:
                return payload

    async def read_close_code(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Reads and drops frames until the close; 1006 when the connection just ends."""
        try:
            while True:
                frame = await self.read(timeout_s=timeout_s)
                if frame.opcode == CLOSE:
                    return frame.close_code
        except (EOFError, ConnectionError):
            return 1006

    def close(self) -> None:
        """Closes the TCP connection without a close frame."""
        self.link.close()

    async def _read_frame(self) -> Frame:
        first, second = await self._take(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self._take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._take(8))
        return Frame(first & 0x0F, await self._take(size), bool(first & 0x80))

    async def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            await self._receive()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    async def _read_until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            await self._receive()
        taken, _, self.buffer = self.buffer.partition(end)
        return taken

    async def _receive(self) -> None:
        received = await asyncio.get_running_loop().sock_recv(self.link, 65_536)
        if not received:
            raise EOFError("the server hung up")
        self.buffer += received

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
