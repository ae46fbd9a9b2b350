"""daphne's WebSocket protocol with our transport, and what daphne lacks: flow control, close reasons, clean closes."""

import logging
import struct
import time
from collections.abc import Callable
from typing import Any

from autobahn.websocket.types import ConnectionRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from commsite.realtime.envelope import Wire
from commsite.realtime.limits import limits
from commsite.realtime.outbox import Outbox
from commsite.server.uvicorn_transport import YJS_MESSAGE_BYTES, YJS_PREFIX

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
PING_BYTES = 8
LONGEST_RTT_S = 3600.0
ABNORMAL = 1006
NO_STATUS = 1005


@implementer(IPushProducer)
class DaphneTransport:
    """The transport of one connection. Twisted sees it as the producer and tells it when the buffer is full."""

    def __init__(self, protocol: "TransportProtocol") -> None:
        self._protocol = protocol
        self._outbox: Outbox | None = None
        self.rtt_ms: float | None = None

    def attach(self, outbox: Outbox) -> None:
        """Tells `outbox` from now on when the transport clogs and clears."""
        self._outbox = outbox

    def listen(self, listener: Callable[..., None]) -> None:
        """Gives messages to `listener(data, is_binary)` instead of ASGI's receive."""
        self._protocol.listener = listener

    def write(self, framed: bytes) -> None:
        """Writes framed bytes."""
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._protocol.transport.write(framed)

    def send(self, wire: Wire) -> None:
        """Writes one frame."""
        self.write(wire.framed)

    def waiting(self) -> int:
        """Bytes that the kernel has not taken yet."""
        transport = self._protocol.transport
        transport = getattr(transport, "transport", None) or transport  # below TLS
        buffered = getattr(transport, "dataBuffer", b"")
        return (
            len(buffered) - getattr(transport, "offset", 0) + getattr(transport, "_tempDataLen", 0)
        )

    def ping(self) -> None:
        """Asks for a pong; `rtt_ms` follows."""
        if self._protocol.state == self._protocol.STATE_OPEN:
            self._protocol.sendPing(struct.pack("!d", time.monotonic()))

    def ponged(self, payload: bytes) -> None:
        """A pong came; one that is not an answer says nothing."""
        if len(payload) == PING_BYTES:
            rtt_s = time.monotonic() - struct.unpack("!d", payload)[0]
            self.rtt_ms = rtt_s * 1000 if 0 <= rtt_s < LONGEST_RTT_S else self.rtt_ms

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame; the connection is cut when the peer does not answer in time."""
        self._protocol.begin_close(code, reason)

    def pauseProducing(self) -> None:  # noqa: N802  Twisted's name
        """The write buffer passed its high-water mark."""
        if self._outbox is not None:
            self._outbox.clogged()

    def resumeProducing(self) -> None:  # noqa: N802  Twisted's name
        """The write buffer is empty again."""
        if self._outbox is not None:
            self._outbox.cleared()

    def stopProducing(self) -> None:  # noqa: N802  Twisted's name
        """The connection is gone."""


class TransportProtocol(WebSocketProtocol):
    """daphne's protocol with a transport of ours."""

    listener: Callable[..., None] | None = None
    extension: DaphneTransport | None = None

    def onConnect(self, request: ConnectionRequest) -> Any:  # noqa: N802  autobahn's name
        """Applies the message limit of the path."""
        size = YJS_MESSAGE_BYTES if request.path.startswith(YJS_PREFIX) else limits().frame_bytes
        self.maxMessagePayloadSize = self.maxFramePayloadSize = size
        return super().onConnect(request)

    def onOpen(self) -> None:  # noqa: N802  autobahn's name
        """Puts our producer in the place of the HTTP channel's."""
        super().onOpen()
        if self.extension is not None:
            self.transport.unregisterProducer()
            self.transport.registerProducer(self.extension, True)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803  autobahn's names
        """Hands a message to the listener at once where there is one."""
        if self.listener is None:
            super().onMessage(payload, isBinary)
            return
        try:
            self.listener(payload, isBinary)
        except Exception:
            logger.exception("a frame could not be handled")
            self.begin_close(1011, "internal error")

    def onPong(self, payload: bytes) -> None:  # noqa: N802  autobahn's name
        """Measures the round trip."""
        super().onPong(payload)
        if self.extension is not None:
            self.extension.ponged(payload)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """As daphne does, with the reason of a close."""
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            self.begin_close(message.get("code") or 1000, message.get("reason") or "")
        else:
            super().handle_reply(message)

    def begin_close(self, code: int, reason: str) -> None:
        """Starts the closing handshake and tells the application at once; cuts the connection if nobody answers."""
        if self.state != self.STATE_OPEN:
            return
        self.application_queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123], isReply=False)
        self.factory.reactor.callLater(CLOSE_TIMEOUT_S, self._abort)

    def _abort(self) -> None:
        if self.state != self.STATE_CLOSED and self.transport is not None:
            self.transport.abortConnection()

    def check_timeouts(self) -> None:
        """Only the handshake's: idle sockets are the core's business, and none is closed for its age."""
        if (
            self.state == self.STATE_CONNECTING
            and self.duration() > self.server.websocket_connect_timeout
        ):
            self.serverReject()


class TransportFactory(WebSocketFactory):
    """Makes our protocol; a protocol fault is answered with a close frame instead of a dropped connection."""

    protocol = TransportProtocol

    def setProtocolOptions(self, **options: Any) -> None:  # noqa: N802  autobahn's name
        """daphne's options, but for those that drop clients."""
        options |= {
            "failByDrop": False,
            "closeHandshakeTimeout": CLOSE_TIMEOUT_S,
            "autoPingInterval": 0,
            "autoPingTimeout": 0,
            "maxMessagePayloadSize": YJS_MESSAGE_BYTES,
            "maxFramePayloadSize": YJS_MESSAGE_BYTES,
        }
        super().setProtocolOptions(**options)
