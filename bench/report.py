"""From samples to sentences: medians, ratios pair by pair, targets reached or not."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import dated
from bench.scenarios import SCENARIOS, TARGETS, Scenario, Target

if TYPE_CHECKING:
    from bench.load import Sample

PACKAGES = ("uvicorn", "uvloop", "websockets", "channels", "daphne", "twisted", "msgspec", "picows")
PEERS = Path(__file__).resolve().parent / "peers"


@dataclass
class Results:
    """Every sample of one whole run, in pairs of ours beside a peer's."""

    ours: str
    pairs: dict[tuple[str, str], list[tuple[Sample, Sample]]] = field(default_factory=dict)

    def add(self, scenario: Scenario, peer: str, ours: Sample, theirs: Sample) -> None:
        """Record one pair of adjacent runs."""
        self.pairs.setdefault((scenario.name, peer), []).append((ours, theirs))

    def ratios(self, scenario: Scenario, peer: str) -> list[float]:
        """Return ours ÷ theirs of each pair."""
        return [
            getattr(ours, scenario.measure) / max(getattr(theirs, scenario.measure), 1e-9)
            for ours, theirs in self.pairs.get((scenario.name, peer), [])
        ]

    def samples(self, scenario: Scenario, name: str) -> list[Sample]:
        """Return every sample of the server `name`."""
        if name != self.ours:
            return [theirs for _, theirs in self.pairs.get((scenario.name, name), [])]
        seen: dict[int, Sample] = {}
        for (scenario_name, _), pairs in self.pairs.items():
            if scenario_name == scenario.name:
                seen |= {id(ours): ours for ours, _ in pairs}
        return list(seen.values())


def figures(results: Results) -> list[str]:
    """Return a Markdown table per scenario: the medians, and the ratio to each peer."""
    lines: list[str] = []
    for scenario in SCENARIOS:
        peers = [peer for peer in scenario.peers if results.ratios(scenario, peer)]
        if not peers:
            continue
        lines += ["", f"### {scenario.name}: {scenario.title}", ""]
        lines += [_header(scenario), "|---|" + "---:|" * (_header(scenario).count("|") - 2)]
        lines += [_row(results, scenario, name) for name in (results.ours, *peers)]
    return lines


def verdicts(results: Results) -> list[str]:
    """Return the table of targets, each reached or not reached; those not run are left out."""
    lines = ["| claim | target | measured (pairs: lowest … highest) | |", "|---|---:|---:|---|"]
    return lines + [line for target in TARGETS if (line := _verdict(results, target))]


def machine() -> list[str]:
    """Return what a reader must know about where the figures come from."""
    node = subprocess.run(
        ["node", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    pinned = json.loads((PEERS / "package.json").read_text())["dependencies"]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    versions += [f"{name} {version}" for name, version in pinned.items()]
    return [
        f"- {_cpu_model()}, {_cores()} cores, Linux {platform.release()}",
        f"- Python {platform.python_version()}, Node {node}, " + ", ".join(versions),
    ]


def write(results: Results, path: Path, how: str, notes: str) -> None:
    """Write the head of the file, the claims, the figures and what was remarked."""
    head = [f"# Benchmarks of {path.stem}", "", *machine(), f"- {how}"]
    sections = [
        ["## Claims", "", *verdicts(results)],
        ["## Figures (medians)", *figures(results)],
    ]
    if notes:
        sections.append(["## Remarks", "", notes.strip()])
    dated.put(path, *sections, head=head)


def _header(scenario: Scenario) -> str:
    if scenario.measure == "rss_kib":
        return f"| server | {scenario.unit} | before, MiB | after, MiB | ours ÷ it |"
    if scenario.name == "connect":
        return f"| server | CPU {scenario.unit} | per second | ours ÷ it |"
    return (
        f"| server | CPU {scenario.unit} | per second | p50 ms | p99 ms | RSS MiB "
        "| server busy | load busy | ours ÷ it |"
    )


def _row(results: Results, scenario: Scenario, name: str) -> str:
    samples = results.samples(scenario, name)

    def middle(attribute: str) -> float:
        return statistics.median(getattr(sample, attribute) for sample in samples)

    ratios = results.ratios(scenario, name)
    ratio = f"{statistics.median(ratios):.3f}" if ratios else ""
    value = f"{middle(scenario.measure):.2f}"
    if scenario.measure == "rss_kib":
        before = statistics.median(sample.extra["before_mib"] for sample in samples)
        after = statistics.median(sample.extra["after_mib"] for sample in samples)
        cells = [f"{before:.0f}", f"{after:.0f}"]
    elif scenario.name == "connect":
        cells = [f"{middle('per_s'):,.0f}"]
    else:
        cells = [
            f"{middle('per_s'):,.0f}",
            f"{middle('p50_ms'):.2f}",
            f"{middle('p99_ms'):.2f}",
            f"{middle('rss_kib') / 1024:.0f}",
            f"{middle('busy'):.0%}",
            f"{middle('load_busy'):.0%}",
        ]
    return "| " + " | ".join([name, value, *cells, ratio]) + " |"


def _verdict(results: Results, target: Target) -> str | None:
    scenario = next(entry for entry in SCENARIOS if entry.name == target.scenario)
    ratios = results.ratios(scenario, target.peer)
    if not ratios:
        return None
    found = statistics.median(ratios)
    verdict = "reached" if found <= target.at_most else "**not reached**"
    if target.wish is not None:
        verdict += f" (wish ≤ {target.wish} {'reached' if found <= target.wish else 'not reached'})"
    claim = f"{target.scenario}: {results.ours} ÷ {target.peer}"
    spread = f"{found:.3f} ({min(ratios):.3f} … {max(ratios):.3f}, {len(ratios)} pairs)"
    return f"| {claim} | ≤ {target.at_most:g} | {spread} | {verdict} |"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cores() -> int:
    return Path("/proc/cpuinfo").read_text().count("processor\t")
