"""The servers under measurement: started pinned to one core, accounted from /proc, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.dialects import Dialect, Phoenix, Plain, SocketIO

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
START_DEADLINE_S = 60.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024

OURS = "commsite"
OURS_DAPHNE = "commsite-daphne"
NAMES = (OURS, OURS_DAPHNE, "ws", "socketio", "channels-uvicorn", "channels-daphne")


@dataclass
class Server:
    """A running server process."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    dialect: Dialect
    log: Path

    def cpu_s(self) -> float:
        """Return the CPU seconds, user and system, of the process, its threads and children."""
        return sum(_cpu_ticks(pid) for pid in _family(self.process.pid)) / TICKS_PER_S

    def rss_kib(self) -> float:
        """Return the resident memory of the process and its children."""
        return float(sum(_rss_pages(pid) for pid in _family(self.process.pid)) * PAGE_KIB)

    async def settle(self, quiet_s: float = 0.3, deadline_s: float = 15.0) -> None:
        """Wait until the process has used next to no CPU for `quiet_s`."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            before = self.cpu_s()
            await asyncio.sleep(quiet_s)
            if self.cpu_s() - before <= 2 / TICKS_PER_S:
                return

    def stop(self) -> None:
        """End the process, politely first."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Fleet:
    """Starts servers by name on one core and ends them all."""

    def __init__(self, core: int | None) -> None:
        self._core = core
        self._scratch = tempfile.TemporaryDirectory(prefix="commsite-bench-")
        self._running: list[Server] = []
        self._is_prepared = False

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for server in list(self._running):
            self.stop(server)
        self._scratch.cleanup()

    def start(self, name: str, **settings: str) -> Server:
        """Start `name` with these settings of its own, wait until it accepts connections, and return it.

        Raises RuntimeError with the end of its log when it does not come up.
        """
        port = _free_port()
        command, environment = self._command(name, port)
        log = Path(self._scratch.name) / f"{name}-{port}.log"
        pin = [] if self._core is None else ["taskset", "-c", str(self._core)]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*pin, *command], cwd=ROOT, env=environment | settings, stdout=sink, stderr=sink
            )
        server = Server(name, process, port, Plain(), log)
        self._running.append(server)
        _wait_until_it_listens(server)
        if name == "socketio":
            server.dialect = SocketIO()
        elif name in (OURS, OURS_DAPHNE):
            server.dialect = Phoenix(_token(port))
        return server

    def stop(self, server: Server) -> None:
        """End one server."""
        self._running.remove(server)
        server.stop()

    def _command(self, name: str, port: int) -> tuple[list[str], dict[str, str]]:
        environment = dict(os.environ)
        python = sys.executable
        site = "bench.peers.channels_site:application"
        if name in (OURS, OURS_DAPHNE):
            environment |= self._our_environment()
            self._prepare(environment)
        address = ["--host", "127.0.0.1", "--port", str(port)]
        commands = {
            OURS: [python, "manage.py", "serve", *address],
            OURS_DAPHNE: [python, "-m", "commsite.server.daphne", *address],
            "ws": ["node", str(PEERS / "fanout_ws.cjs"), str(port)],
            "socketio": ["node", str(PEERS / "fanout_socketio.cjs"), str(port)],
            "channels-uvicorn": [
                *(python, "-m", "uvicorn", site, "--loop", "uvloop", "--lifespan", "off"),
                *("--no-access-log", "--log-level", "warning", *address),
            ],
            "channels-daphne": [
                *(python, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0", site)
            ],
        }
        return commands[name], environment

    def _our_environment(self) -> dict[str, str]:
        return {
            "COMMSITE_BENCH": "1",
            "DEBUG": "1",
            "DATABASE_URL": f"sqlite:///{self._scratch.name}/bench.sqlite3",
            "REDIS_URL": "",
        }

    def _prepare(self, environment: dict[str, str]) -> None:
        if self._is_prepared:
            return
        for verb in (["migrate", "--verbosity", "0"], ["seed"]):
            subprocess.run(
                [sys.executable, "manage.py", *verb],
                cwd=ROOT,
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        self._is_prepared = True


def _token(port: int) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/token/",
        data=json.dumps({"username": "ada", "password": "commsite-demo"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        token: str = json.load(response)["access"]
    return token


def _wait_until_it_listens(server: Server) -> None:
    end = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < end:
        if server.process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    tail = server.log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{server.name} did not come up:\n{tail}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found.extend(_family(int(child)))
    return found


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime = int(fields[11]), int(fields[12])
    return utime + stime


def _rss_pages(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
