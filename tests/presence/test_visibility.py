"""Whoever appears offline is nowhere to be seen on the site, but to themselves; in their rooms they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from commsite.clients.actions import set_preferences
from commsite.realtime.consumer import SocketConsumer
from commsite.realtime.errors import PushError
from commsite.realtime.threads import in_thread
from conversation import actions
from conversation.schema import CreateConversation
from presence import queries
from presence.models import LastSeen
from presence.naming import hidden
from presence.tracking import tracking
from tests.presence.lobby import LOBBY, enter, state_of, the_diff
from tests.presence.phoenix_presence import PhoenixPresence
from tests.support.deadline import eventually
from tests.support.phoenix_client import ErrorReply
from tests.support.rest import rest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from tests.presence.lobby import Connect
    from tests.support.phoenix_client import PhoenixClient

pytestmark = pytest.mark.django_db(transaction=True)


async def choose(user: User, **preferences: str) -> None:
    await in_thread(lambda: set_preferences(user.pk, preferences, is_whole=False))


def read(user: User, topic: str, **query: str) -> Any:
    answer = rest(user).get(f"/api/v1/presence/{topic}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


async def everything_told(client: PhoenixClient) -> str:
    """All that this client ever heard, but for its replies."""
    await client.heartbeat()
    return json.dumps([message.payload for message in client.messages])


async def test_whoever_appears_offline_leaks_nowhere(
    connect: Connect, ada: User, grace: User
) -> None:
    await choose(ada, visibility="nobody")
    watcher = await connect(grace)
    state = await enter(watcher)
    assert set(state) == {str(grace.pk)}

    client = await connect(ada)
    own = await enter(client)
    await client.call(LOBBY, "set_status", {"text": "Nobody shall know"})
    await client.call(LOBBY, "set_activity", {"activity": "away"})
    late = await enter(await connect(grace))
    await client.close()
    told = await everything_told(watcher)

    assert set(own) == {str(grace.pk), str(ada.pk)}
    assert set(late) == {str(grace.pk)}
    assert f'"{ada.pk}"' not in told
    assert "Nobody shall know" not in told
    seen = await in_thread(lambda: read(grace, LOBBY, users=f"{ada.pk},{grace.pk}"))
    assert (seen["count"], list(seen["presences"]), seen["last_seen"]) == (
        1,
        [str(grace.pk)],
        {},
    )


async def test_they_see_themselves_and_what_they_change_on_every_device(
    connect: Connect, ada: User
) -> None:
    await choose(ada, visibility="nobody")
    here, there = await connect(ada), await connect(ada)
    view = PhoenixPresence()
    view.on("presence_state", await enter(here))
    await enter(there)
    await there.call(LOBBY, "set_status", {"text": "Hiding"})
    await there.call(LOBBY, "set_activity", {"activity": "idle"})

    async def is_right() -> bool:
        view.take(here.messages)
        here.messages.clear()
        metas = (view.state or {}).get(str(ada.pk), {"metas": []})["metas"]
        return sorted(meta["activity"] for meta in metas) == ["active", "idle"] and all(
            (meta["status"] or {}).get("text") == "Hiding" and meta["hidden"] for meta in metas
        )

    await eventually(is_right, "ada's view of herself")
    mine = await in_thread(lambda: read(ada, LOBBY))
    assert mine["count"] == 0
    assert len(mine["presences"][str(ada.pk)]["metas"]) == 2


async def test_a_choice_takes_effect_at_once_in_both_directions(
    connect: Connect, ada: User, grace: User
) -> None:
    watcher, client = await connect(grace), await connect(ada)
    await enter(watcher)
    view = PhoenixPresence()
    view.on("presence_state", await enter(client))
    await the_diff(watcher, "joins", ada)

    await choose(ada, visibility="nobody")

    assert (await the_diff(watcher, "leaves", ada))["username"] == "ada"
    assert set(state_of(LOBBY)) == {str(grace.pk)}

    async def sees_oneself_hidden() -> bool:
        view.take(client.messages)
        client.messages.clear()
        metas = (view.state or {}).get(str(ada.pk), {"metas": [{}]})["metas"]
        return [meta.get("hidden") for meta in metas] == [True]

    await eventually(sees_oneself_hidden, "own entry, hidden")

    await choose(ada, visibility="everyone")

    assert "hidden" not in await the_diff(watcher, "joins", ada)
    assert set(state_of(LOBBY)) == {str(ada.pk), str(grace.pk)}
    assert tracking.list(hidden(LOBBY)) == []


async def test_an_entry_that_waits_for_its_device_goes_when_its_person_hides(
    connect: Connect, ada: User, grace: User
) -> None:
    watcher, client = await connect(grace), await connect(ada)
    await enter(watcher)
    await enter(client)
    await client.close()
    assert str(ada.pk) in state_of(LOBBY)

    await choose(ada, visibility="nobody")

    await the_diff(watcher, "leaves", ada)


async def test_of_somebody_who_is_gone_and_hides_no_status_is_watched(
    connect: Connect, ada: User, grace: User
) -> None:
    watcher, client = await connect(grace), await connect(ada)
    await enter(watcher)
    await enter(client)
    await client.call(LOBBY, "set_status", {"text": "Back at noon", "expires_in_s": 60})
    await client.close()
    assert set(state_of(LOBBY)) == {str(ada.pk), str(grace.pk)}

    await choose(ada, visibility="nobody")
    await the_diff(watcher, "leaves", ada)

    assert tracking.people._expiries == {}


async def test_a_device_that_comes_back_hidden_ends_what_was_seen_of_it(
    connect: Connect, ada: User, grace: User
) -> None:
    """The choice may have been made while the control message could not be heard."""
    watcher, client = await connect(grace), await connect(ada)
    await enter(watcher)
    await enter(client)
    entry = tracking.get_by_key(LOBBY, str(ada.pk))[0]
    tracking.people._persons[str(ada.pk)].manner = tracking.people._persons[
        str(ada.pk)
    ].manner._replace(is_hidden=True)

    await enter(client)  # joins again on the same device

    assert (await the_diff(watcher, "leaves", ada))["session"] == entry.id.partition("/")[0]
    assert tracking.get_by_key(LOBBY, str(ada.pk)) == ()


async def test_members_of_a_room_always_see_each_other(
    connect: Connect, ada: User, grace: User
) -> None:
    await choose(ada, visibility="nobody")
    made = await in_thread(
        actions.create_conversation, ada.pk, CreateConversation(title="Two", members=["grace"])
    )
    room = f"conversation:{made['id']}"
    await enter(await connect(ada, SocketConsumer.as_asgi()), room)

    state = await enter(await connect(grace, SocketConsumer.as_asgi()), room)

    (meta,) = state[str(ada.pk)]["metas"]
    assert "hidden" not in meta


async def test_in_a_crowd_whoever_hides_is_not_counted_and_sees_themselves(
    connect: Connect, settings: Settings, ada: User, grace: User
) -> None:
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_COUNTS_ABOVE": 1}
    await choose(ada, visibility="nobody")
    client = await connect(ada)
    for number in range(2):
        tracking.track(LOBBY, f"guest{number}", "x", {})

    view = PhoenixPresence()
    view.on("presence_state", await enter(client))
    for event in ("presence_counts", "presence_diff"):
        view.on(event, (await client.next(event)).payload)

    assert set(view.state or {}) == {str(ada.pk)}
    assert view.count == 2
    for number in range(2):
        tracking.untrack(LOBBY, f"guest{number}", "x")

    view.on("presence_state", (await client.next("presence_state")).payload)
    await client.heartbeat()
    view.take(client.messages)
    assert set(view.state or {}) == {str(ada.pk)}


@pytest.mark.parametrize("topic", [hidden(LOBBY), "hidden:conversation:1"])
async def test_nobody_can_look_behind_the_curtain(connect: Connect, ada: User, topic: str) -> None:
    client = await connect(ada, SocketConsumer.as_asgi())

    with pytest.raises(ErrorReply) as refused:
        await client.join(topic)

    assert refused.value.reason == "unmatched topic"
    answer = await in_thread(lambda: rest(ada).get(f"/api/v1/presence/{topic}/"))
    assert answer.status_code == 404


async def test_what_others_see_of_the_last_time_stands_still_while_somebody_hides(
    connect: Connect, ada: User, grace: User
) -> None:
    client = await connect(ada)
    await enter(client)
    await choose(ada, visibility="nobody")
    await tracking.people.sightings.write()
    stored = await in_thread(lambda: LastSeen.objects.get(user=ada).at)

    tracking.people.sightings._note_all()
    await client.close()

    assert tracking.people.sightings._seen == {}
    assert await in_thread(lambda: LastSeen.objects.get(user=ada).at) == stored


async def test_a_choice_whose_news_was_lost_counts_once_the_loss_is_seen(
    connect: Connect, ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, client = await connect(grace), await connect(ada)
    await enter(watcher)
    await enter(client)
    with monkeypatch.context() as loss:
        loss.setattr("presence.actions.control_on_commit", lambda kind, payload: None)
        await choose(ada, visibility="nobody", last_seen="off")
    assert str(ada.pk) in state_of(LOBBY)

    tracking.on_gap()

    await the_diff(watcher, "leaves", ada)
    tracking.people.sightings._note_all()
    assert ada.pk not in tracking.people.sightings._seen


async def test_and_it_is_asked_for_until_the_database_answers(
    connect: Connect, ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, client = await connect(grace), await connect(ada)
    await enter(watcher)
    await enter(client)
    with monkeypatch.context() as loss:
        loss.setattr("presence.actions.control_on_commit", lambda kind, payload: None)
        await choose(ada, visibility="nobody")
    read, failures = queries.manners_of, iter((PushError("overloaded"), PushError("overloaded")))

    def fail_twice(user_ids: list[int]) -> Any:
        for failure in failures:
            raise failure
        return read(user_ids)

    monkeypatch.setattr(queries, "manners_of", fail_twice)
    monkeypatch.setattr("presence.tracking.LOOK_AGAIN_AT_PEOPLE_S", 0.01)

    for _ in range(3):  # gaps come in bursts
        tracking.on_gap()

    await the_diff(watcher, "leaves", ada)
    assert next(failures, None) is None
