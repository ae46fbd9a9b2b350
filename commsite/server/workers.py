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


class Workers:
    """The parent of the worker processes; it serves nothing itself."""

    def __init__(self, command: list[str], number: int, environment: dict[str, str]) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._number = number
        self._running: list[subprocess.Popen[bytes]] = []
        self._is_ending = False

    def run(self) -> int:
        """Runs until a signal; returns the exit status."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._end)
        self._running = [self._start() for _ in range(self._number)]
        while self._running:
            time.sleep(POLL_S)
            for worker in list(self._running):
                if worker.poll() is not None:
                    self._buried(worker)
        return 0

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, *self._command], env=self._environment)  # noqa: S603  our own command

    def _buried(self, worker: "subprocess.Popen[bytes]") -> None:
        self._running.remove(worker)
        mark_dead(worker.pid)
        if not self._is_ending:
            logger.error("worker %s ended with %s; starting another", worker.pid, worker.returncode)
            time.sleep(RESTART_PAUSE_S)
        if (
            not self._is_ending
        ):  # a signal may have come during the pause: nobody would tell the new one
            self._running.append(self._start())

    def _end(self, sig: int, frame: FrameType | None) -> None:
        self._is_ending = True
        for worker in self._running:
            worker.send_signal(sig)


def mark_dead(pid: int) -> None:
    """Takes a dead worker's gauges out of the sums."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415  reads the environment when imported

        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
