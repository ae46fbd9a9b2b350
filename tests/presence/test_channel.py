"""The topic `presence:lobby` through the real socket: seen by others, with what, until when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from commsite.realtime.errors import CloseCode, PushError
from commsite.realtime.hub import hub
from presence import queries
from presence.people import ASK_AGAIN_S
from presence.tracking import tracking
from tests.presence.lobby import LOBBY, enter, pass_time, state_of, the_diff
from tests.presence.phoenix_presence import PhoenixPresence, refs
from tests.support.deadline import eventually
from tests.support.phoenix_client import ErrorReply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from tests.presence.lobby import Connect
    from tests.support.phoenix_client import PhoenixClient

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_grace(settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_GRACE_S": 0.15}


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


async def test_a_device_that_is_sent_away_goes_at_once(
    connect: Connect, ada: User, grace: User
) -> None:
    here, there = await connect(ada), await connect(grace)
    await enter(here)
    await enter(there)

    hub.disconnect(user_id=grace.pk, code=CloseCode.UNAUTHENTICATED, reason="logged out")

    await the_diff(here, "leaves", grace)


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


async def test_while_the_database_is_away_nobody_is_shown_who_may_not_want_to_be(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, ada: User, grace: User
) -> None:
    here = await connect(grace)
    await enter(here)

    def fail(user_ids: list[int]) -> None:
        raise PushError("overloaded")

    with monkeypatch.context() as outage:
        outage.setattr(queries, "manners_of", fail)
        own = await enter(await connect(ada))
        assert own[str(ada.pk)]["metas"][0]["status"] is None
        assert set(state_of(LOBBY)) == {str(grace.pk)}

    pass_time(ASK_AGAIN_S)
    assert (await the_diff(here, "joins", ada))["username"] == "ada"


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

    monkeypatch.setattr("presence.people.time.time", lambda: expires_at + 1)
    tracking.end_statuses()

    assert state_of(LOBBY)[str(ada.pk)]["metas"][0]["status"] is None


async def test_an_empty_status_line_is_none(connect: Connect, ada: User) -> None:
    here = await connect(ada)
    await enter(here)
    await here.call(LOBBY, "set_status", {"text": "Here"})

    assert await here.call(LOBBY, "set_status", {}) == {"status": None}
    assert state_of(LOBBY)[str(ada.pk)]["metas"][0]["status"] is None


@pytest.mark.parametrize("name", ["text", "emoji"])
@pytest.mark.parametrize("text", ["a\x00b", "\x00"])
async def test_a_status_that_no_database_can_hold_is_refused(
    connect: Connect, ada: User, name: str, text: str
) -> None:
    here = await connect(ada)
    await enter(here)

    with pytest.raises(ErrorReply) as refused:
        await here.call(LOBBY, "set_status", {name: text})

    assert refused.value.reason == "invalid_payload"


async def test_a_status_that_is_too_large_to_be_told_is_refused_and_hides_nobody(
    connect: Connect, settings: Settings, ada: User, grace: User
) -> None:
    here = await connect(ada)
    await enter(here)
    await here.call(LOBBY, "set_status", {"text": "x" * 100})
    most = len(json.dumps(state_of(LOBBY)[str(ada.pk)]["metas"][0])) - 80
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_META_BYTES": most}

    with pytest.raises(ErrorReply) as refused:
        await here.call(LOBBY, "set_status", {"text": "y" * 100})

    assert refused.value.reason == "too_large"
    there = await connect(ada)  # what was stored before the limit was lowered
    assert (await enter(there))[str(ada.pk)]["metas"][-1]["status"] is None


async def test_there_is_no_other_scope(connect: Connect, ada: User) -> None:
    here = await connect(ada)

    with pytest.raises(ErrorReply) as refused:
        await here.join("presence:cellar")

    assert refused.value.reason == "not_found"
