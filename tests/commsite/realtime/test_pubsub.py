"""The one door for announcements: from the loop, from a thread, on commit, with nobody there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from commsite.realtime import hub as hub_module
from commsite.realtime import pubsub
from commsite.realtime.announcement import Announcement
from commsite.realtime.envelope import Binary
from commsite.realtime.threads import in_thread
from tests.support.socket_client import SocketClient, settle

if TYPE_CHECKING:
    from commsite.realtime.hub import Hub


async def listener(hub: Hub, topic: str = "room:1") -> SocketClient:
    client = SocketClient.connect(hub)
    await client.join(topic)
    return client


async def test_an_announcement_reaches_all_who_joined(site_hub: Hub) -> None:
    client = await listener(site_hub)
    pubsub.announce("room:1", "told", {"n": 1})
    assert await client.assert_push("room:1", "told") == {"n": 1}


async def test_an_announcement_of_bytes_is_a_binary_frame(site_hub: Hub) -> None:
    client = await listener(site_hub)
    pubsub.announce("room:1", "told", Binary(b"\x07"))
    await settle()
    assert client.transport.messages[-1] == (b"\x02\x06\x04room:1told\x07", True)


async def test_one_may_announce_from_a_thread(site_hub: Hub) -> None:
    client = await listener(site_hub)
    await in_thread(pubsub.announce, "room:1", "told", {"n": 1})
    assert await client.assert_push("room:1", "told") == {"n": 1}


def test_with_nobody_there_an_announcement_is_nothing() -> None:
    pubsub.announce("room:1", "told", {"n": 1})
    pubsub.control("test", {})


def test_an_undeclared_event_is_refused_where_it_is_announced() -> None:
    with pytest.raises(LookupError):
        pubsub.announce("room:1", "unheard of", {})


@pytest.mark.django_db(transaction=True)
async def test_on_commit_means_after_the_commit_and_never_after_a_rollback(site_hub: Hub) -> None:
    client = await listener(site_hub)
    seen_inside: list[int] = []

    def commit() -> None:
        with transaction.atomic():
            pubsub.announce_on_commit("room:1", "told", {"n": 1})
            seen_inside.append(len(client.of("room:1")))

    def roll_back() -> None:
        with transaction.atomic():
            pubsub.announce_on_commit("room:1", "told", {"n": 0})
            pubsub.control_on_commit("test", {})
            transaction.set_rollback(True)

    await in_thread(roll_back)
    await in_thread(commit)
    assert await client.assert_push("room:1", "told") == {"n": 1}
    assert seen_inside == [0]
    assert client.of("room:1") == [{"n": 1}]


async def test_a_control_message_reaches_its_handlers_on_the_loop(
    site_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "control_handlers", {})
    monkeypatch.setattr(pubsub, "control_handlers", hub_module.control_handlers)
    heard: list[dict[str, Any]] = []
    pubsub.on_control("test", heard.append)
    pubsub.control("test", {"n": 1})
    await in_thread(pubsub.control, "test", {"n": 2})
    await settle()
    assert heard == [{"n": 1}, {"n": 2}]


async def test_whoever_announces_hears_of_it_and_whoever_is_told_does_not(
    site_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "announced_handlers", {})
    monkeypatch.setattr(pubsub, "announced_handlers", hub_module.announced_handlers)
    heard: list[tuple[str, int | None]] = []
    pubsub.on_announced("told", lambda topic, seq: heard.append((topic, seq)))

    await in_thread(pubsub.announce, "room:1", "told", {"n": 1}, seq=7)
    pubsub.announce("room:2", "told", {"n": 2})
    site_hub.on_announcement(Announcement("room:3", "told", b"{}"))
    await settle()

    assert sorted(heard, key=str) == [("room:1", 7), ("room:2", None)]


async def test_what_is_to_be_done_at_the_end_is_waited_for_and_may_still_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "stop_handlers", [])
    monkeypatch.setattr(pubsub, "stop_handlers", hub_module.stop_handlers)
    own = hub_module.Hub()
    await own.start()
    client = await listener(own)

    async def fail() -> None:
        raise RuntimeError("disk full")

    async def say_goodbye() -> None:
        await settle()
        own.announce(Announcement("room:1", "told", b'{"last":true}'))

    pubsub.on_stop(fail)
    pubsub.on_stop(say_goodbye)
    await own.stop()

    assert client.of("room:1") == [{"last": True}]
