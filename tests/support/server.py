"""The real site as a process of its own: started, awaited, stopped politely or not.

A site has its own port. Several sites given one database (and one `REDIS_URL`) are a cluster.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from tests.support.deadline import PATIENCE_S, wait_for
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ServerKind = Literal["uvicorn", "daphne"]
SITE_VARIABLES = frozenset(
    [
        "ALLOWED_HOSTS",
        "ALLOWED_ORIGINS",
        "ASSISTANT_API_KEY",
        "ASSISTANT_BASE_URL",
        "ASSISTANT_MODEL",
        "DATABASE_URL",
        "DEBUG",
        "HOST",
        "METRICS_TOKEN",
        "PORT",
        "REALTIME_AGENTS",
        "REDIS_URL",
        "SECRET_KEY",
        "TRUSTED_PROXIES",
        "WORKSPACE_ROOT",
    ]
)
# A suite logs in more often from one address than any person would.
FOR_TESTS = {"COMMSITE_THROTTLE_TOKEN": "100000/min", "COMMSITE_THROTTLE_TICKET": "100000/min"}


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without any setting of the site, plus `extra`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in SITE_VARIABLES and not name.startswith("COMMSITE_")
    }
    return kept | FOR_TESTS | {"PYTHONUNBUFFERED": "1"} | extra


def manage(*arguments: str, **environment: str) -> str:
    """Runs a management command in a process of its own and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def sqlite_url(path: Path) -> str:
    """The DATABASE_URL of a SQLite file."""
    return f"sqlite:///{path}"


BUILD = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("seed")
"""


def build_database(url: str) -> None:
    """Migrates and seeds the database at `url`."""
    manage("shell", "-c", BUILD, DATABASE_URL=url)


def build_once(path: Path) -> None:
    """A migrated SQLite file with the demo in it; of several who ask for it at once one builds it."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            build_database(sqlite_url(unfinished))
            copy_database(unfinished, path)


def copy_database(template: Path, target: Path) -> str:
    """Copies a SQLite file with whatever its journal still holds; returns the copy's URL."""
    source, copy = sqlite3.connect(template), sqlite3.connect(target)
    source.backup(copy)
    source.close()
    copy.close()
    return sqlite_url(target)


@dataclass
class Site:
    """One server process of the site. Use as a context manager, or call `start()` and `stop()`."""

    database_url: str
    folder: Path
    kind: ServerKind = "uvicorn"
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    scheme: Literal["http", "https"] = "http"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where pages and REST are, without a slash at the end."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """The user socket's WebSocket address."""
        return f"{self.url.replace('http', 'ws', 1)}/socket/websocket"

    @property
    def log_file(self) -> Path:
        """Everything this process and its predecessors on this port printed."""
        return self.folder / f"{self.kind}-{self.port}.log"

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def pid(self) -> int:
        """The process id; raises when the site is not running."""
        if self.process is None:
            raise RuntimeError("the site is not running")
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    def command(self) -> list[str]:
        """The command line of this kind of server."""
        if self.kind == "daphne":
            if self.scheme == "https":
                return self.daphne_with_tls()
            runserver = (sys.executable, "manage.py", "runserver", "--noreload")
            return [*runserver, *self.arguments, f"127.0.0.1:{self.port}"]
        serve = (sys.executable, "manage.py", "serve", "--host=127.0.0.1", f"--port={self.port}")
        return [*serve, *self.arguments]

    def daphne_with_tls(self) -> list[str]:
        """daphne's own command line: runserver is for development and knows no TLS."""
        given = dict(argument.lstrip("-").split("=", 1) for argument in self.arguments)
        endpoint = (
            f"ssl:{self.port}:interface=127.0.0.1"
            f":privateKey={given['ssl-keyfile']}:certKey={given['ssl-certfile']}"
        )
        daphne = (sys.executable, "-m", "commsite.server.daphne_server")
        return [*daphne, "-e", endpoint, "commsite.asgi:application"]

    def launch(self) -> None:
        """Starts the process and does not wait for it."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=clean_environment(DATABASE_URL=self.database_url, **self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self) -> Self:
        """Starts the process and waits until it says that it is ready."""
        self.launch()
        try:
            wait_for(self.is_ready_or_dead, f"answer of {self.url}/readyz")
        except TimeoutError:
            self.kill()
            raise
        finally:
            if not self.is_running:
                raise RuntimeError(f"the site did not start: {self.command()}\n{self.log[-4000:]}")
        return self

    def is_ready_or_dead(self) -> bool:
        """Whether waiting for readiness is over."""
        return not self.is_running or self.probe("/readyz") == 200

    def probe(self, path: str) -> int | None:
        """The HTTP status of a GET, or None when nobody answers."""
        trust = None
        if self.scheme == "https":  # the certificate of the test is signed by nobody
            trust = ssl.create_default_context()
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(self.url + path, timeout=5, context=trust) as answer:  # noqa: S310 - our own server
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the server's own process."""
        os.kill(self.pid, number)

    def wait(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Waits for the end of the process; returns its exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Asks the server to end (SIGTERM) and returns its exit code; kills it when it does not."""
        if not self.is_running:
            return self.process.returncode if self.process else 0
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout_s=timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Ends the process and its workers at once (SIGKILL), as a power cut would."""
        assert self.process is not None
        if self.is_running:
            os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait(PATIENCE_S)

    def restart(self) -> Self:
        """Stops and starts again on the same port and database."""
        self.stop()
        return self.start()

    def rss_bytes(self) -> int:
        """Resident memory of the server's process."""
        statm = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(statm[1]) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop(timeout_s=5)
