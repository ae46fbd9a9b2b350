"""Active, idle, away: by the client's word and by silence, on all topics of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.consumer import SocketConsumer
from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from conversation import actions
from conversation.schema import CreateConversation
from presence.attention import silence_after
from presence.tracking import tracking
from tests.presence.lobby import LOBBY, enter, pass_time, state_of, the_diff
from tests.presence.phoenix_presence import refs
from tests.support.phoenix_client import ErrorReply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from tests.presence.lobby import Connect
    from tests.support.phoenix_client import PhoenixClient

pytestmark = pytest.mark.django_db(transaction=True)
IDLE_S, AWAY_S = 20.0, 45.0
"""Less than the minute without a heartbeat that ends a socket."""


@pytest.fixture(autouse=True)
def short_silences(settings: Settings) -> None:
    settings.REALTIME = {
        **settings.REALTIME,
        "PRESENCE_IDLE_S": IDLE_S,
        "PRESENCE_AWAY_S": AWAY_S,
    }


def activity_of(user: User, topic: str = LOBBY) -> list[str]:
    metas = state_of(topic)[str(user.pk)]["metas"]
    return [meta["activity"] for meta in metas]


async def room_of(user: User) -> str:
    made = await in_thread(
        actions.create_conversation, user.pk, CreateConversation(title="Room", members=[])
    )
    return f"conversation:{made['id']}"


async def enter_both(connect: Connect, user: User) -> tuple[PhoenixClient, str]:
    client, room = await connect(user, SocketConsumer.as_asgi()), await room_of(user)
    await enter(client)
    await enter(client, room)
    return client, room


async def test_what_the_client_says_counts_on_all_topics_of_its_socket(
    connect: Connect, ada: User
) -> None:
    client, room = await enter_both(connect, ada)

    await client.call(room, "set_activity", {"activity": "away"})

    assert activity_of(ada) == activity_of(ada, room) == ["away"]


async def test_and_on_those_that_it_joins_later_but_not_on_another_socket(
    connect: Connect, ada: User
) -> None:
    client = await connect(ada, SocketConsumer.as_asgi())
    await enter(client)
    await client.call(LOBBY, "set_activity", {"activity": "idle"})
    room = await room_of(ada)

    await enter(client, room)
    await enter(await connect(ada))

    assert activity_of(ada, room) == ["idle"]
    assert sorted(activity_of(ada)) == ["active", "idle"]


async def test_silence_makes_idle_then_away_and_a_push_makes_active_again(
    connect: Connect, ada: User
) -> None:
    client, room = await enter_both(connect, ada)

    pass_time(IDLE_S - 1)
    assert activity_of(ada) == ["active"]
    await client.heartbeat()  # a sign of life, and not of attention
    pass_time(1)
    assert activity_of(ada) == activity_of(ada, room) == ["idle"]
    pass_time(AWAY_S - IDLE_S)
    assert activity_of(ada) == activity_of(ada, room) == ["away"]

    await client.call(room, "fetch_history", {"after_seq": 0})
    await client.heartbeat()
    assert activity_of(ada) == activity_of(ada, room) == ["active"]

    pass_time(IDLE_S)
    assert activity_of(ada) == ["idle"]


async def test_whoever_does_something_now_and_then_stays_active(
    connect: Connect, ada: User
) -> None:
    client, room = await enter_both(connect, ada)

    for _ in range(5):
        pass_time(IDLE_S - 1)
        await client.call(room, "fetch_history", {"after_seq": 0})

    assert activity_of(ada) == ["active"]


async def test_a_push_does_not_take_back_what_the_client_said(connect: Connect, ada: User) -> None:
    client, room = await enter_both(connect, ada)
    await client.call(LOBBY, "set_activity", {"activity": "idle"})
    pass_time(AWAY_S)
    assert activity_of(ada) == ["away"]

    await client.call(room, "fetch_history", {"after_seq": 0})
    await client.heartbeat()

    assert activity_of(ada) == ["idle"]


async def test_what_clients_do_by_themselves_breaks_no_silence(connect: Connect, ada: User) -> None:
    client = await connect(ada, SocketConsumer.as_asgi())
    await enter(client)
    pass_time(IDLE_S)
    assert activity_of(ada) == ["idle"]

    await client.heartbeat()
    await enter(client, await room_of(ada))  # as after an outage
    with pytest.raises(ErrorReply):
        await client.call("client", "renew_token", {"token": "stale"})
    await client.heartbeat()

    assert activity_of(ada) == ["idle"]


async def test_silence_of_one_device_says_nothing_of_another(connect: Connect, ada: User) -> None:
    silent, busy = await connect(ada), await connect(ada)
    await enter(silent)
    await enter(busy)
    pass_time(IDLE_S - 1)
    await busy.call(LOBBY, "set_activity", {"activity": "active"})
    pass_time(1)

    assert sorted(activity_of(ada)) == ["active", "idle"]


async def test_a_connection_that_ended_is_not_kept(connect: Connect, ada: User) -> None:
    client = await connect(ada)
    await enter(client)

    await client.close()

    assert tracking.people.attention._connections == {}
    pass_time(AWAY_S)
    assert hub.wheel.tick >= AWAY_S


@given(silent_s=st.floats(0, 5_000), idle_s=st.floats(1, 600), more_s=st.floats(1, 3_000))
def test_the_next_look_is_when_silence_says_something_new(
    silent_s: float, idle_s: float, more_s: float
) -> None:
    away_s = idle_s + more_s
    said, again_s = silence_after(silent_s, idle_s, away_s)
    if said == "away":
        assert again_s == 0
        assert silent_s >= away_s
    else:
        assert again_s > 0
        later, _ = silence_after(silent_s + again_s * 1.001 + 0.001, idle_s, away_s)
        assert later != said


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
