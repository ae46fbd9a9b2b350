"""Measuring points."""

from __future__ import annotations

from typing import Any

from commsite.realtime import telemetry


def test_counters_add_up_by_name_and_labels() -> None:
    before = telemetry.counters["test_total", (("a", "1"), ("b", "2"))]
    telemetry.count("test_total", b="2", a="1")
    telemetry.count("test_total", 2, a="1", b="2")
    assert telemetry.counters["test_total", (("a", "1"), ("b", "2"))] == before + 3


def test_a_subscriber_that_fails_hurts_no_other() -> None:
    heard: list[Any] = []

    def fail(**facts: Any) -> None:
        raise RuntimeError("subscriber")

    telemetry.subscribe("point", fail)
    telemetry.subscribe("point", lambda **facts: heard.append(facts))
    telemetry.emit("point", n=1)
    telemetry.emit("nobody listens")
    assert heard == [{"n": 1}]
