"""What is claimed, as runs: the scenarios of the bench and the targets they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench import load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.load import Sample
    from bench.servers import Server

Measure = Literal["cpu_us", "rss_kib"]


@dataclass(frozen=True)
class Effort:
    """How long each run takes and how many connections it opens."""

    warm_up_s: float
    window_s: float
    connects: int
    idle: int


FULL = Effort(warm_up_s=0.5, window_s=1.5, connects=1500, idle=5000)
QUICK = Effort(warm_up_s=0.3, window_s=0.8, connects=500, idle=1000)


@dataclass(frozen=True)
class Scenario:
    """One kind of run, the figure it is judged by, and the peers it is run beside."""

    name: str
    title: str
    measure: Measure
    unit: str
    peers: tuple[str, ...]
    run: Callable[[Server, Effort], Awaitable[Sample]]
    needs_fresh_server: bool = False


@dataclass(frozen=True)
class Target:
    """A claim: the median ratio of ours to the peer's figure must not exceed `at_most`."""

    scenario: str
    peer: str
    at_most: float
    wish: float | None = None


def _fan_out(name: str, subscribers: int, outstanding: int, peers: tuple[str, ...]) -> Scenario:
    async def run(server: Server, effort: Effort) -> Sample:
        return await load.fan_out(
            server,
            subscribers=subscribers,
            outstanding=outstanding,
            warm_up_s=effort.warm_up_s,
            window_s=effort.window_s,
        )

    title = f"fan-out, {subscribers} subscribers, {outstanding} outstanding"
    return Scenario(name, title, "cpu_us", "µs/delivery", peers, run)


async def _echo(server: Server, effort: Effort) -> Sample:
    return await load.echo(server, clients=50, warm_up_s=effort.warm_up_s, window_s=effort.window_s)


async def _connect(server: Server, effort: Effort) -> Sample:
    return await load.connect(server, count=effort.connects)


async def _idle_memory(server: Server, effort: Effort) -> Sample:
    return await load.idle_memory(server, count=effort.idle)


STOCK = ("channels-daphne", "channels-uvicorn")
NODE = ("ws", "socketio")
SCENARIOS = (
    _fan_out("fanout-200-4", 200, 4, (*NODE, *STOCK)),
    _fan_out("fanout-1000-2", 1000, 2, NODE),
    _fan_out("fanout-200-1", 200, 1, NODE),
    Scenario(
        "echo", "push → reply, 50 clients", "cpu_us", "µs/reply", ("channels-uvicorn", "ws"), _echo
    ),
    Scenario(
        "connect",
        "connect (and join, where there is one)",
        "cpu_us",
        "µs/connection",
        ("channels-uvicorn", "ws"),
        _connect,
    ),
    Scenario(
        "memory",
        "idle joined connections",
        "rss_kib",
        "KiB/connection",
        ("channels-uvicorn", "channels-daphne"),
        _idle_memory,
        needs_fresh_server=True,
    ),
)
TARGETS = (
    Target("fanout-200-4", "ws", 0.75),
    Target("fanout-1000-2", "ws", 0.75),
    Target("fanout-200-1", "ws", 0.9, wish=0.75),
    Target("fanout-200-4", "channels-daphne", 1 / 20),
    Target("echo", "channels-uvicorn", 0.55),
    Target("connect", "channels-uvicorn", 0.55),
    Target("memory", "channels-uvicorn", 0.9),
)
