"""Three processes and a Redis: cut off, changed meanwhile, healed. How soon do all know the same; what do they hold?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.phoenix_link import PhoenixLink
from bench.servers import OURS, Fleet
from tests.support.redis import RedisServer
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.presence import Effort
    from bench.servers import Server

NODES = 3
TOPICS, PEOPLE = 250, 100
ENTRIES = TOPICS * PEOPLE
"""Of each node; everybody shows three times as many."""
PERIOD_S = 1.5
"""The default of COMMSITE_PRESENCE_BROADCAST_S."""
SPLIT_S = 2.5
LOOK_S = 0.02
PATIENCE_S = 60.0
CONTROL = "crowd:control"
SHARES = {"1 %": 100, "all": 1}
"""How much of everybody's entries changes during the split: every so many-th."""


@dataclass
class Convergence:
    """Seconds from the heal until all three nodes knew and showed the same, by what had changed; and memory."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {share: [] for share in SHARES})
    lag_ms: list[float] = field(default_factory=list)
    entry_kib: list[float] = field(default_factory=list)

    def all(self) -> list[float]:
        """Return every round, sorted."""
        return sorted(second for seconds in self.seconds.values() for second in seconds)

    def p99(self) -> float:
        """Return the 99th percentile; with less than a hundred rounds, the longest."""
        ordered = self.all()
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


@dataclass
class Node:
    """One process, its wire to Redis, and our connection to it."""

    server: Server
    wire: TcpProxy
    link: PhoenixLink
    name: str = ""


async def converge(effort: Effort) -> Convergence:
    """Split one node after the other from Redis (by reset, by black hole) and heal; return what was seen."""
    found = Convergence()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_all_cores())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="commsite-bench-"))
        redis = stack.enter_context(RedisServer(Path(folder)))
        wires = [stack.enter_context(TcpProxy(redis.port)) for _ in range(NODES)]
        fleet = stack.enter_context(Fleet(None))
        nodes = [await _node(fleet, wire) for wire in wires]
        await _fill(nodes, found)
        chance = random.Random(1)
        for number in range(effort.splits):
            share = list(SHARES)[number % 2]
            found.seconds[share].append(await _round(nodes, number, share, chance, found))
        for node in nodes:
            node.link.close()
    return found


@contextlib.contextmanager
def _all_cores() -> Iterator[None]:
    """Three servers, a Redis and the load share what there is, whatever this process was bound to."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _node(fleet: Fleet, wire: TcpProxy) -> Node:
    server = fleet.start(OURS, REDIS_URL=f"redis://127.0.0.1:{wire.port}/0")
    node = Node(server, wire, await PhoenixLink.open(server))
    node.name = (await node.link.join(CONTROL))["node"]
    return node


async def _fill(nodes: list[Node], found: Convergence) -> None:
    await _agreed(nodes, 0)
    before = [node.server.rss_kib() for node in nodes]
    crowd = {"topic": "crowd:room", "topics": TOPICS, "people": PEOPLE}
    for node in nodes:
        await node.link.call(CONTROL, "crowd", crowd)
    await _agreed(nodes, NODES * ENTRIES)
    for node, was in zip(nodes, before, strict=True):
        await node.server.settle(deadline_s=5)
        found.entry_kib.append((node.server.rss_kib() - was) / (NODES * ENTRIES))


async def _round(
    nodes: list[Node], number: int, share: str, chance: random.Random, found: Convergence
) -> float:
    victim = nodes[number % NODES]
    split = victim.wire.hold if number % 4 < 2 else victim.wire.cut
    await asyncio.to_thread(split)
    for node in nodes:
        await node.link.call(CONTROL, "stir", {"every": SHARES[share]})
    await asyncio.sleep(
        SPLIT_S + chance.random() * PERIOD_S
    )  # the heal may come at any time of a period
    start = time.perf_counter()
    await asyncio.to_thread(victim.wire.heal)
    lag_ms = await _agreed(nodes, NODES * ENTRIES)
    took_s = time.perf_counter() - start
    found.lag_ms.append(lag_ms)
    sums = {(await node.link.call(CONTROL, "checksum"))["checksum"] for node in nodes}
    if len(sums) != 1:
        raise RuntimeError("the nodes say that they agree, and show different entries")
    return took_s


async def _agreed(nodes: list[Node], entries: int) -> float:
    """Wait until all show as many entries and know each other equally far; return the longest lag of a loop seen."""
    end = time.monotonic() + PATIENCE_S
    lag_ms = 0.0
    while time.monotonic() < end:
        looks = [await node.link.call(CONTROL, "look") for node in nodes]
        lag_ms = max(lag_ms, *(look["lag_ms"] for look in looks))
        clocks = [look["clock"] for look in looks]
        if (
            all(look["entries"] == entries for look in looks)
            and all(clock == clocks[0] for clock in clocks)
            and len(clocks[0]) == NODES
        ):
            return lag_ms
        await asyncio.sleep(LOOK_S)
    raise RuntimeError(f"no agreement on {entries} entries: {looks}")
