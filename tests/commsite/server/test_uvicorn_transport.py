"""uvicorn's side of the transport, on a TCP transport that is a list."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from uvicorn.config import Config
from uvicorn.server import ServerState

from commsite.realtime.envelope import wire
from commsite.realtime.limits import limits
from commsite.realtime.outbox import Outbox
from commsite.server.uvicorn_transport import (
    CLOSE_TIMEOUT_S,
    YJS_MESSAGE_BYTES,
    TransportProtocol,
    UvicornTransport,
)
from tests.support.socket_client import settle

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Tcp(asyncio.Transport):
    """A TCP transport that is a list of writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.buffered = 0
        self.marks: tuple[int | None, int | None] = (None, None)
        self.is_aborted = False
        self.is_closed = False

    def can_write_eof(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 80)}.get(name, default)

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.marks = (high, low)

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Rig:
    """A protocol whose application accepts and then waits for messages."""

    def __init__(self, path: str = "/socket/websocket") -> None:
        self.scope: dict[str, Any] = {}
        self.received: list[dict[str, Any]] = []
        config = Config(
            self.app, ws_max_size=YJS_MESSAGE_BYTES, ws_ping_interval=None, interface="asgi3"
        )
        config.load()
        self.tcp = Tcp()
        self.protocol = TransportProtocol(config, ServerState(), {})
        self.protocol.connection_made(self.tcp)
        self.protocol.data_received(HANDSHAKE.format(path=path).encode())

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            self.received.append(message)
            if message["type"] == "websocket.disconnect":
                return

    @property
    def transport(self) -> UvicornTransport:
        found: UvicornTransport = self.scope["extensions"]["commsite.transport"]
        return found

    def client_sends(self, body: bytes, opcode: int = 1) -> None:
        assert len(body) < 126
        mask = b"\1\2\3\4"
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))
        self.protocol.data_received(bytes((0x80 | opcode, 0x80 | len(body))) + mask + masked)


@pytest_asyncio.fixture
async def rig() -> Rig:
    made = Rig()
    await settle()
    assert made.tcp.writes[0].startswith(b"HTTP/1.1 101")
    made.tcp.writes.clear()
    return made


async def test_frames_are_written_as_they_are(rig: Rig) -> None:
    frame = wire(b'["framed"]')
    rig.transport.send(frame)
    rig.transport.write(frame.framed * 2)
    assert rig.tcp.writes == [frame.framed, frame.framed * 2]


async def test_the_outbox_hears_when_the_network_is_full_and_when_it_is_not(rig: Rig) -> None:
    outbox = Outbox(rig.transport, 1000, lambda: None)
    assert rig.tcp.marks == (64 * 1024, 16 * 1024)
    rig.protocol.pause_writing()
    outbox.put(wire(b"waits"))
    assert rig.tcp.writes == []
    rig.tcp.buffered = 70_000
    assert outbox.bytes_waiting == 70_007
    rig.protocol.resume_writing()
    assert rig.tcp.writes == [wire(b"waits").framed]


async def test_a_listener_gets_messages_at_once(rig: Rig) -> None:
    heard: list[tuple[bytes, bool]] = []
    rig.transport.listen(lambda data, is_binary: heard.append((bytes(data), is_binary)))
    rig.client_sends("é".encode())
    rig.client_sends(b"\x00\xff", opcode=2)
    assert heard == [("é".encode(), False), (b"\x00\xff", True)]
    await settle()
    assert rig.received == []


async def test_text_that_is_no_utf8_never_reaches_the_listener(rig: Rig) -> None:
    heard: list[bytes] = []
    rig.transport.listen(lambda data, is_binary: heard.append(data))
    rig.client_sends(b"\xff\xfe")
    assert heard == []
    assert rig.tcp.writes[-1][:4] == b"\x88" + rig.tcp.writes[-1][1:2] + (1007).to_bytes(2)


async def test_a_listener_that_fails_closes_1011(rig: Rig) -> None:
    def fail(data: bytes, is_binary: bool) -> None:
        raise RuntimeError("listener")

    rig.transport.listen(fail)
    rig.client_sends(b"x")
    assert rig.tcp.writes[-1][2:4] == (1011).to_bytes(2)
    await settle()
    assert rig.received[-1]["code"] == 1011


async def test_our_close_is_sent_once_with_its_reason_and_told_to_the_application(rig: Rig) -> None:
    rig.transport.close(4008, "too slow")
    rig.transport.close(1011, "again")
    assert rig.tcp.writes == [b"\x88\x0a" + (4008).to_bytes(2) + b"too slow"]
    await settle()
    assert (rig.received[-1]["type"], rig.received[-1]["code"]) == ("websocket.disconnect", 4008)


async def test_a_peer_that_does_not_answer_a_close_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[tuple[float, Any]] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda delay, call, *args: later.append((delay, call)))
    rig.transport.close(4008, "too slow")
    monkeypatch.undo()
    ((delay, call),) = later
    assert delay == CLOSE_TIMEOUT_S
    call()
    assert rig.tcp.is_aborted


async def test_nothing_is_heard_after_our_close(rig: Rig) -> None:
    heard: list[bytes] = []
    rig.transport.listen(lambda data, is_binary: heard.append(data))
    rig.transport.close(4400, "breach")
    rig.client_sends(b"late")
    assert heard == []


async def test_a_ping_measures_the_round_trip(rig: Rig) -> None:
    assert rig.transport.rtt_ms is None
    rig.transport.ping()
    ping = rig.tcp.writes[-1]
    assert ping[0] == 0x89
    rig.client_sends(ping[2:], opcode=10)
    assert rig.transport.rtt_ms is not None
    assert rig.transport.rtt_ms > 0


@pytest.mark.parametrize(
    ("path", "size"),
    [("/socket/websocket", None), ("/yjs/x", YJS_MESSAGE_BYTES), ("/x?/yjs/", None)],
)
async def test_the_limit_of_a_message_depends_on_the_path(path: str, size: int | None) -> None:
    rig = Rig(path)
    await settle()
    assert rig.protocol.conn.max_message_size == (size or limits().frame_bytes)
