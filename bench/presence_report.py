"""The presence section of the results: what is claimed, what was measured."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import convergence, presence
from bench.convergence import ENTRIES, NODES, PERIOD_S

if TYPE_CHECKING:
    from bench.convergence import Convergence
    from bench.presence import Diffs, Effort, Joins
    from bench.servers import Fleet

TITLE = "## Presence"
MOST_TIMES = 2.0
"""A join where 10,000 are present costs at most so many times one where 100 are."""
MOST_PERIODS = 2.0
KNOWN = (
    "The person who joins is known to the process, from another topic: the first of their connections costs a read",
    "of the database, too, which all who come meanwhile share.",
)


@dataclass
class PresenceResults:
    """Everything that was measured of presence."""

    joins: list[Joins] = field(default_factory=list)
    diffs: Diffs | None = None
    convergence: Convergence | None = None


async def measure(fleet: Fleet, effort: Effort) -> PresenceResults:
    """Run all of it."""
    found = PresenceResults()
    for mode in ("counts", "names"):
        found.joins += await presence.joins(fleet, mode, effort)
    found.diffs = await presence.diffs(fleet, effort)
    found.convergence = await convergence.converge(effort)
    return found


def section(results: PresenceResults) -> list[str]:
    """Return the section as Markdown lines."""
    lines = [TITLE, "", "| claim | target | measured (rounds: lowest … highest) | |"]
    lines += ["|---|---:|---:|---|", *_join_verdicts(results.joins)]
    if results.convergence is not None:
        lines.append(_convergence_verdict(results.convergence))
    lines += [
        "",
        "### Joins: join and leave of one topic, 16 at a time",
        "",
        *_join_rows(results.joins),
        "",
        *KNOWN,
    ]
    if results.diffs is not None:
        lines += [
            "",
            "### One diff to 1,000 receivers, twenty a second",
            "",
            *_diff_rows(results.diffs),
        ]
    if results.convergence is not None:
        lines += ["", f"### {NODES} nodes with {ENTRIES:,} entries each, cut off and healed", ""]
        lines += [*_convergence_rows(results.convergence), "", *_memory(results.convergence)]
    return lines


def _verdict(*, is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


def _join_verdicts(joins: list[Joins]) -> list[str]:
    lines = []
    for one in joins:
        if one.is_told:
            continue
        ratios = one.ratios()
        found = statistics.median(ratios)
        spread = f"{found:.2f} ({min(ratios):.2f} … {max(ratios):.2f}, {len(ratios)} rounds)"
        claim = f"join at 10,000 ÷ at 100, the joiner's own list aside, {_mode(one)}"
        lines.append(
            f"| {claim} | ≤ {MOST_TIMES:g} | {spread} | {_verdict(is_reached=found <= MOST_TIMES)} |"
        )
    return lines


def _mode(joins: Joins) -> str:
    return "numbers above 200 (default)" if joins.mode == "counts" else "names always"


def _convergence_verdict(found: Convergence) -> str:
    ordered = found.all()
    p99 = found.p99() / PERIOD_S
    spread = f"{p99:.2f} ({ordered[0] / PERIOD_S:.2f} … {ordered[-1] / PERIOD_S:.2f}, {len(ordered)} rounds)"
    reached = _verdict(is_reached=p99 <= MOST_PERIODS)
    return f"| convergence after heal, p99, in periods of {PERIOD_S:g} s | ≤ {MOST_PERIODS:g} | {spread} | {reached} |"


def _join_rows(joins: list[Joins]) -> list[str]:
    lines = [
        "| people are told by | list for the joiner | CPU µs at 100 | at 10,000 | joins/s at 100 | at 10,000 |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for one in joins:
        cpu = [statistics.median(one.cpu_us[present]) for present in (presence.FEW, presence.MANY)]
        pace = [statistics.median(one.per_s[present]) for present in (presence.FEW, presence.MANY)]
        told = "yes" if one.is_told else "no"
        lines.append(
            f"| {_mode(one)} | {told} | {cpu[0]:,.0f} | {cpu[1]:,.0f} | {pace[0]:,.0f} | {pace[1]:,.0f} |"
        )
    return lines


def _diff_rows(diffs: Diffs) -> list[str]:
    ratios = diffs.ratios()
    return [
        "| | bytes | CPU µs/delivery |",
        "|---|---:|---:|",
        f"| presence_diff of one person | {diffs.diff_bytes} | {statistics.median(diffs.diff_us):.2f} |",
        f"| plain broadcast | {diffs.diff_bytes} | {statistics.median(diffs.plain_us):.2f} |",
        "",
        f"Diff ÷ broadcast: {statistics.median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f}).",
    ]


def _convergence_rows(found: Convergence) -> list[str]:
    lines = [
        "| changed during the split | rounds | median s | p99 s | longest s |",
        "|---|---:|---:|---:|---:|",
    ]
    for share, seconds in found.seconds.items():
        if seconds:
            ordered = sorted(seconds)
            p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
            lines.append(
                f"| {share} | {len(seconds)} | {statistics.median(seconds):.2f} | {p99:.2f} | {ordered[-1]:.2f} |"
            )
    lines += [
        "",
        f"Longest lag of an event loop seen in a round: median {statistics.median(found.lag_ms):.0f} ms,",
    ]
    lines += [f"highest {max(found.lag_ms):.0f} ms."]
    return lines


def _memory(found: Convergence) -> list[str]:
    each = ", ".join(f"{kib:.2f}" for kib in found.entry_kib)
    return [
        f"Memory: {statistics.mean(found.entry_kib):.2f} KiB per entry shown (by node: {each})."
    ]
