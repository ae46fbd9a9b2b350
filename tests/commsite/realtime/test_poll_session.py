"""The end of a long-poll session, what is kept for it meanwhile, and sessions of another process."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from commsite.realtime import layer_mailbox as mailbox_module
from commsite.realtime import longpoll as longpoll_module
from commsite.realtime.errors import CloseCode
from commsite.realtime.hub import Hub
from commsite.realtime.longpoll import LongPoll
from tests.commsite.realtime.conftest import tick
from tests.commsite.realtime.polls import MOUNT, Poller
from tests.support.memory_layer import MemoryLayer
from tests.support.socket_client import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest


async def test_a_breach_ends_the_session_after_its_last_word(app: LongPoll, site_hub: Hub) -> None:
    poller = await Poller.open(app)
    await poller.post(["not", "a", "frame"])
    answer = await poller.poll()
    assert answer["status"] == 200
    closing = json.loads(answer["messages"][-1])
    assert (closing[2], closing[3], closing[4]["code"]) == ("client", "closing", 4400)
    assert (await poller.poll())["status"] == 403
    assert (await poller.post([None, 1, "phoenix", "heartbeat", {}]))["status"] == 410
    assert list(site_hub.sockets()) == []


async def test_a_waiting_poll_hears_of_a_close_at_once(
    app: LongPoll, site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=60)
    poller = await Poller.open(app)
    waiting = asyncio.ensure_future(poller.poll())
    await settle()
    site_hub.disconnect(user_id=1, code=CloseCode.UNAUTHENTICATED, reason="logged out")
    answer = await asyncio.wait_for(waiting, 5)
    assert json.loads(answer["messages"][0])[4]["code"] == 4401


async def test_a_session_that_nobody_polls_ends_and_polls_keep_it(
    app: LongPoll, site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=10)
    poller = await Poller.open(app)
    await poller.post([None, 1, "phoenix", "heartbeat", {}])
    tick(site_hub, 14)
    assert (await poller.poll())["status"] == 200
    tick(site_hub, 15)
    await poller.post([None, 2, "phoenix", "heartbeat", {}])  # keeps nothing alive
    assert len(list(site_hub.sockets())) == 1
    tick(site_hub, 2 * 15)
    assert list(site_hub.sockets()) == []
    assert (await poller.poll())["status"] == 403


async def test_what_a_poller_does_not_fetch_is_bounded(
    app: LongPoll, site_hub: Hub, set_limits: Callable[..., None]
) -> None:
    set_limits(longpoll_window_s=0.02, outbox_bytes=20_000, push_burst=10_000)
    poller = await Poller.open(app)
    (socket,) = site_hub.sockets()
    await poller.post(["1", "1", "room:1", "phx_join", {}])
    for n in range(12):
        await poller.post(["1", n, "room:1", "echo", "x" * 10_000])
        assert socket.bytes_waiting < 64 * 1024 + 40_000
    answers = await poller.poll()
    assert json.loads(answers["messages"][-1])[4]["code"] == 4008


# -- several processes


@pytest_asyncio.fixture
async def second(
    monkeypatch: pytest.MonkeyPatch, set_limits: Callable[..., None]
) -> AsyncIterator[tuple[Hub, Hub, Callable[[Hub], LongPoll]]]:
    """Two hubs over one layer, and how a request gets to one of them."""
    set_limits(longpoll_window_s=0.05)
    layer = MemoryLayer()
    monkeypatch.setattr(mailbox_module, "get_channel_layer", lambda: layer)
    hubs = [Hub(), Hub()]
    for each in hubs:
        await each.start()

    def through(hub: Hub) -> LongPoll:
        for module in ("longpoll", "handshake"):
            monkeypatch.setattr(f"commsite.realtime.{module}.hub", hub)
        return LongPoll(MOUNT)

    yield hubs[0], hubs[1], through
    for each in hubs:
        for socket in each.sockets():
            each.remove(socket, 1006)
        await each.stop()


async def test_a_session_is_polled_and_pushed_to_through_any_process(second: Any) -> None:
    owner, other, through = second
    poller = await Poller.open(through(owner))
    poller.app = through(other)
    assert list(other.sockets()) == []
    assert (await poller.post([None, 1, "phoenix", "heartbeat", {}]))["status"] == 200
    # The answering side looks at the same module in this test's process: what matters is who is asked.
    answer = await poller.poll()
    assert answer["status"] == 200
    assert json.loads(answer["messages"][0])[1] == 1


async def test_a_session_of_a_process_that_is_gone_is_403(
    second: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other, through = second
    monkeypatch.setattr(longpoll_module, "CALL_MARGIN_S", 0.01)
    poller = await Poller.open(through(owner))
    await owner.stop()
    poller.app = through(other)
    assert (await poller.poll())["status"] == 403
    assert (await poller.post([None, 1, "phoenix", "heartbeat", {}]))["status"] == 408
