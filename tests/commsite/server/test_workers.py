"""The parent of the workers: it replaces who dies and ends with all of them."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from commsite.server.workers import Workers

if TYPE_CHECKING:
    import pytest


class Process:
    """A worker that runs until it is told otherwise."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.signals: list[int] = []

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, sig: int) -> None:
        self.signals.append(sig)
        self.returncode = -sig


class Rig:
    """Workers whose processes and time are made up; `plan` runs one step per pause."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.started: list[Process] = []
        self.names: list[str | None] = []
        self.handlers: dict[int, Any] = {}
        self.plan: list[Any] = []
        self.pauses = 0
        monkeypatch.setattr(subprocess, "Popen", self.start)
        monkeypatch.setattr(signal, "signal", self.handlers.__setitem__)
        monkeypatch.setattr(time, "sleep", self.pause)
        self.workers = Workers(["manage.py", "serve"], number, {"WORKER": "1"})

    def start(self, command: list[str], env: dict[str, str]) -> Process:
        assert env["WORKER"] == "1"
        self.names.append(env.get("COMMSITE_NODE"))
        self.started.append(Process(len(self.started) + 1))
        return self.started[-1]

    def pause(self, seconds: float) -> None:
        self.pauses += 1
        assert self.pauses < 50, "never ended"
        if self.plan:
            self.plan.pop(0)()

    def terminate(self) -> None:
        self.handlers[signal.SIGTERM](signal.SIGTERM, None)

    def kill_first(self) -> None:
        self.started[0].returncode = -9


def test_a_signal_ends_all_workers_and_then_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, 3)
    rig.plan = [rig.terminate]
    assert rig.workers.run() == 0
    assert [process.signals for process in rig.started] == [[signal.SIGTERM]] * 3


def test_a_worker_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, 2)
    rig.plan = [rig.kill_first, lambda: None, rig.terminate]
    rig.workers.run()
    assert len(rig.started) == 3
    assert rig.started[0].signals == []


def test_workers_share_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one name would take each other's words for their own echo; who replaces one has its name."""
    monkeypatch.setenv("COMMSITE_NODE", "web")
    rig = Rig(monkeypatch, 2)
    rig.plan = [rig.kill_first, lambda: None, rig.terminate]
    rig.workers.run()
    assert rig.names == ["web.1", "web.2", "web.1"]


def test_workers_name_themselves_where_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMMSITE_NODE", raising=False)
    rig = Rig(monkeypatch, 2)
    rig.plan = [rig.terminate]
    rig.workers.run()
    assert rig.names == [None, None]


def test_a_signal_during_the_pause_before_a_replacement_starts_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch, 1)
    rig.plan = [rig.kill_first, rig.terminate]
    rig.workers.run()
    assert len(rig.started) == 1
