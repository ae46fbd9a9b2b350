"""The small Phoenix client without a network: the real consumer, its frames handed over in memory."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from commsite.clients.models import ClientSession
from commsite.realtime.auth import ClientContext, Identity
from commsite.realtime.consumer import Handshakes
from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from tests.support.phoenix_client import PhoenixClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from django.contrib.auth.models import User

    Application = Callable[..., Awaitable[None]]
    Connect = Callable[[Any, User], Awaitable[PhoenixClient]]


class InProcessConnection:
    """What PhoenixClient needs of a connection, on top of an ASGI application."""

    def __init__(self, app: Application, scope: dict[str, Any]) -> None:
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._served = asyncio.ensure_future(app(scope, self._in.get, self._out.put))
        self._served.add_done_callback(self._ended)

    def _ended(self, served: asyncio.Future[None]) -> None:
        if not served.cancelled() and served.exception() is not None:
            self._out.put_nowait({"type": "websocket.close", "code": 1011, "reason": "crashed"})

    async def open(self) -> None:
        """Shakes hands; fails when the application refuses."""
        await self._in.put({"type": "websocket.connect"})
        answer = await self._out.get()
        if self._served.done():
            await self._served  # raises what it crashed of
        assert answer["type"] == "websocket.accept", answer

    async def send(self, frame: str | bytes) -> None:
        """One message of the client."""
        kind = "text" if isinstance(frame, str) else "bytes"
        await self._in.put({"type": "websocket.receive", kind: frame})

    async def recv(self) -> str | bytes:
        """The next message of the server; raises ConnectionClosedError at its close."""
        message = await self._out.get()
        if message["type"] == "websocket.close":
            closed = Close(message.get("code", 1000), message.get("reason") or "")
            raise ConnectionClosedError(closed, None)
        frame: str | bytes = message["text"] if "text" in message else message["bytes"]
        return frame

    async def close(self) -> None:
        """Goes away and waits until the application has noticed."""
        await self._in.put({"type": "websocket.disconnect", "code": 1001})
        await self._served
        await self._out.put({"type": "websocket.close", "code": 1001})


async def log_in(user: User) -> Identity:
    """A client session of the user, and who it says it is."""
    session = await in_thread(
        ClientSession.objects.create, user=user, name="test", kind=ClientSession.Kind.TOKEN
    )
    return Identity(user_id=user.pk, username=user.get_username(), session_id=str(session.id))


async def connect(app: Application, user: User) -> PhoenixClient:
    """A client of `app` that speaks for `user`: what the clients' middleware does is done."""
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/",
        "query_string": b"vsn=2.0.0",
        "headers": [],
        "subprotocols": [],
        "client": ("127.0.0.1", 1),
        "client_context": ClientContext(await log_in(user), address="127.0.0.1"),
    }
    connection: Any = InProcessConnection(Handshakes(app), scope)
    await connection.open()
    return PhoenixClient(connection)


@contextlib.asynccontextmanager
async def connections() -> AsyncIterator[Connect]:
    """Gives `await connect(app, ada)`; all that was connected ends at the end, and the hub with it."""
    clients: list[PhoenixClient] = []

    async def connect_one(app: Application, user: User) -> PhoenixClient:
        clients.append(await connect(app, user))
        return clients[-1]

    yield connect_one
    for client in clients:
        await client.close()
    await hub.stop()
