"""What a run costs with 1,000 viewers at 50 tokens a second, beside the same fan-out without; how soon a stop works.

    python -m bench.runs [--rounds 5] [--window 8] [--viewers 1000] [--cancels 50] [--write]

One server on one core; viewers and the model's server on another. Each round measures, on the same
server one after the other: the bench's own fan-out at full speed (one publish under way to all
viewers), a run (a model's server streams 50 chunks a second; viewers get what the run tells), the same
run with one viewer, and the fan-out again, published by the clock as often as the run tells. The figure is
server CPU per delivery, with everything that a run needs: the request to the model, its events, the
commit before each is told.

The claim (<= 1.2, the median of the rounds) is about the fan-out at the same pace: a process that sleeps
between two events and wakes with cold caches, on a core that was idle, pays more for each delivery than one that
never sleeps, whatever it delivers. The ratio to the fan-out at full speed stands beside it, and so does that
per token: an event of the run holds what the model said in 40 ms.

Then cancels: from the push of `cancel_run` to its reply, and to the moment at which the model's server
sees its connection closed, in the middle of a stream.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvloop

from bench import dated, load
from bench.dialects import Phoenix
from bench.load import ByteCounter, Member, close_all, fan_out, join_all, paced_fan_out
from bench.servers import OURS, Fleet, Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from picows import WSFrame

CLAIM = 1.2
TOKENS_PER_S = 50
WARM_UP_S = 1.5
WORDS = ("The ", "quick ", "brown ", "fox ", "jumps ", "over ", "the ", "lazy ", "dog. ")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


# ---- The model's server ---------------------------------------------------------------------------


class Model:
    """Streams 50 chunks a second to whoever asks, for as long as they listen."""

    def __init__(self) -> None:
        self.gone: asyncio.Queue[int] = asyncio.Queue()
        """When each connection was seen to be closed, in monotonic ns."""

    async def start(self) -> str:
        """Listens; returns its base address."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    def _note(self, gone: asyncio.Future[bytes]) -> None:
        if not gone.cancelled():
            self.gone.put_nowait(time.monotonic_ns())

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        await reader.readexactly(length)
        gone = asyncio.ensure_future(reader.read())
        gone.add_done_callback(self._note)
        writer.write(HEAD)
        due, number = time.monotonic(), 0
        while not gone.done():
            choice = {"index": 0, "delta": {"content": WORDS[number % len(WORDS)]}}
            event = b"data: %b\n\n" % json.dumps({"choices": [choice]}).encode()
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            number += 1
            due += 1 / TOKENS_PER_S
            await asyncio.wait({gone}, timeout=max(0.0, due - time.monotonic()))
        gone.cancel()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await gone
        writer.close()


# ---- A conversation with its viewers --------------------------------------------------------------


@dataclass
class Room(Phoenix):
    """The same protocol on the topic of a conversation."""

    topic: str = ""

    def opening(self) -> bytes | None:
        """Return the join."""
        return b'["1","1","%s","phx_join",{}]' % self.topic.encode()

    def greet(self, frame: bytes) -> Any:
        """Expect the join's ok reply on this topic."""
        return super().greet(frame.replace(self.topic.encode(), b"bench:load", 1))

    def push(self, ref: int, event: str, **payload: Any) -> bytes:
        """Return a push of the topic's."""
        return json.dumps(["1", str(ref), self.topic, event, payload]).encode()


def open_room(server: Server, token: str) -> Room:
    """Open a conversation and return how it is spoken to."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/api/v1/conversations/",
        data=json.dumps({"title": "Bench"}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        return Room(token=token, topic=f"conversation:{json.load(response)['id']}")


class Reader:
    """One viewer that reads: replies by ref, run events, the bytes of them."""

    def __init__(self, member: Member, room: Room) -> None:
        self.member = member
        self.room = room
        self.events = 0
        self.last: dict[str, Any] = {}
        self._refs = 100
        self._replies: dict[str, asyncio.Future[tuple[int, Any]]] = {}
        self._news = asyncio.Event()
        member.handler = self._on_frame

    def _on_frame(self, frame: WSFrame) -> None:
        at = time.monotonic_ns()
        _, ref, _, event, payload = json.loads(frame.get_payload_as_bytes())
        if event == "phx_reply":
            self._replies.pop(ref).set_result((at, payload))
        elif event == "run_event":
            self.events += 1
            self.last = payload
            self._news.set()

    async def call(self, event: str, **payload: Any) -> tuple[int, int, Any]:
        """Push, wait for the reply; return when each was, in ns, and the response."""
        self._refs += 1
        reply = self._replies[str(self._refs)] = asyncio.get_running_loop().create_future()
        pushed = time.monotonic_ns()
        self.member.send(self.room.push(self._refs, event, **payload))
        at, answer = await asyncio.wait_for(reply, 20)
        if answer["status"] != "ok":
            raise RuntimeError(f"{event}: {answer['response']}")
        return pushed, at, answer["response"]

    async def until(self, is_there: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for such a run event."""
        async with asyncio.timeout(20):
            while not is_there(self.last):
                self._news.clear()
                await self._news.wait()


async def begin(reader: Reader) -> str:
    """Start a run and wait for its first words; return its id."""
    body = {"body": "Go.", "client_id": os.urandom(8).hex()}
    _, _, started = await reader.call("start_run", **body)
    run_id: str = started["run"]["id"]
    await reader.until(
        lambda event: event.get("run_id") == run_id and event["type"] == "TEXT_MESSAGE_CONTENT"
    )
    return run_id


# ---- What is measured -----------------------------------------------------------------------------


@dataclass
class Cost:
    """Server CPU per delivery of one window."""

    cpu_us: float
    per_s: float
    busy: float


async def stream_cost(server: Server, room: Room, viewers: int, window_s: float) -> Cost:
    """Watch one run with all viewers for a window."""
    plain, server.dialect = server.dialect, room
    members = await join_all(server, "msg", viewers)
    reader = Reader(members[0], room)
    await server.settle()
    for member in members[1:]:
        member.count_bytes_only()
    run_id = await begin(reader)
    await asyncio.sleep(WARM_UP_S)
    events, cpu, start = reader.events, server.cpu_s(), time.perf_counter()
    await asyncio.sleep(window_s)
    spent, took_s = server.cpu_s() - cpu, time.perf_counter() - start
    deliveries = (reader.events - events) * viewers
    await reader.call("cancel_run", run_id=run_id)
    await server.settle()
    expect_nothing_lost([member.counter for member in members[1:] if member.counter])
    await close_all(server, members)
    server.dialect = plain
    return Cost(spent * 1e6 / deliveries, deliveries / took_s, spent / took_s)


def expect_nothing_lost(counters: list[ByteCounter]) -> None:
    """Every viewer got the same bytes."""
    seen = {counter.received for counter in counters}
    if len(seen) > 1:
        raise RuntimeError(f"viewers got {min(seen)} to {max(seen)} bytes")


async def plain_cost(server: Server, viewers: int, window_s: float) -> Cost:
    """The bench's fan-out with one publish under way: as fast as it goes."""
    sample = await fan_out(
        server, subscribers=viewers, outstanding=1, warm_up_s=0.5, window_s=min(2.0, window_s)
    )
    return Cost(sample.cpu_us, sample.per_s, sample.busy)


async def paced_cost(server: Server, viewers: int, window_s: float, per_s: float) -> Cost:
    """The same fan-out by the clock."""
    sample = await paced_fan_out(
        server, subscribers=viewers, per_s=per_s, warm_up_s=WARM_UP_S, window_s=window_s
    )
    return Cost(sample.cpu_us, sample.per_s, sample.busy)


async def cancel_times(
    server: Server, room: Room, model: Model, count: int
) -> tuple[list[float], list[float]]:
    """Milliseconds from a stop to its verdict, and to the closed connection at the model's server."""
    plain, server.dialect = server.dialect, room
    members = await join_all(server, "msg", 1)
    reader = Reader(members[0], room)
    verdicts, closed = [], []
    for _ in range(count):
        run_id = await begin(reader)
        while not model.gone.empty():
            model.gone.get_nowait()
        pushed, answered, verdict = await reader.call("cancel_run", run_id=run_id)
        gone = await asyncio.wait_for(model.gone.get(), 20)
        if verdict["verdict"] != "stopped":
            raise RuntimeError(f"not stopped: {verdict}")
        verdicts.append((answered - pushed) / 1e6)
        closed.append((gone - pushed) / 1e6)
    await close_all(server, members)
    server.dialect = plain
    return verdicts, closed


@dataclass
class Round:
    """What one round showed."""

    full: Cost
    paced: Cost
    run: Cost
    alone: Cost

    @property
    def per_token(self) -> float:
        """CPU for one token at one viewer, beside one delivery of the fan-out at full speed."""
        tokens_an_event = TOKENS_PER_S / self.alone.per_s
        return self.run.cpu_us / tokens_an_event / self.full.cpu_us

    def __str__(self) -> str:
        return (
            f"full speed {show(self.full)}   paced {show(self.paced)}   run {show(self.run)}   "
            f"run with one viewer {self.alone.cpu_us:,.0f} µs an event"
        )


async def one_round(server: Server, room: Room, options: argparse.Namespace) -> Round:
    """All of it, one after the other on one server; the pace is that of the run."""
    full = await plain_cost(server, options.viewers, options.window)
    run = await stream_cost(server, room, options.viewers, options.window)
    alone = await stream_cost(server, room, 1, options.window)
    paced = await paced_cost(server, options.viewers, options.window, alone.per_s)
    return Round(full, paced, run, alone)


async def measure(options: argparse.Namespace, fleet: Fleet) -> tuple[list[str], bool]:
    """Everything; the section and whether the claim is reached."""
    model = Model()
    os.environ["ASSISTANT_BASE_URL"], os.environ["ASSISTANT_MODEL"] = await model.start(), "bench"
    os.environ["COMMSITE_ASSISTANT_ANSWER_CHARS"] = "100000000"
    server = await asyncio.to_thread(fleet.start, OURS)
    token: str = server.dialect.token  # type: ignore[attr-defined]
    room = await asyncio.to_thread(open_room, server, token)
    rounds: list[Round] = []
    for number in range(options.rounds):
        rounds.append(await one_round(server, room, options))
        say(f"round {number + 1}: {rounds[-1]}")
    times = await cancel_times(server, room, model, options.cancels)
    return section(rounds, times, options)


def section(
    rounds: list[Round], times: tuple[list[float], list[float]], options: argparse.Namespace
) -> tuple[list[str], bool]:
    """The ratios, round by round and then the median; the times of cancels."""
    ratios = {
        "run ÷ fan-out at the pace of the run": [
            one.run.cpu_us / one.paced.cpu_us for one in rounds
        ],
        "run ÷ fan-out at full speed": [one.run.cpu_us / one.full.cpu_us for one in rounds],
        "run, per token ÷ fan-out at full speed": [one.per_token for one in rounds],
    }
    lines = [
        "## Runs",
        "",
        (
            f"{options.rounds} rounds of {options.window:g} s: {options.viewers:,} viewers of one answer at "
            f"{TOKENS_PER_S} tokens a second, all that the run needs included; server CPU per delivery."
        ),
        "",
        "| | target | measured | |",
        "|---|---:|---:|---|",
    ]
    for what, found in ratios.items():
        median = statistics.median(found)
        spread = f"{median:.2f} ({min(found):.2f} … {max(found):.2f})"
        verdict = "reached" if median <= CLAIM else "**not reached**"
        lines.append(f"| {what} | ≤ {CLAIM} | {spread} | {verdict} |")
    lines += ["", *_figures(rounds), ""]
    for what, found in zip(("its verdict", "the closed request"), times, strict=True):
        ordered = sorted(found)
        worst = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        lines.append(
            f"From a stop to {what}: p50 {statistics.median(ordered):.1f} ms, p99 {worst:.1f} ms."
        )
    at_pace = next(iter(ratios.values()))
    return lines, statistics.median(at_pace) <= CLAIM


def _figures(rounds: list[Round]) -> list[str]:
    def median(name: str, figure: str) -> float:
        return statistics.median(getattr(getattr(one, name), figure) for one in rounds)

    rows = [
        ("fan-out at full speed", "full"),
        ("fan-out at the pace of the run", "paced"),
        ("run", "run"),
        ("run with one viewer", "alone"),
    ]
    lines = ["| | CPU µs/delivery | per second | server busy |", "|---|---:|---:|---:|"]
    for what, name in rows:
        cpu, per_s, busy = (median(name, figure) for figure in ("cpu_us", "per_s", "busy"))
        lines.append(f"| {what} | {cpu:,.2f} | {per_s:,.0f} | {busy:.0%} |")
    return lines


def show(cost: Cost) -> str:
    return f"{cost.cpu_us:5.2f} µs/delivery ({cost.per_s:,.0f}/s, busy {cost.busy:.0%})"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run it from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.runs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window", type=float, default=8.0, help="seconds of each run")
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--cancels", type=int, default=50)
    parser.add_argument("--write", action="store_true", help="put it into bench/results/<date>.md")
    options = parser.parse_args()
    load.JOIN_DEADLINE_S = 300.0  # a join of a conversation reads more than one of a bench topic
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[1]})
    with Fleet(cores[0] if len(cores) > 1 else None) as fleet:
        job: Awaitable[tuple[list[str], bool]] = measure(options, fleet)
        lines, is_reached = uvloop.run(job)  # type: ignore[arg-type]
    say("\n".join(lines))
    if options.write:
        dated.put(dated.path_of_today(), lines)
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
