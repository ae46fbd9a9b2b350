"""A private PostgreSQL server. It refuses to be root: then it runs as `postgres` or `nobody`."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.support.deadline import PATIENCE_S, wait_for
from tests.support.ports import free_port


def programs() -> Path:
    """The folder of initdb and postgres: on the PATH, or where Debian keeps each version."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not versions:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    return versions[-1].parent


def unprivileged() -> dict[str, Any]:
    """Arguments of subprocess that make its process not root."""
    if os.getuid() != 0:
        return {}
    known = {user.pw_name for user in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@dataclass
class PostgresServer:
    """One server with its own data folder, removed at the end. Nothing is flushed to disk unless `is_durable`."""

    port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="commsite-pg-")))
    process: subprocess.Popen[bytes] | None = None
    is_durable: bool = False

    def url(self, database: str = "postgres") -> str:
        """The DATABASE_URL of one of its databases."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Creates the cluster if there is none, starts it, waits until it takes connections."""
        data, identity = self.folder / "data", unprivileged()
        if identity:
            os.chown(self.folder, identity["user"], identity["group"])
        quiet: dict[str, Any] = {"cwd": self.folder, "stdin": subprocess.DEVNULL, **identity}
        if not data.exists():
            subprocess.run(
                [
                    programs() / "initdb", "-D", data, "-U", "postgres", "-A", "trust",
                    "-E", "UTF8", "--no-sync",
                ],
                check=True, stdout=subprocess.DEVNULL, **quiet,
            )  # fmt: skip
        flush = "on" if self.is_durable else "off"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    programs() / "postgres", "-D", data, "-k", self.folder,
                    "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                    "-c", f"fsync={flush}", "-c", f"full_page_writes={flush}",
                ],
                stdout=log, stderr=subprocess.STDOUT, **quiet,
            )  # fmt: skip
        wait_for(self.answers, "connection to PostgreSQL")
        return self

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def execute(self, statement: str) -> None:
        """Runs one statement outside any transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, database: str, *, template: str = "template1") -> str:
        """Creates a database, as a copy of `template`; returns its URL."""
        self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url(database)

    def stop(self) -> None:
        """Fast shutdown: open connections are cut, the folder goes away."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE_S)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
