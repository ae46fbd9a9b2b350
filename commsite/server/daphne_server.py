"""daphne as `runserver` and `python -m commsite.server.daphne_server` run it: our protocol, and a clean end."""

import asyncio
import os
from typing import Any

import daphne.server
from daphne.cli import CommandLineInterface
from daphne.server import Server
from twisted.internet import defer

CLEANUP_S = 2.0


class SiteServer(Server):
    """A daphne that offers `commsite.transport`, drains before it exits and lets applications clean up."""

    def __init__(self, *args: Any, **options: Any) -> None:
        from commsite.server.daphne_transport import TransportFactory  # noqa: PLC0415  after Django's set-up

        daphne.server.WebSocketFactory = TransportFactory  # run() looks it up there
        super().__init__(*args, **(options | {"websocket_timeout": -1, "ping_interval": 0}))

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Adds the transport to the scope of a WebSocket."""
        if scope["type"] == "websocket":
            from commsite.server.daphne_transport import DaphneTransport  # noqa: PLC0415  after Django's set-up

            protocol.extension = DaphneTransport(protocol)
            scope["extensions"] = {"commsite.transport": protocol.extension}
        return super().create_application(protocol, scope)

    def protocol_disconnected(self, protocol: Any) -> None:
        """Tolerates a connection that was never registered."""
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    def kill_all_applications(self) -> Any:
        """Drains the hub, then cancels what is left; the reactor waits for it."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._finish()))

    async def _finish(self) -> None:
        from commsite.realtime.hub import hub  # noqa: PLC0415  after Django's set-up

        if hub.loop is asyncio.get_running_loop():
            await hub.drain()
        applications = [
            details["application_instance"]
            for details in self.connections.values()
            if details.get("application_instance") is not None
        ]
        if applications:
            await asyncio.wait(applications, timeout=CLEANUP_S)
        for application in applications:
            application.cancel()
        await asyncio.gather(*applications, return_exceptions=True)
        await hub.stop()


class SiteCommandLine(CommandLineInterface):
    """daphne's own command line around our server."""

    server_class = SiteServer


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "commsite.settings")
    SiteCommandLine.entrypoint()
