"""How many messages a second are stored, beside a plain INSERT loop of the same driver.

    python -m bench.persist [--rounds 5] [--seconds 4] [--only sqlite] [--write]

On each database, in turn: `insert` copies one row of the table of messages again and again over one connection, one
transaction each; `insert, N threads` does so over as many connections as the server has database threads. Then people
send through the whole site, each waiting for the reply before they send again: 50 in conversations of their own, and 8
in one conversation, where the lock of that conversation makes them take turns. A reply means: committed and told.
Every message of the site is checked for membership, numbered, rendered, stored and broadcast.

PostgreSQL flushes every commit to disk (`fsync` on); SQLite runs as the site runs it (WAL, `synchronous=NORMAL`).
The server has one core, the load and the loops another, PostgreSQL shares both. Five
rounds of four seconds take about four minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import uvloop
from picows import ws_connect

from bench import dated
from bench.dialects import Greeting, Phoenix
from bench.load import Member, close_all
from bench.run import _cores
from bench.servers import OURS, Fleet
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from picows import WSFrame

    from bench.servers import Server

BODY = "The build is green again, and the nightly run found nothing new. Shall we look at the rest tomorrow?"
ALONE, TOGETHER = 50, 8
HEADING = "## Persisted messages"
PRAGMAS = "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;PRAGMA cache_size=-20000"


@dataclass(frozen=True)
class Stored:
    """What one run showed."""

    per_s: float
    cpu_us: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


# ---- The plain loop -------------------------------------------------------------------------------
@dataclass
class Database:
    """One of the two, with the driver that the site uses."""

    name: str
    url: str
    threads: int
    is_postgres: bool

    def connect(self) -> Any:
        """A connection in which every transaction is begun by hand."""
        if self.is_postgres:
            return psycopg.connect(self.url, autocommit=True)
        path = self.url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        for pragma in PRAGMAS.split(";"):
            connection.execute(pragma)
        return connection

    def insert(self, seconds: float, threads: int) -> Stored:
        """Copies a message over and over, from each thread into a conversation of its own."""
        counted, end = [0] * threads, time.monotonic() + seconds

        def loop(number: int) -> None:
            connection = self.connect()
            for statement, row in self._rows(connection):
                connection.execute("BEGIN" if self.is_postgres else "BEGIN IMMEDIATE")
                connection.execute(statement, row)
                connection.execute("COMMIT")
                counted[number] += 1
                if time.monotonic() >= end:
                    break
            connection.close()

        start = time.monotonic()
        workers = [threading.Thread(target=loop, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return Stored(sum(counted) / (time.monotonic() - start))

    def _rows(self, connection: Any) -> Iterator[tuple[str, list[Any]]]:
        sign = "%s" if self.is_postgres else "?"
        room = uuid.uuid4() if self.is_postgres else uuid.uuid4().hex
        cursor = connection.execute("SELECT * FROM conversation_conversation LIMIT 1")
        found = cursor.fetchone()
        there = dict(zip([column[0] for column in cursor.description], found, strict=True))
        self._run(connection, "conversation_conversation", there | {"id": room}, sign)
        cursor = connection.execute("SELECT * FROM conversation_message LIMIT 1")
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
        row |= {"conversation_id": room, "body": BODY, "html": f"<p>{BODY}</p>\n"}
        row |= {"reply_to_id": None, "thread_id": None}
        statement = _statement("conversation_message", names, sign)
        for seq in itertools.count(1):
            one = uuid.uuid4()
            row |= {"id": one if self.is_postgres else one.hex, "seq": seq, "client_id": str(seq)}
            yield statement, [row[name] for name in names]

    def _run(self, connection: Any, table: str, row: dict[str, Any], sign: str) -> None:
        connection.execute(_statement(table, list(row), sign), list(row.values()))


def _statement(table: str, names: list[str], sign: str) -> str:
    # Tables and columns of our own.
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join([sign] * len(names))})"  # noqa: S608


# ---- Through the site -----------------------------------------------------------------------------
class SiteOn(Fleet):
    """The site on a database of our choice."""

    def __init__(self, core: int | None, url: str) -> None:
        super().__init__(core)
        self.url = url

    def _our_environment(self) -> dict[str, str]:
        return super()._our_environment() | {"DATABASE_URL": self.url}


@dataclass
class Speaker(Phoenix):
    """Somebody in one conversation."""

    room: str = ""

    def opening(self) -> bytes:
        """Return the join."""
        return b'["1","1","conversation:%s","phx_join",{}]' % self.room.encode()

    def greet(self, frame: bytes) -> tuple[Greeting, bytes | None]:
        """Expect the join's ok reply."""
        is_reply = frame.startswith(b'["1","1",') and b'"status":"ok"' in frame[:200]
        return (Greeting.JOINED if is_reply else Greeting.WAIT), None

    def say(self) -> bytes:
        """Return a push that sends one message."""
        command = {"body": BODY, "client_id": str(uuid.uuid4())}
        frame = ["1", "2", f"conversation:{self.room}", "send_message", command]
        return json.dumps(frame, separators=(",", ":")).encode()


class Sender:
    """Says something, waits for the reply, says the next thing."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.sent_ns = 0
        self.is_running = True
        member.handler = self._on_frame

    def say(self) -> None:
        """Send one message."""
        self.sent_ns = time.monotonic_ns()
        dialect = self.member.dialect
        assert isinstance(dialect, Speaker)
        self.member.send(dialect.say())

    def _on_frame(self, frame: WSFrame) -> None:
        head = bytes(frame.get_payload_as_memoryview()[:120])
        if not head.startswith(b'["1","2",'):
            return  # what the others say, and who is here
        if b'"status":"ok"' not in head:
            raise RuntimeError(f"refused: {frame.get_payload_as_bytes()[:300]!r}")
        self.member.frames += 1
        self.member.latencies_ns.append(time.monotonic_ns() - self.sent_ns)
        if self.is_running:
            self.say()


async def send(server: Server, rooms: list[str], seconds: float) -> Stored:
    """One sender in each of these conversations (which may be the same), for so long."""
    assert isinstance(server.dialect, Phoenix)
    members = [await _enter(server, Speaker(server.dialect.token, room=room)) for room in rooms]
    senders = [Sender(member) for member in members]
    for sender in senders:
        sender.say()
    await asyncio.sleep(seconds / 4)
    for member in members:
        member.frames = 0
        member.latencies_ns.clear()
    cpu, start = server.cpu_s(), time.perf_counter()
    await asyncio.sleep(seconds)
    took_s, spent = time.perf_counter() - start, server.cpu_s() - cpu
    stored = sum(member.frames for member in members)
    latencies = sorted(ns for member in members for ns in member.latencies_ns)
    for sender in senders:
        sender.is_running = False
    await close_all(server, members)
    p50, p99 = (latencies[int(len(latencies) * share)] / 1e6 for share in (0.5, 0.99))
    return Stored(stored / took_s, spent * 1e6 / stored, p50, p99)


async def _enter(server: Server, dialect: Speaker) -> Member:
    member = Member(dialect)
    url = dialect.url(server.port, "msg")
    await ws_connect(lambda: member, url, use_aiofastnet=False)
    await member.joined
    return member


def open_room(server: Server) -> str:
    """A conversation of ada's."""
    assert isinstance(server.dialect, Phoenix)
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/api/v1/conversations/",
        data=b'{"title": "Bench"}',
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {server.dialect.token}",
        },
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        room: str = json.load(response)["id"]
    return room


# ---- The whole run --------------------------------------------------------------------------------
def measure(
    database: Database, options: argparse.Namespace, cores: tuple[int | None, int | None]
) -> list[str]:
    """Every way in every round, in turn; the lines of a table."""
    samples: dict[str, list[Stored]] = {}
    every_core, (server_core, load_core) = os.sched_getaffinity(0), cores
    with SiteOn(server_core, database.url) as fleet:
        server = fleet.start(OURS)
        if load_core is not None:
            os.sched_setaffinity(0, {load_core})
        rooms = [open_room(server) for _ in range(ALONE)]
        one_room = [open_room(server)] * TOGETHER
        ways: dict[str, Callable[[], Stored]] = {
            "insert": lambda: database.insert(options.seconds, 1),
            f"insert, {database.threads} threads": lambda: database.insert(
                options.seconds, database.threads
            ),
            f"site, {ALONE} people apart": lambda: uvloop.run(send(server, rooms, options.seconds)),
            f"site, {TOGETHER} people together": lambda: uvloop.run(
                send(server, one_room, options.seconds)
            ),
        }
        for _ in range(options.rounds):
            for name, run in ways.items():
                sample = run()
                samples.setdefault(name, []).append(sample)
                _say(f"  {database.name:11} {name:24} {sample.per_s:9,.0f}/s")
    os.sched_setaffinity(0, every_core)  # the next database is started from here
    return _table(database.name, samples)


def _table(name: str, samples: dict[str, list[Stored]]) -> list[str]:
    floor = samples["insert"]
    lines = [
        "",
        f"### {name}",
        "",
        "| | messages/s | ÷ insert | server CPU µs | p50 ms | p99 ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for way, runs in samples.items():
        ratio = statistics.median(
            run.per_s / beside.per_s for run, beside in zip(runs, floor, strict=True)
        )
        cells = [f"{statistics.median(run.per_s for run in runs):,.0f}", f"{ratio:.2f}"]
        for measure in ("cpu_us", "p50_ms", "p99_ms"):
            values = [getattr(run, measure) for run in runs]
            known = [value for value in values if value is not None]
            cells.append(f"{statistics.median(known):,.1f}" if known else "")
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.persist", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", default="", choices=["", "sqlite", "postgresql"])
    parser.add_argument("--write", action="store_true", help="add to bench/results/<date>.md")
    options = parser.parse_args()
    cores = _cores()
    lines = [
        HEADING,
        "",
        f"{options.rounds} rounds of {options.seconds:g} s, each way in turn; medians.",
    ]
    if options.only != "postgresql":
        with tempfile.TemporaryDirectory(prefix="commsite-bench-") as folder:
            sqlite = Database("SQLite", f"sqlite:///{folder}/bench.sqlite3", 4, is_postgres=False)
            lines += measure(sqlite, options, cores)
    if options.only != "sqlite":
        with PostgresServer(is_durable=True) as server:
            url = server.create("bench")
            postgres = Database("PostgreSQL", url, 8, is_postgres=True)
            lines += measure(postgres, options, cores)
    _say("\n".join(lines))
    if options.write:
        dated.put(dated.path_of_today(), lines)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
