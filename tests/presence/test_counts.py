"""Topics with too many people to name: numbers for all, and oneself for oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from presence.tracking import tracking
from tests.presence.lobby import LOBBY, enter, state_of
from tests.presence.phoenix_presence import PhoenixPresence, refs
from tests.support.deadline import eventually

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from tests.presence.lobby import Connect

pytestmark = pytest.mark.django_db(transaction=True)


async def test_above_the_threshold_only_the_number_is_told(
    connect: Connect, settings: Settings, ada: User, grace: User
) -> None:
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_COUNTS_ABOVE": 2}
    here = await connect(ada)
    view = PhoenixPresence().take([])
    view.on("presence_state", await enter(here))
    for number in range(2):
        tracking.track(LOBBY, f"guest{number}", "x", {})

    async def is_counted() -> bool:
        view.take(here.messages)
        here.messages.clear()
        return view.count == 3

    await eventually(is_counted, "the number")
    assert set(view.state or {}) == {str(ada.pk)}
    newcomer = await connect(grace)
    assert await enter(newcomer) == {}
    assert (await newcomer.next("presence_counts")).payload["count"] == 4
    assert set((await newcomer.next("presence_diff")).payload["joins"]) == {str(grace.pk)}
    for number in range(2):
        tracking.untrack(LOBBY, f"guest{number}", "x")
    await newcomer.leave(LOBBY)

    async def is_named() -> bool:
        view.take(here.messages)
        here.messages.clear()
        return refs(view.state) == refs(state_of(LOBBY)) != {}

    await eventually(is_named, "the names again")
    assert set(view.state or {}) == {str(ada.pk)}


async def test_in_a_crowd_a_number_is_told_once(
    connect: Connect, settings: Settings, ada: User, grace: User
) -> None:
    """Most changes are of somebody's activity: thousands need not hear the same number again."""
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_COUNTS_ABOVE": 1}
    here, other = await connect(ada), await connect(grace)
    await enter(here)
    await enter(other)
    while (await here.next("presence_counts")).payload["count"] != 2:
        pass
    for activity in ("idle", "away", "active"):
        await other.call(LOBBY, "set_activity", {"activity": activity})
        await other.next("presence_diff")  # of oneself: by then all have been told

    tracking.track(LOBBY, "guest", "x", {})
    counts = [(await here.next("presence_counts")).payload["count"]]
    counts += [message.payload["count"] for message in here.waiting("presence_counts")]

    assert counts == [3]


async def test_a_newcomer_who_was_ahead_with_the_number_hears_that_it_went_back(
    connect: Connect, settings: Settings, ada: User, grace: User
) -> None:
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_COUNTS_ABOVE": 1}
    here = await connect(ada)
    await enter(here)
    tracking.track(LOBBY, "guest", "x", {})
    while (await here.next("presence_counts")).payload["count"] != 2:
        pass
    told: list[int] = []

    tracking.track(LOBBY, "another", "x", {})
    snapshot = dict(tracking.telling.snapshot(LOBBY, str(grace.pk)))
    assert snapshot["presence_state"] == b"{}"
    tracking.untrack(LOBBY, "another", "x")
    told.append((await here.next("presence_counts")).payload["count"])

    assert snapshot["presence_counts"] == b'{"count":3}'
    assert told == [2]


async def test_in_a_crowd_people_see_their_own_devices_and_what_they_say_of_themselves(
    connect: Connect, settings: Settings, ada: User, grace: User
) -> None:
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_COUNTS_ABOVE": 1}
    here, other = await connect(ada), await connect(grace)
    view = PhoenixPresence()
    view.on("presence_state", await enter(here))
    await enter(other)
    phone = await connect(ada)
    await enter(phone)
    await here.call(LOBBY, "set_activity", {"activity": "away"})
    await here.call(LOBBY, "set_status", {"text": "At sea"})

    async def is_whole() -> bool:
        view.take(here.messages)
        here.messages.clear()
        metas = (view.state or {}).get(str(ada.pk), {"metas": []})["metas"]
        return sorted(meta["activity"] for meta in metas) == ["active", "away"] and all(
            meta["status"] and meta["status"]["text"] == "At sea" for meta in metas
        )

    await eventually(is_whole, "all of ada")
    assert set(view.state or {}) == {str(ada.pk)}
    assert view.count == 2
    assert view.left == [str(ada.pk)]  # once, when the names went; she was told of herself at once
    await phone.leave(LOBBY)

    async def is_alone() -> bool:
        view.take(here.messages)
        here.messages.clear()
        return len((view.state or {})[str(ada.pk)]["metas"]) == 1

    await eventually(is_alone, "the phone's end")
