"""Two hubs over one layer, as tests of what goes between processes use them; the fixtures are `layer` and `hubs`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from commsite.realtime import backplane as backplane_module
from tests.commsite.realtime import rooms
from tests.support.socket_client import Frame, SocketClient, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from commsite.realtime.hub import Hub


async def condition(is_met: Callable[[], bool]) -> None:
    """Waits until it is."""
    async with asyncio.timeout(5):
        while not is_met():  # noqa: ASYNC110  the condition lies in another hub's tasks
            await asyncio.sleep(0.001)


async def beacon(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends one beacon of this hub."""
    monkeypatch.setattr(backplane_module, "BEACON_S", 0.0)
    task = asyncio.ensure_future(hub.backplane._beacon_forever())
    await settle()
    task.cancel()
    monkeypatch.setattr(backplane_module, "BEACON_S", 3600.0)


def tell(client: SocketClient, topic: str, n: int) -> None:
    rooms.announce(client.socket.channels[topic], "told", b'{"n":%d}' % n)


def told(n: int) -> Callable[[Frame], bool]:
    return lambda frame: frame.payload == {"n": n}


async def two_in(hubs: list[Hub], topic: str) -> tuple[SocketClient, SocketClient]:
    first, second = (SocketClient.connect(hub, n) for n, hub in enumerate(hubs, 1))
    await first.join(topic)
    await second.join(topic)
    return first, second
