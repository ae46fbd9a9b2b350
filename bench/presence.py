"""Presence: what a join costs where few and where many are present, and what a diff costs beside a plain broadcast."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.dialects import Greeting, Phoenix
from bench.load import close_all, join_all
from bench.phoenix_link import PhoenixLink
from bench.servers import OURS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.dialects import Dialect
    from bench.load import Member
    from bench.servers import Fleet, Server

FEW, MANY = 100, 10_000
RECEIVERS = 1_000
JOINERS = 16
PACE_S = 0.05
LEAST_JOINS, LONGEST_S = 4 * JOINERS, 20.0
"""A window is longer where so few joins fit into it."""
OFF = "1000000"
JOINS = "crowd:joins"
DIFFS = "crowd:diffs"
ELSEWHERE = "crowd:elsewhere"


@dataclass(frozen=True)
class Effort:
    """How long each measurement takes, and how often it is repeated."""

    window_s: float
    rounds: int
    splits: int


FULL = Effort(window_s=1.0, rounds=5, splits=40)
QUICK = Effort(window_s=0.6, rounds=2, splits=6)


@dataclass
class Joins:
    """CPU and pace of joining, by the number of people present."""

    mode: str
    is_told: bool
    cpu_us: dict[int, list[float]] = field(default_factory=lambda: {FEW: [], MANY: []})
    per_s: dict[int, list[float]] = field(default_factory=lambda: {FEW: [], MANY: []})

    def ratios(self) -> list[float]:
        """Return the cost where many are ÷ the cost where few are, round by round."""
        return [many / few for few, many in zip(self.cpu_us[FEW], self.cpu_us[MANY], strict=True)]


@dataclass
class Diffs:
    """CPU per delivery to a thousand receivers, of a diff and of a plain broadcast at the same pace."""

    diff_us: list[float] = field(default_factory=list)
    plain_us: list[float] = field(default_factory=list)
    diff_bytes: int = 0

    def ratios(self) -> list[float]:
        """Return diff ÷ plain, round by round."""
        return [ours / plain for ours, plain in zip(self.diff_us, self.plain_us, strict=True)]


# ---- Joins -------------------------------------------------------------------------------------


async def joins(fleet: Fleet, mode: str, effort: Effort) -> list[Joins]:
    """Join and leave a topic with 100 and with 10,000 present, in turns; with the list told and without."""
    above = {"COMMSITE_PRESENCE_COUNTS_ABOVE": OFF} if mode == "names" else {}
    servers = {present: fleet.start(OURS, **above) for present in (FEW, MANY)}
    controls = []
    for present, server in servers.items():
        control = await PhoenixLink.open(server)
        await control.join(JOINS)
        # The person is known, as one who comes from another topic: else some joins would read the database, some not.
        await control.join(ELSEWHERE, {"is_present": True})
        await control.call(JOINS, "crowd", {"topic": JOINS, "topics": 1, "people": present})
        controls.append(control)
    found = [Joins(mode, is_told=False), Joins(mode, is_told=True)]
    for number in range(effort.rounds):
        for one in found:
            for present in (FEW, MANY) if number % 2 else (MANY, FEW):
                cpu_us, per_s = await _join_and_leave(servers[present], one, effort.window_s)
                one.cpu_us[present].append(cpu_us)
                one.per_s[present].append(per_s)
    for control in controls:
        control.close()
    for server in servers.values():
        fleet.stop(server)
    return found


async def _join_and_leave(server: Server, joins: Joins, window_s: float) -> tuple[float, float]:
    links = [await PhoenixLink.open(server) for _ in range(JOINERS)]
    await server.settle()
    count, is_running = 0, True

    async def again_and_again(link: PhoenixLink) -> None:
        nonlocal count
        while is_running:
            told = link.next("presence_told")
            await link.join(JOINS, {"is_present": True, "is_told": joins.is_told})
            await told
            await link.call(JOINS, "phx_leave")
            count += 1

    running = [asyncio.create_task(again_and_again(link)) for link in links]
    await asyncio.sleep(0.3)
    before, cpu, start = count, server.cpu_s(), time.perf_counter()
    await asyncio.sleep(window_s)
    while count - before < LEAST_JOINS and time.perf_counter() - start < LONGEST_S:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    done, spent, took_s = count - before, server.cpu_s() - cpu, time.perf_counter() - start
    is_running = False
    await asyncio.gather(*running)
    for link in links:
        link.close()
    await server.settle()
    return spent * 1e6 / max(1, done), done / took_s


# ---- Diffs -------------------------------------------------------------------------------------


class _Receiver(Phoenix):
    """The dialect of somebody who joins a topic and listens."""

    def __init__(self, token: str, topic: str) -> None:
        super().__init__(token)
        self.topic = topic.encode()

    def opening(self) -> bytes | None:
        return b'["1","1","%s","phx_join",{}]' % self.topic

    def greet(self, frame: bytes) -> tuple[Greeting, bytes | None]:
        is_reply = b'"phx_reply"' in frame and b'"status":"ok"' in frame
        return (Greeting.JOINED if is_reply else Greeting.WAIT), None


async def diffs(fleet: Fleet, effort: Effort) -> Diffs:
    """A thousand receivers of a diff, and of a broadcast of the same size, twenty times a second."""
    server = fleet.start(OURS, COMMSITE_PRESENCE_COUNTS_ABOVE=OFF)
    found = Diffs()
    own: Dialect = server.dialect
    control = await PhoenixLink.open(server)
    await control.join(DIFFS)
    await control.join("bench:diffs")
    receivers = {topic: await _receive(server, topic) for topic in (DIFFS, "bench:diffs")}
    await _flip(control, 2)
    found.diff_bytes = await _bytes_of(receivers[DIFFS], control) // 2
    payload = {"x": "y" * (found.diff_bytes - len('[null,null,"bench:diffs","msg",{"x":""}]') - 4)}

    async def flip() -> None:
        await _flip(control, 1)

    async def publish() -> None:
        came = control.next("")  # `msg` is the one event that is no presence's
        control.push("bench:diffs", "msg", payload)
        await came
        await asyncio.sleep(PACE_S)

    for _ in range(effort.rounds):
        for figures, act in ((found.diff_us, flip), (found.plain_us, publish)):
            figures.append(await _per_delivery(server, act, effort.window_s * 2))
    server.dialect = own
    control.close()
    for members in receivers.values():
        await close_all(server, members)
    fleet.stop(server)
    return found


async def _receive(server: Server, topic: str) -> list[Member]:
    token = server.dialect.token  # type: ignore[attr-defined]
    dialect, server.dialect = server.dialect, _Receiver(token, topic)
    members = await join_all(server, "presence", RECEIVERS)
    server.dialect = dialect
    await server.settle()
    for member in members:
        member.count_bytes_only()
    return members


async def _flip(control: PhoenixLink, times: int) -> None:
    for _ in range(times):
        came = control.next("presence_diff")
        await control.call(DIFFS, "flip")
        await came


async def _bytes_of(members: list[Member], control: PhoenixLink) -> int:
    """How long two diffs are together: one came, one went."""

    def received() -> list[int]:
        return [member.counter.received for member in members if member.counter]

    await asyncio.sleep(0.3)
    before = received()
    await _flip(control, 2)
    await asyncio.sleep(0.3)
    sizes = {now - was for now, was in zip(received(), before, strict=True)}
    if len(sizes) != 1:
        raise RuntimeError(f"receivers got {sizes} bytes of the same diffs")
    return sizes.pop()


async def _per_delivery(
    server: Server, act: Callable[[], Awaitable[None]], window_s: float
) -> float:
    """CPU µs of a delivery, what the server spends on idle connections left out."""
    idle_s = server.cpu_s()
    await asyncio.sleep(window_s)
    idle_s = server.cpu_s() - idle_s
    cpu, start, count = server.cpu_s(), time.perf_counter(), 0
    while time.perf_counter() - start < window_s:
        await act()
        count += 1
    took_s = time.perf_counter() - start
    spent = server.cpu_s() - cpu - idle_s * took_s / window_s
    return max(0.0, spent) * 1e6 / (count * RECEIVERS)


def middle(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)
