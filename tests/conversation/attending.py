"""What people who are there hear, once a second has passed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from conversation.mark_writer import writer
from conversation.typing_notices import notices

if TYPE_CHECKING:
    from tests.support.phoenix_client import PhoenixClient


class Time:
    """The clock of everything that is told at a pace."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def read(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        """Time passes, and what is due is told."""
        self.now += seconds
        notices.on_tick()
        for pacer in (notices._rooms, notices._others, writer._pacer):
            assert pacer is not None
            pacer.turn()


async def told(client: PhoenixClient, event: str) -> list[Any]:
    """Every such event that has arrived, once what was announced before is delivered."""
    await client.heartbeat()
    taken = client.waiting(event)
    for message in taken:
        client.messages.remove(message)
    return [message.payload for message in taken]


async def a_second_later(time: Time) -> None:
    """What was noted is due, is written, and what was told of it is on its way."""
    await asyncio.sleep(0)  # what a thread has handed over
    time.move(1)
    while writer._task is not None:
        await asyncio.wait({writer._task})
    await asyncio.sleep(0)
