"""What becomes of a layer when its links are dead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from commsite.realtime import layer_mailbox as mailbox_module
from commsite.realtime.layer_mailbox import Mailbox
from tests.support.socket_client import settle


class Layer:
    """Notes in which order it is closed and its receiver ended; a membership never ends."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    async def new_channel(self) -> str:
        return "mailbox"

    async def receive(self, name: str) -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        finally:
            self.seen.append("receiver ended")
        return {}

    async def group_discard(self, group: str, name: str) -> None:
        await asyncio.Event().wait()

    async def flush(self) -> None:
        self.seen.append("closing")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    notes: list[str] = []
    monkeypatch.setattr(mailbox_module, "get_channel_layer", lambda: Layer(notes))
    monkeypatch.setattr(mailbox_module, "fresh_layer", lambda: Layer(notes))
    return notes


@pytest.mark.parametrize("is_last", [False, True])
async def test_a_receiver_ends_when_its_layer_is_closing_already(
    seen: list[str], is_last: bool
) -> None:
    """Else it unsubscribes over links that may be dead, and holds what closing them needs."""
    box = Mailbox(lambda message: None, lambda why: None)
    await box.open()
    await settle()
    if is_last:
        await box.close()
    else:
        box.renew()
        await settle()
        assert seen == ["closing", "receiver ended"]
        await box.close()
    assert seen[:2] == ["closing", "receiver ended"]


async def test_the_end_of_a_membership_holds_up_nothing_for_ever(
    seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "SEND_S", 0.01)
    box = Mailbox(lambda message: None, lambda why: None)
    await box.open()
    leaving = asyncio.ensure_future(box.leave("group"))
    await asyncio.wait({leaving}, timeout=5)
    assert leaving.done()
    assert isinstance(leaving.exception(), TimeoutError)
    await box.close()
