"""A private redis-server on a free port, which a test may stop, restart and look into."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests.support.deadline import PATIENCE_S, wait_for
from tests.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class RedisServer:
    """One redis-server that writes nothing to disk."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The REDIS_URL of a site that shall use it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Starts the server (again, on the same port) and waits until it answers PING."""
        with (self.folder / f"redis-{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                    "--save", "", "--appendonly", "no", "--dir", str(self.folder),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_for(self.answers, "answer of redis-server")
        return self

    def answers(self) -> bool:
        """Whether PING gets its PONG."""
        try:
            return self.command("PING").startswith(b"+PONG")
        except OSError:
            return False

    def command(self, *words: str) -> bytes:
        """Sends one command and returns the first bytes of the answer, undecoded."""
        parts = [b"*%d\r\n" % len(words)]
        parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
            link.sendall(b"".join(parts))
            return link.recv(65_536)

    def stop(self) -> None:
        """Kills the server, as a crash would: nothing is saved, every link breaks."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None

    def restart(self) -> Self:
        """Stops and starts again, empty, on the same port."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
