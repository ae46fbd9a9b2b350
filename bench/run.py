"""`make bench`: measure Commsite and its peers in one interleaved run and say what is reached.

The server under measurement has one core to itself, the load another.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import uvloop

from bench import dated, presence, presence_report, report
from bench.report import Results
from bench.scenarios import FULL, QUICK, SCENARIOS, Effort, Scenario
from bench.servers import NAMES, OURS, PEERS, Fleet, Server

if TYPE_CHECKING:
    from bench.load import Sample

FILES_NEEDED = 12_000


class Bench:
    """One whole run: which scenarios, beside which peers, how often."""

    def __init__(self, options: argparse.Namespace, fleet: Fleet) -> None:
        self.effort: Effort = QUICK if options.quick else FULL
        self.pairs: int = options.pairs or (2 if options.quick else 5)
        self.ours: str = options.ours
        self.scenarios = [s for s in SCENARIOS if options.only in s.name]
        self.wanted: set[str] = set(options.peers.split(",")) if options.peers else set(NAMES)
        self.results = Results(self.ours)
        self._fleet = fleet
        self._running: dict[str, Server] = {}

    async def run(self) -> Results:
        """Run every scenario once per round, so that slow drifts meet all servers alike."""
        for round_number in range(self.pairs):
            for scenario in self.scenarios:
                await self._run_scenario(scenario, round_number)
        return self.results

    async def _run_scenario(self, scenario: Scenario, round_number: int) -> None:
        peers = [peer for peer in scenario.peers if peer in self.wanted]
        if round_number % 2:
            peers.reverse()
        for first in range(0, len(peers), 2):
            neighbours = peers[first : first + 2]
            before = await self._sample(scenario, neighbours[0])
            ours = await self._sample(scenario, self.ours)
            self.results.add(scenario, neighbours[0], ours, before)
            for after in neighbours[1:]:
                self.results.add(scenario, after, ours, await self._sample(scenario, after))

    async def _sample(self, scenario: Scenario, name: str) -> Sample:
        server = self._server(name, is_fresh=scenario.needs_fresh_server)
        gc.collect()
        sample = await scenario.run(server, self.effort)
        if scenario.needs_fresh_server:
            self._fleet.stop(server)
        value = getattr(sample, scenario.measure)
        _say(
            f"  {scenario.name:14} {name:17} {value:9.2f} {scenario.unit:15}"
            f" {sample.per_s:10,.0f}/s  p50 {sample.p50_ms:7.2f}  p99 {sample.p99_ms:7.2f} ms"
            f"  busy {sample.busy:4.0%} load {sample.load_busy:4.0%}"
        )
        return sample

    def _server(self, name: str, *, is_fresh: bool) -> Server:
        if is_fresh:
            return self._fleet.start(name)
        if name not in self._running:
            self._running[name] = self._fleet.start(name)
        return self._running[name]


def main() -> int:
    """Run the bench from the command line; return the exit status."""
    options = _options()
    _raise_file_limit()
    signal.signal(signal.SIGTERM, _end)
    server_core, load_core = _cores()
    if load_core is not None:
        os.sched_setaffinity(0, {load_core})
    _install_peers()
    with Fleet(server_core) as fleet:
        bench = Bench(options, fleet)
        results = uvloop.run(bench.run())
        told = _presence(options, fleet)
    if bench.scenarios:
        _say("\n".join([*report.figures(results), "", *report.verdicts(results)]))
    _say("\n".join(told))
    if options.write:
        _write(options, bench, told)
    return 0


def _presence(options: argparse.Namespace, fleet: Fleet) -> list[str]:
    if options.only not in "presence":
        return []
    effort = presence.QUICK if options.quick else presence.FULL
    return presence_report.section(uvloop.run(presence_report.measure(fleet, effort)))


def _write(options: argparse.Namespace, bench: Bench, told: list[str]) -> None:
    path = dated.path_of_today()
    if bench.scenarios:
        how = (
            f"{bench.pairs} rounds, interleaved; server on one core, load on another; "
            "ratios are ours ÷ peer of adjacent runs, then the median"
        )
        notes = options.notes.read_text() if options.notes else ""
        report.write(bench.results, path, how, notes)
    if told:
        dated.put(path, told)
    _say(f"\nwritten to {path.relative_to(dated.RESULTS.parent.parent)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--pairs", type=int, help="rounds (default 5; 2 with --quick)")
    parser.add_argument("--peers", default="", help=f"comma-separated, of: {', '.join(NAMES)}")
    parser.add_argument("--ours", default=OURS, choices=NAMES, help="the server in our place")
    parser.add_argument("--quick", action="store_true", help="shorter windows, fewer connections")
    parser.add_argument("--write", action="store_true", help="write bench/results/<date>.md")
    parser.add_argument("--notes", type=Path, help="Markdown to put under the results")
    return parser.parse_args()


def _end(*_: object) -> NoReturn:
    raise SystemExit("ended from outside")  # so that the servers are ended, too


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= FILES_NEEDED:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES_NEEDED, hard), hard))


def _cores() -> tuple[int | None, int | None]:
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2 or shutil.which("taskset") is None:
        _say("one core or no taskset: server and load are not kept apart")
        return None, None
    return usable[0], usable[1]


def _install_peers() -> None:
    if (PEERS / "node_modules").is_dir():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("the peers need Node and npm")
    subprocess.run([npm, "ci", "--no-fund", "--no-audit"], cwd=PEERS, check=True)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
