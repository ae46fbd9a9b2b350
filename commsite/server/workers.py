"""Several server processes on one port: started, watched, replaced when one dies, ended together."""

import logging
import os
import signal
import subprocess
import sys
import time
from types import FrameType

logger = logging.getLogger(__name__)

RESTART_PAUSE_S = 1.0
POLL_S = 0.2
NAME = "COMMSITE_NODE"


class Workers:
    """The parent of the worker processes; it serves nothing itself."""

    def __init__(self, command: list[str], number: int, environment: dict[str, str]) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._number = number
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._is_ending = False

    def run(self) -> int:
        """Runs until a signal; returns the exit status."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._end)
        for place in range(1, self._number + 1):
            self._start(place)
        while self._running:
            time.sleep(POLL_S)
            for place, worker in list(self._running.items()):
                if worker.poll() is not None:
                    self._buried(place, worker)
        return 0

    def _start(self, place: int) -> None:
        """A process that is given a name shares it with nobody: each worker adds its place to it."""
        name = self._environment.get(NAME)
        environment = {**self._environment, NAME: f"{name}.{place}"} if name else self._environment
        command = [sys.executable, *self._command]
        self._running[place] = subprocess.Popen(command, env=environment)  # noqa: S603  our own

    def _buried(self, place: int, worker: "subprocess.Popen[bytes]") -> None:
        del self._running[place]
        mark_dead(worker.pid)
        if not self._is_ending:
            logger.error("worker %s ended with %s; starting another", worker.pid, worker.returncode)
            time.sleep(RESTART_PAUSE_S)
        if (
            not self._is_ending
        ):  # a signal may have come during the pause: nobody would tell the new one
            self._start(place)

    def _end(self, sig: int, frame: FrameType | None) -> None:
        self._is_ending = True
        for worker in self._running.values():
            worker.send_signal(sig)


def mark_dead(pid: int) -> None:
    """Takes a dead worker's gauges out of the sums."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415  reads the environment when imported

        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
