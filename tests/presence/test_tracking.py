"""The door to presence, where no socket is needed to see what it does."""

from __future__ import annotations

import asyncio

import pytest

from commsite.realtime.hub import hub
from presence.tracker.gossip import Heartbeat, encode
from presence.tracker.replica import Replica
from presence.tracker.state import NotTracked, State
from presence.tracking import Tracking, tracking


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


@pytest.mark.usefixtures("connect")
async def test_an_entry_of_the_same_name_in_another_process_is_another_entry() -> None:
    """Server code in every process may call itself the same: what one changes is its own."""
    await hub.start()
    far = State(Replica("far", 1))
    far.track("room", "bot", "bot", b'{"says":"hello","from":"far"}')
    beat = Heartbeat(far.replica, 1, {far.replica: 1}, far.flush())
    tracking.shard.receive("far", encode(beat))
    assert [entry.id for entry in tracking.list("room")] == ["bot"]

    with pytest.raises(NotTracked):
        tracking.update("room", "bot", "bot", {"says": "hello"})
    tracking.track("room", "bot", "bot", {"says": "hi"})
    tracking.update("room", "bot", "bot", {"says": "hello"})

    metas = {entry.meta for entry in tracking.list("room")}
    assert metas == {b'{"says":"hello","from":"far"}', b'{"says":"hello"}'}
