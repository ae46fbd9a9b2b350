"""The door to presence, where no socket is needed to see what it does."""

from __future__ import annotations

import asyncio

import pytest

from presence.tracking import Tracking


@pytest.mark.parametrize(("patience_s", "is_complete"), [(60.0, False), (-1.0, True)])
async def test_a_process_that_tells_nothing_of_itself_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch, patience_s: float, is_complete: bool
) -> None:
    """It beats, and answers nobody; the lists of everybody else must come."""
    tracking = Tracking()
    tracking._reset()
    monkeypatch.setattr(tracking, "_rows", lambda: [{"condition": "joining"}])
    tracking._complete_by = asyncio.get_running_loop().time() + patience_s

    tracking._look_round()

    assert tracking._is_complete.is_set() is is_complete
