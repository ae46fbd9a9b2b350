"""uvicorn's WebSocket protocol with our transport: frames go straight to the socket, messages come directly.

What it adds to `WebSocketsSansIOProtocol`: `scope["extensions"]["commsite.transport"]`, a message limit per path, a
round-trip time from pings, and a connection that is cut when the peer does not answer a close.
"""

import logging
import struct
from collections.abc import Callable
from typing import Any

from websockets.http11 import Request
from websockets.protocol import Protocol, State

from commsite.realtime.envelope import Wire
from commsite.realtime.limits import limits
from commsite.realtime.outbox import Outbox
from commsite.server.uvicorn_turns import TurnTakingProtocol

logger = logging.getLogger(__name__)

HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024
CLOSE_TIMEOUT_S = 5.0
EARLY_BYTES = 64 * 1024
YJS_PREFIX = "/yjs/"
YJS_MESSAGE_BYTES = 4 << 20

Listener = Callable[..., None]


class UvicornTransport:
    """The transport of one connection (see `commsite.realtime.outbox.Transport`)."""

    __slots__ = ("_outbox", "_protocol", "write")

    def __init__(self, protocol: "TransportProtocol") -> None:
        self._protocol = protocol
        self.write = protocol.transport.write
        self._outbox: Outbox | None = None

    @property
    def rtt_ms(self) -> float | None:
        """The last round trip of a ping."""
        rtt_s = self._protocol.last_ping_rtt
        return rtt_s * 1000 if rtt_s else None

    def attach(self, outbox: Outbox) -> None:
        """Tells `outbox` from now on when the transport clogs and clears."""
        self._outbox = outbox
        self._protocol.transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)

    def detach(self) -> None:
        """The connection is gone: tells the outbox nothing more."""
        self._outbox = None

    def listen(self, listener: Listener) -> None:
        """Gives messages to `listener(data, is_binary)` instead of ASGI's receive."""
        self._protocol.listener = listener

    def send(self, wire: Wire) -> None:
        """Writes one frame."""
        self.write(wire.framed)

    def waiting(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self._protocol.transport.get_write_buffer_size()

    def ping(self) -> None:
        """Asks for a pong; `rtt_ms` follows."""
        self._protocol.probe()

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame; cuts the connection when the peer does not answer in time."""
        self._protocol.begin_close(code, reason)

    def clogged(self) -> None:
        """The write buffer passed its high-water mark."""
        if self._outbox is not None:
            self._outbox.clogged()

    def cleared(self) -> None:
        """The write buffer is below its low-water mark."""
        if self._outbox is not None:
            self._outbox.cleared()


class TransportProtocol(TurnTakingProtocol):
    """Given to uvicorn as `ws=`."""

    listener: Listener | None = None
    extension: UvicornTransport | None = None
    accept_key: str | None = None
    early: bytes = b""

    def begin(self, scope: dict[str, Any], key: str) -> None:
        """Starts the application for a parsed and plain upgrade request; `key` is the answer to its key."""
        self.accept_key = key
        self.handshake_initiated = True
        offered = [value for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
        subprotocols = [
            each.strip() for line in offered for each in line.decode("latin-1").split(",")
        ]
        upgraded: Any = {
            **scope,
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "scheme": self.scheme,
            "subprotocols": subprotocols,
            "extensions": {"websocket.http.response": {}},
        }
        self.scope = upgraded
        self._extend(scope["path"])
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    def handle_connect(self, event: Request) -> None:
        """The long way: the library has read and judged the request."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self._extend(self.scope["path"])

    def _extend(self, path: str) -> None:
        """Adds the extension to the scope and applies the message limit of the path."""
        self.conn.max_message_size = (
            YJS_MESSAGE_BYTES if path.startswith(YJS_PREFIX) else limits().frame_bytes
        )
        self.extension = UvicornTransport(self)
        extensions: Any = self.scope["extensions"]
        extensions["commsite.transport"] = self.extension

    def data_received(self, data: bytes) -> None:
        """Keeps what a hasty client sends before it was accepted."""
        if self.conn.parser_exc is not None:
            return  # the rest of what broke the protocol
        if self.accept_key is None:
            super().data_received(data)
            return
        self.early += data
        if len(self.early) > EARLY_BYTES:
            self.transport.abort()

    async def send(self, message: Any) -> None:
        """As uvicorn does; a refusal with a body completes the handshake (uvicorn would log it as incomplete)."""
        if message["type"] == "websocket.accept" and self.accept_key is not None:
            self._accept(message)
            return
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def _accept(self, message: dict[str, Any]) -> None:
        key, self.accept_key = self.accept_key, None
        lines = [
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        ]
        lines.append(b"Sec-WebSocket-Accept: %b\r\n" % str(key).encode())
        if message.get("subprotocol"):
            lines.append(b"Sec-WebSocket-Protocol: %b\r\n" % message["subprotocol"].encode())
        for name, value in [*self.default_headers, *message.get("headers", ())]:
            lines.append(b"%b: %b\r\n" % (name, value))
        if self.transport.is_closing():
            return
        self.handshake_complete = True
        self.conn.state = State.OPEN
        self.conn.parser = Protocol.parse(self.conn)
        next(self.conn.parser)
        self.transport.write(b"".join([*lines, b"\r\n"]))
        del self.scope  # the application has it; here nobody reads it again
        if self.early:
            early, self.early = self.early, b""
            self.loop.call_soon(self.data_received, early)

    def send_receive_event_to_app(self) -> None:
        """Hands a message to the listener at once where there is one."""
        if self.listener is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        is_binary = self.curr_msg_data_type == "bytes"
        if not is_binary:
            try:
                data.decode()
            except UnicodeDecodeError:
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        try:
            self.listener(data, is_binary)
        except Exception:
            logger.exception("a frame could not be handled")
            self.begin_close(1011, "internal error")

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn does, and lets go of what leads back here, so that all of it is freed at once."""
        super().connection_lost(exc)
        if self.extension is not None:
            self.extension.detach()
        self.listener = self.extension = None
        scope = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"].pop("commsite.transport", None)
        self.conn.parser.close()

    def pause_writing(self) -> None:
        """Passes the mark on to the outbox."""
        super().pause_writing()
        if self.extension is not None:
            self.extension.clogged()

    def resume_writing(self) -> None:
        """Passes the mark on to the outbox."""
        super().resume_writing()
        if self.extension is not None:
            self.extension.cleared()

    def begin_close(self, code: int, reason: str) -> None:
        """Starts the closing handshake and bounds its time."""
        if self.close_sent or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def handle_parser_exception(self) -> None:
        """Sends the library's close and goes on reading.

        To close the connection on unread data would take the close frame back (RST).
        """
        closed = self.conn.close_sent
        code, reason = (closed.code, closed.reason) if closed is not None else (1002, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def handle_close(self, event: Any) -> None:
        """As uvicorn does, but a peer that has already closed is not waited for."""
        super().handle_close(event)
        if not self.close_sent and self.transport.get_write_buffer_size():
            self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)

    def probe(self) -> None:
        """Sends a ping that measures the round trip."""
        if self.close_sent or self.transport.is_closing():
            return
        self.ping_sent_at = self.loop.time()
        self.pending_ping_payload = struct.pack("!d", self.ping_sent_at)
        self.conn.send_ping(self.pending_ping_payload)
        self.transport.write(b"".join(self.conn.data_to_send()))
