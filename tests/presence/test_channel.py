"""The topic `presence:lobby` through the real socket: seen by others, with what, until when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.errors import CloseCode, PushError
from commsite.realtime.hub import hub
from presence import queries
from presence.tracker.rendering import presences
from presence.tracking import tracking
from tests.presence.phoenix_presence import PhoenixPresence, refs
from tests.support.deadline import eventually
from tests.support.phoenix_client import ErrorReply, PhoenixClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    Connect = Callable[..., Awaitable[PhoenixClient]]

LOBBY = "presence:lobby"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_grace(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_GRACE_S": 0.15}


async def enter(client: PhoenixClient) -> dict[str, Any]:
    """Joins the lobby; returns the presence_state that follows."""
    await client.join(LOBBY)
    state: dict[str, Any] = (await client.next("presence_state")).payload
    return state


async def the_diff(client: PhoenixClient, side: str, user: User) -> dict[str, Any]:
    """The next diff in which this person joins or leaves: their meta."""
    while True:
        diff = (await client.next("presence_diff")).payload
        if str(user.pk) in diff[side]:
            meta: dict[str, Any] = diff[side][str(user.pk)]["metas"][0]
            return meta


async def test_a_late_joiner_sees_everyone_already_there(
    connect: Connect, ada: User, grace: User
) -> None:
    await enter(await connect(ada))

    state = await enter(await connect(grace))

    assert set(state) == {str(ada.pk), str(grace.pk)}
    (meta,) = state[str(ada.pk)]["metas"]
    assert meta["username"] == "ada"
    assert meta["activity"] == "active"
    assert meta["status"] is None
    assert len(meta["phx_ref"]) == 16


async def test_who_is_there_hears_of_who_comes(connect: Connect, ada: User, grace: User) -> None:
    here = await connect(ada)
    await enter(here)

    state = await enter(await connect(grace))

    joined = await the_diff(here, "joins", grace)
    assert joined == state[str(grace.pk)]["metas"][0]


async def test_an_explicit_leave_is_told_at_once(connect: Connect, ada: User, grace: User) -> None:
    here, there = await connect(ada), await connect(grace)
    await enter(here)
    await enter(there)

    await there.leave(LOBBY)

    assert (await the_diff(here, "leaves", grace))["username"] == "grace"
    assert set(await tracked(here)) == {str(ada.pk)}


async def tracked(client: PhoenixClient) -> list[str]:
    await client.heartbeat()
    return [entry.key for entry in tracking.list(LOBBY)]


async def test_a_dropped_socket_keeps_its_place_for_the_time_of_grace(
    connect: Connect, short_grace: None, ada: User, grace: User
) -> None:
    here, there = await connect(ada), await connect(grace)
    await enter(here)
    await enter(there)

    await there.close()
    still = await tracked(here)

    assert set(still) == {str(ada.pk), str(grace.pk)}
    await the_diff(here, "leaves", grace)
    assert set(await tracked(here)) == {str(ada.pk)}


async def test_a_rejoin_of_the_same_channel_is_no_leave(
    connect: Connect, ada: User, grace: User
) -> None:
    here, there = await connect(ada), await connect(grace)
    view = PhoenixPresence()
    view.on("presence_state", await enter(here))
    await enter(there)
    await enter(there)  # a duplicate join: the old channel goes, the new one takes its place

    async def is_replaced() -> bool:
        view.take(m for m in here.waiting("presence_diff"))
        here.messages.clear()
        return refs(view.state) == refs(state_of(LOBBY)) and len(tracking.list(LOBBY)) == 2

    await eventually(is_replaced, "the new entry")
    assert view.left == []


def state_of(topic: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(presences(tracking.list(topic)))
    return state


async def test_a_device_that_is_sent_away_goes_at_once(
    connect: Connect, ada: User, grace: User
) -> None:
    here, there = await connect(ada), await connect(grace)
    await enter(here)
    await enter(there)

    hub.disconnect(user_id=grace.pk, code=CloseCode.UNAUTHENTICATED, reason="logged out")

    await the_diff(here, "leaves", grace)


async def test_activity_is_an_update_that_names_the_ref_it_replaces(
    connect: Connect, ada: User, grace: User
) -> None:
    here, there = await connect(ada), await connect(grace)
    await enter(here)
    old = (await enter(there))[str(grace.pk)]["metas"][0]
    await the_diff(here, "joins", grace)

    await there.call(LOBBY, "set_activity", {"activity": "away"})

    diff = (await here.next("presence_diff")).payload
    (joined,), (left,) = (diff[side][str(grace.pk)]["metas"] for side in ("joins", "leaves"))
    assert joined["activity"] == "away"
    assert joined["phx_ref_prev"] == old["phx_ref"] == left["phx_ref"]


async def test_the_same_activity_again_is_not_told(connect: Connect, ada: User) -> None:
    here = await connect(ada)
    before = refs(await enter(here))

    await here.call(LOBBY, "set_activity", {"activity": "active"})

    assert refs(state_of(LOBBY)) == before


async def test_a_person_whom_an_admin_took_away_loses_nothing_else(
    connect: Connect, ada: User
) -> None:
    here = await connect(ada)
    await enter(here)
    (entry,) = tracking.list(LOBBY)

    tracking.on_untrack({"topic": LOBBY, "key": entry.key, "id": entry.id})
    await here.call(LOBBY, "set_activity", {"activity": "away"})

    assert tracking.list(LOBBY) == []
    assert here.waiting("phx_error") == []
    assert set(await enter(here)) == {str(ada.pk)}


async def test_without_a_database_people_are_seen_without_a_status_line(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, ada: User
) -> None:
    def fail(user_id: int) -> None:
        raise PushError("overloaded")

    monkeypatch.setattr(queries, "status_of", fail)

    state = await enter(await connect(ada))

    assert state[str(ada.pk)]["metas"][0]["status"] is None


async def test_activity_has_a_rate(connect: Connect, ada: User) -> None:
    here = await connect(ada)
    await enter(here)

    async def waver() -> None:
        for number in range(20):
            activity = "idle" if number % 2 else "away"
            await here.call(LOBBY, "set_activity", {"activity": activity})

    with pytest.raises(ErrorReply) as refused:
        await waver()

    assert refused.value.reason == "rate_limited"


async def test_a_status_line_shows_on_every_device_and_to_newcomers(
    connect: Connect, ada: User, grace: User
) -> None:
    phone, laptop = await connect(ada), await connect(ada)
    await enter(phone)
    await enter(laptop)

    reply = await phone.call(
        LOBBY, "set_status", {"text": "At lunch", "emoji": "🥪", "expires_in_s": 60}
    )

    status = reply["status"]
    assert (status["text"], status["emoji"]) == ("At lunch", "🥪")
    state = await enter(await connect(grace))
    assert [meta["status"] for meta in state[str(ada.pk)]["metas"]] == [status, status]
    await phone.leave(LOBBY)
    await laptop.leave(LOBBY)
    again = await enter(await connect(ada))
    assert again[str(ada.pk)]["metas"][0]["status"] == status


async def test_a_status_line_ends_with_its_time(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, ada: User
) -> None:
    here = await connect(ada)
    await enter(here)
    await here.call(LOBBY, "set_status", {"text": "Back soon", "expires_in_s": 60})
    expires_at = state_of(LOBBY)[str(ada.pk)]["metas"][0]["status"]["expires_at"]

    monkeypatch.setattr("presence.tracking.time.time", lambda: expires_at + 1)
    tracking.end_statuses()

    assert state_of(LOBBY)[str(ada.pk)]["metas"][0]["status"] is None


async def test_an_empty_status_line_is_none(connect: Connect, ada: User) -> None:
    here = await connect(ada)
    await enter(here)
    await here.call(LOBBY, "set_status", {"text": "Here"})

    assert await here.call(LOBBY, "set_status", {}) == {"status": None}
    assert state_of(LOBBY)[str(ada.pk)]["metas"][0]["status"] is None


@pytest.mark.parametrize(
    "payload", [{"activity": "asleep"}, {}, {"activity": None}], ids=["unknown", "none", "null"]
)
async def test_an_activity_is_one_of_three(
    connect: Connect, ada: User, payload: dict[str, Any]
) -> None:
    here = await connect(ada)
    await enter(here)

    with pytest.raises(ErrorReply) as refused:
        await here.call(LOBBY, "set_activity", payload)

    assert refused.value.reason == "invalid_payload"


async def test_there_is_no_other_scope(connect: Connect, ada: User) -> None:
    here = await connect(ada)

    with pytest.raises(ErrorReply) as refused:
        await here.join("presence:cellar")

    assert refused.value.reason == "not_found"


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
    assert view.state == {}
    newcomer = await connect(grace)
    assert await enter(newcomer) == {}
    assert (await newcomer.next("presence_counts")).payload["count"] == 4
    for number in range(2):
        tracking.untrack(LOBBY, f"guest{number}", "x")
    await newcomer.leave(LOBBY)

    async def is_named() -> bool:
        view.take(here.messages)
        here.messages.clear()
        return refs(view.state) == refs(state_of(LOBBY)) != {}

    await eventually(is_named, "the names again")
    assert set(view.state or {}) == {str(ada.pk)}
