"""A hub of its own for each test, with the test channels served and limits that can be set."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from django.conf import settings as site_settings

from commsite.realtime import admission, deadlines, registry, telemetry
from commsite.realtime import backplane as backplane_module
from commsite.realtime import hub as hub_module
from commsite.realtime import layer_mailbox as mailbox_module
from commsite.realtime.hub import Hub
from commsite.realtime.limits import limits
from commsite.realtime.longpoll import LongPoll
from tests.commsite.realtime import rooms
from tests.commsite.realtime.polls import MOUNT
from tests.support.memory_layer import MemoryLayer
from tests.support.socket_client import SocketClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Connect = Callable[..., SocketClient]


class Clock:
    """Time that moves when told: wall clock and steady clock in one."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that deadlines and admission read."""
    fake = Clock()
    module = SimpleNamespace(time=fake.time, monotonic=fake.monotonic)
    for where in (admission, deadlines, hub_module):
        monkeypatch.setattr(where, "time", module)
    return fake


@pytest.fixture
def set_limits(settings: Any) -> Iterator[Callable[..., None]]:
    """`set_limits(frame_bytes=100)`: changes limits for this test."""

    def change(**changes: Any) -> None:
        named = {key.upper(): value for key, value in changes.items()}
        settings.REALTIME = {**site_settings.REALTIME, **named}
        limits.cache_clear()

    yield change
    limits.cache_clear()


@pytest.fixture(autouse=True)
def fresh_limits() -> Iterator[None]:
    """What another test's settings were is forgotten."""
    limits.cache_clear()
    yield
    limits.cache_clear()


@pytest.fixture(autouse=True)
def test_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serves the test channels and declares their events."""
    for kind, channel in rooms.ROUTES.items():
        monkeypatch.setitem(registry._routes, kind, channel)
    for event, delivery in rooms.EVENTS.items():
        monkeypatch.setitem(registry._deliveries, event, delivery)
    monkeypatch.setitem(registry._histories, "log", rooms.read_log)
    # No app listens: this is the core alone.
    monkeypatch.setattr(telemetry, "_handlers", defaultdict(list))
    rooms.reset()


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[Hub]:
    """A started hub of this test's own loop."""
    own = Hub()
    await own.start()
    yield own
    for socket in own.sockets():
        own.remove(socket, 1006)
    await own.stop()


@pytest_asyncio.fixture
async def site_hub() -> AsyncIterator[Hub]:
    """The process's own hub, which consumers and long-poll use, started on this test's loop."""
    own = hub_module.hub
    await own.start()
    yield own
    for socket in own.sockets():
        own.remove(socket, 1006)
    await own.stop()


@pytest.fixture
def app(site_hub: Hub, set_limits: Callable[..., None]) -> LongPoll:
    """The long-poll address, with a short window."""
    set_limits(longpoll_window_s=0.02)
    return LongPoll(MOUNT)


@pytest.fixture
def connect(hub: Hub) -> Connect:
    """`connect(user_id=2)`: a client of this test's hub."""
    return lambda *args, **options: SocketClient.connect(hub, *args, **options)


def tick(hub: Hub, times: int = 1) -> None:
    """Moves the hub's wheel on by hand."""
    for _ in range(times):
        for action in hub.wheel.advance():
            action()


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> MemoryLayer:
    """What several hubs of a test share; beacons come when they are called."""
    shared = MemoryLayer()
    monkeypatch.setattr(mailbox_module, "get_channel_layer", lambda: shared)
    monkeypatch.setattr(mailbox_module, "fresh_layer", shared.renewed)
    monkeypatch.setattr(backplane_module, "RETRY_S", 0.001)
    monkeypatch.setattr(backplane_module, "PROBE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(backplane_module, "BEACON_S", 3600.0)
    return shared


@pytest_asyncio.fixture
async def hubs(layer: MemoryLayer) -> AsyncIterator[list[Hub]]:
    """Two processes of one site."""
    started = [Hub(), Hub()]
    for each in started:
        await each.start()
    yield started
    layer.is_down = layer.is_hanging = False
    for each in started:
        for socket in each.sockets():
            each.remove(socket, 1006)
        await each.stop()
