"""The WebSocket edge: one thin consumer, I/O only. An app's own consumer names the topic kinds that it carries."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer

from commsite.realtime import auth
from commsite.realtime.asgi_transport import AsgiTransport
from commsite.realtime.auth import Refused
from commsite.realtime.deadlines import FIRST_PING_S
from commsite.realtime.errors import REASONS, CloseCode
from commsite.realtime.handshake import admitted
from commsite.realtime.hub import hub
from commsite.realtime.limits import limits
from commsite.realtime.telemetry import count
from commsite.realtime.user_socket import UserSocket

if TYPE_CHECKING:
    from commsite.realtime.outbox import Transport

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
ABNORMAL = 1006
_OWN_STATUS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class SocketConsumer(AsyncWebsocketConsumer):
    """Carries every topic kind, or only `kinds`. Channels' dispatch is not used: it costs a thread hop per message."""

    kinds: ClassVar[frozenset[str] | None] = None
    common: ClassVar[frozenset[str]] = frozenset({"client", "user"})
    """Kinds that every socket carries."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        """Serves one connection from handshake to end; cleans up however it ends."""
        await receive()
        try:
            context, codec = admitted(scope)
        except Refused as refused:
            await refuse(scope, send, refused)
            return
        finally:
            handshake = scope.get("handshake")
            if handshake is not None:
                handshake.end()
        extensions = scope.get("extensions") or {}
        transport: Transport = extensions.get("commsite.transport") or AsgiTransport(send)
        kinds = None if self.kinds is None else self.kinds | self.common
        socket = UserSocket(hub, context, codec, transport, kinds)
        hub.add(socket)  # before anything is awaited: it counts from the moment it was admitted
        accept = {"type": "websocket.accept", "subprotocol": auth.subprotocol_for(scope)}
        del scope, context
        await self._serve(socket, receive, send(accept))

    async def _serve(
        self, socket: UserSocket, receive: Receive, accepting: Awaitable[None]
    ) -> None:
        code = ABNORMAL
        try:
            await accepting
            hub.deadlines.watch_idle(socket, socket.limits.idle_s)
            hub.deadlines.watch_rtt(socket, FIRST_PING_S)
            listen = getattr(socket.transport, "listen", None)
            if listen is not None:
                listen(socket.receive)
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    code = message.get("code") or ABNORMAL
                    break
                self._take(socket, message)
        except Exception:
            logger.exception("socket failed", extra={"socket": socket.id})
            socket.close(CloseCode.INTERNAL, "internal error")
        finally:
            hub.remove(socket, code)
            if isinstance(socket.transport, AsgiTransport):
                socket.transport.abandon()

    @staticmethod
    def _take(socket: UserSocket, message: dict[str, Any]) -> None:
        text = message.get("text")
        if text is not None:
            socket.receive(text.encode(), is_binary=False)
        else:
            socket.receive(message.get("bytes") or b"", is_binary=True)


async def refuse(scope: dict[str, Any], send: Any, refused: Refused) -> None:
    """Answers a handshake with HTTP 403, or 429 / 503 with Retry-After where the server can send that."""
    count("handshakes_refused_total", reason=refused.reason)
    logger.info("handshake refused: %s", refused.reason, extra={"path": scope.get("path")})
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"application/json")]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", str(refused.retry_after_s).encode()))
    body = {"reason": refused.reason, "message": refused.message or REASONS[refused.reason].message}
    status = refused.status if refused.status in _OWN_STATUS else HTTPStatus.FORBIDDEN
    await send({"type": "websocket.http.response.start", "status": int(status), "headers": headers})
    await send({"type": "websocket.http.response.body", "body": json.dumps(body).encode()})


class Handshakes:
    """Middleware around authentication: origins first, then how many handshakes an address has under way.

    And how long one may take.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Any) -> None:
        """Passes the scope on with its handshake counted until the consumer has decided."""
        await hub.start()
        try:
            auth.check_origin(scope, "bearer")
            handshake = scope["handshake"] = hub.admission.begin_handshake(auth.address_of(scope))
        except Refused as refused:
            await receive()
            await refuse(scope, send, refused)
            return
        hub.wheel.schedule(limits().handshake_s, handshake.expire)
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            if not handshake.is_expired:
                raise
            await refuse(scope, send, Refused(503, "overloaded", "The handshake took too long."))
        finally:
            handshake.end()
