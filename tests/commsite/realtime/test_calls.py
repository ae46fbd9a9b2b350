"""Questions to one process, where they go wrong."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from commsite.realtime.calls import Calls
from commsite.realtime.packet import Call


async def broken(mailbox: str, call: Call) -> None:
    raise ConnectionError("no link")


async def answer(payload: dict[str, Any]) -> dict[str, Any]:
    return payload


async def fail(payload: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("answer")


@pytest.mark.parametrize(("answers", "faults"), [(answer, 0), (fail, 1)])
async def test_only_an_answer_that_fails_is_a_fault_of_ours_and_not_a_broken_link(
    answers: Any, faults: int, caplog: pytest.LogCaptureFixture
) -> None:
    calls = Calls("node", broken)
    calls.answers["echo"] = answers
    await calls.answer(Call("1", "elsewhere", "echo", {}), "echo", "here")
    assert len([each for each in caplog.records if each.levelno >= logging.WARNING]) == faults
