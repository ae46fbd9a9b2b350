"""uvicorn as `manage.py serve` runs it: our WebSocket protocol, a drain before the end, handshakes with a deadline."""

import asyncio
import gc
import logging
import signal
import socket
import time
from types import FrameType

import uvicorn
from django.conf import settings

from commsite.realtime.hub import hub
from commsite.realtime.limits import limits
from commsite.server.request_deadlines import RequestDeadlines
from commsite.server.uvicorn_transport import YJS_MESSAGE_BYTES, TransportProtocol
from commsite.server.uvicorn_upgrade import UpgradeProtocol

logger = logging.getLogger(__name__)

BACKLOG = 4096
GRACE_S = 5
COLLECT_AFTER = 10_000
TICKS_PER_S = 10


def config(
    host: str, port: int, *, certfile: str | None = None, keyfile: str | None = None
) -> uvicorn.Config:
    """The configuration of one process. Logs go where Django's settings say; paths with queries are never logged."""
    return uvicorn.Config(
        "commsite.asgi:application",
        host=host,
        port=port,
        loop="uvloop",
        http=UpgradeProtocol,
        ws=TransportProtocol,
        ws_max_size=YJS_MESSAGE_BYTES,
        ws_ping_interval=None,  # its time-out kills healthy clients whose handler is slow
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES or None,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
        server_header=False,
    )


def listening_socket(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """A bound socket; `is_shared` lets several processes each listen on the same port (SO_REUSEPORT)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    bound.set_inheritable(True)
    return bound


def spare_the_collector() -> None:
    """Lets the garbage collector look at what comes and goes, not at the program itself, and less often.

    Measured on a storm of connections: a fifth of the time went into looking at Django's modules again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)


class SiteServer(uvicorn.Server):
    """Drains at the first signal and exits at the end of it; a second signal exits at once."""

    _loop: asyncio.AbstractEventLoop | None = None
    _drain: "asyncio.Task[None] | None" = None

    def __init__(self, configuration: uvicorn.Config) -> None:
        super().__init__(configuration)
        self._requests = RequestDeadlines()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remembers the loop, for signals arrive outside of it."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        spare_the_collector()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Starts the drain, or ends at once when it runs already."""
        if self._loop is None or self._drain is not None:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self._loop.call_soon_threadsafe(self._begin_drain)

    def _begin_drain(self) -> None:
        if self._drain is None:
            self._drain = asyncio.get_running_loop().create_task(self._drain_and_exit())

    async def _drain_and_exit(self) -> None:
        try:
            await hub.drain()
        finally:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Besides uvicorn's own: cuts connections that have not sent a request within the handshake's deadline."""
        if counter % TICKS_PER_S == 0:
            self._cut_silent()
        return await super().on_tick(counter)

    def _cut_silent(self) -> None:
        for connection in self._requests.overdue(
            self.server_state.connections, time.monotonic(), head_s=limits().handshake_s
        ):
            connection.transport.abort()


def run(configuration: uvicorn.Config, listener: socket.socket) -> None:
    """Serves in this process until a signal ends it."""
    SiteServer(configuration).run(sockets=[listener])
