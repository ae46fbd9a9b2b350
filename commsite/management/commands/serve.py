"""`manage.py serve`: the site on uvicorn with our WebSocket protocol and uvloop."""

import os
import resource
import sys
import tempfile
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from commsite.server import uvicorn_server, workers


class Command(BaseCommand):
    """Serves the site until SIGTERM or SIGINT, on which it drains."""

    help = "Serves the site (uvicorn, uvloop)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The contract's options; HOST and PORT of the environment are their defaults."""
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
        parser.add_argument("--workers", type=int, default=1)
        parser.add_argument("--ssl-certfile")
        parser.add_argument("--ssl-keyfile")

    def handle(self, *args: Any, **options: Any) -> None:
        """Binds first, so that a port in use is one clear line."""
        number = options["workers"]
        if number < 1:
            raise CommandError("--workers: expected 1 or more")
        if number > 1 and not settings.REDIS_URL:
            raise CommandError(
                "More than one worker needs REDIS_URL: the processes must hear of each other."
            )
        if bool(options["ssl_certfile"]) != bool(options["ssl_keyfile"]):
            raise CommandError("--ssl-certfile and --ssl-keyfile go together")
        _raise_file_limit()
        is_shared = number > 1 or "COMMSITE_WORKER" in os.environ
        try:
            listener = uvicorn_server.listening_socket(
                options["host"], options["port"], is_shared=is_shared
            )
        except OSError as error:
            raise CommandError(
                f"cannot listen on {options['host']}:{options['port']}: {error.strerror}"
            ) from None
        port = listener.getsockname()[1]
        if "COMMSITE_WORKER" not in os.environ:
            scheme = "https" if options["ssl_certfile"] else "http"
            self.stdout.write(f"Commsite serves {scheme}://{options['host']}:{port}/")
            self.stdout.flush()
        if number > 1:
            sys.exit(self._supervise(number, port, options))
        configuration = uvicorn_server.config(
            options["host"], port, certfile=options["ssl_certfile"], keyfile=options["ssl_keyfile"]
        )
        uvicorn_server.run(configuration, listener)

    @staticmethod
    def _supervise(number: int, port: int, options: dict[str, Any]) -> int:
        command = [sys.argv[0], "serve", "--host", options["host"], "--port", str(port)]
        for name in ("ssl_certfile", "ssl_keyfile"):
            if options[name]:
                command += [f"--{name.replace('_', '-')}", options[name]]
        with tempfile.TemporaryDirectory(prefix="commsite-metrics-") as metrics:
            environment = {"COMMSITE_WORKER": "1", "PROMETHEUS_MULTIPROC_DIR": metrics}
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
            return workers.Workers(command, number, environment).run()


def _raise_file_limit() -> None:
    """As many open files as the system lets us: each socket is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
