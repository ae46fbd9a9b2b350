"""The roof of the ASGI side: which address leads where, and what starts and stops with the server."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "commsite.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()  # before anything that needs the apps

from collections.abc import Awaitable, Callable  # noqa: E402
from typing import Any  # noqa: E402

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from commsite import operations  # noqa: E402
from commsite.clients.middleware import ClientMiddleware  # noqa: E402
from commsite.intake import Intake  # noqa: E402
from commsite.realtime.auth import Refused  # noqa: E402
from commsite.realtime.consumer import Handshakes, SocketConsumer, refuse  # noqa: E402
from commsite.realtime.hub import hub  # noqa: E402
from commsite.realtime.longpoll import LongPoll, OpeningPolls, poll_token  # noqa: E402
from conversation import uploads  # noqa: E402
from conversation.routing import websocket_urlpatterns as conversation_sockets  # noqa: E402
from presence.routing import websocket_urlpatterns as presence_sockets  # noqa: E402

Application = Callable[..., Awaitable[None]]

LONGPOLL = "/socket/longpoll"
METRICS = operations.exposition
"""Loaded with the server, so that every worker counts from its start."""


class Paths:
    """Routes by exact path: a dictionary look-up per handshake."""

    def __init__(self, routes: dict[str, Application], otherwise: Application) -> None:
        self.routes = routes
        self.otherwise = otherwise

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serves the scope by its path."""
        await self.routes.get(scope["path"], self.otherwise)(scope, receive, send)


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Refuses a WebSocket at an address that has none."""
    await receive()
    await refuse(scope, send, Refused(403, "not_found"))


async def lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Starts the hub with the server and ends it with the server."""
    await receive()
    await hub.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await hub.drain()
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})


def opens_session(scope: dict[str, Any]) -> bool:
    """True for the poll that must prove who it is; later ones carry their session's token."""
    return poll_token(scope) is None


def guarded(app: Application) -> Application:
    """A socket application behind the handshake's limits and the clients' identification."""
    behind: Application = Handshakes(ClientMiddleware(app))
    return behind


nowhere: Any = no_such_socket  # Django's stubs know views only, Channels routes applications

application = ProtocolTypeRouter(
    {
        "http": Paths(
            {
                LONGPOLL: OpeningPolls(
                    ClientMiddleware(LongPoll(LONGPOLL), needs_identity=opens_session)
                )
            },
            Intake(django_application, allowance=uploads.allowance),
        ),
        "websocket": Paths(
            {"/socket/websocket": guarded(SocketConsumer.as_asgi())},
            guarded(URLRouter([*conversation_sockets, *presence_sockets, re_path(r"", nowhere)])),
        ),
        "lifespan": lifespan,
    }
)
