"""When people were last here: written behind, never backwards, and of nobody who does not want it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError

from commsite.clients.actions import set_preferences
from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from conversation.actions import create_conversation
from conversation.schema import CreateConversation
from presence import actions, queries, sightings
from presence.models import LastSeen
from presence.tracking import tracking
from tests.presence.lobby import LOBBY, enter
from tests.support.rest import rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from tests.presence.lobby import Connect

pytestmark = pytest.mark.django_db(transaction=True)
NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`at(60)`: the clock of what is noted stands a minute after noon."""

    def at(seconds: int) -> None:
        monkeypatch.setattr("presence.sightings.time.time", lambda: NOON + seconds)

    at(0)
    return at


def stored(user: User) -> int | None:
    row = LastSeen.objects.filter(user=user).first()
    return None if row is None else int(row.at.timestamp()) - NOON


async def written(user: User) -> int | None:
    """Seconds after noon, as it stands once everything known is written."""
    await tracking.people.sightings.write()
    return await in_thread(stored, user)


# ---- What is noted -------------------------------------------------------------------------------


async def test_whoever_leaves_is_written_with_the_next_batch(
    connect: Connect, ada: User, at: Callable[[int], None]
) -> None:
    client = await connect(ada)
    await enter(client)
    assert await written(ada) is None
    at(7)

    await client.close()

    assert await written(ada) == 7


async def test_the_last_of_several_devices_counts(
    connect: Connect, ada: User, at: Callable[[int], None]
) -> None:
    phone, laptop = await connect(ada), await connect(ada)
    await enter(phone)
    await enter(laptop)
    at(1)
    await phone.leave(LOBBY)
    assert await written(ada) is None
    at(2)

    await laptop.leave(LOBBY)

    assert await written(ada) == 2


async def test_whoever_stays_is_written_now_and_then_so_that_a_kill_loses_little(
    connect: Connect, ada: User, at: Callable[[int], None]
) -> None:
    await enter(await connect(ada))
    at(30)

    tracking.people.sightings._note_all()

    assert await written(ada) == 30


async def test_a_process_that_ends_in_good_order_writes_all_it_knows(
    connect: Connect, ada: User, at: Callable[[int], None]
) -> None:
    await enter(await connect(ada))
    at(9)

    await hub.stop()

    assert await in_thread(stored, ada) == 9


async def test_what_cannot_be_written_is_kept(
    connect: Connect, ada: User, at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(seen: Any) -> None:
        raise DatabaseError("away")

    await enter(client := await connect(ada))
    at(5)
    await client.close()
    with monkeypatch.context() as outage:
        outage.setattr(actions, "store_last_seen", fail)
        assert await written(ada) is None

    assert await written(ada) == 5


async def test_it_is_one_write_for_many_people_and_not_one_for_each(
    connect: Connect, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    monkeypatch.setattr(actions, "store_last_seen", lambda seen: batches.append(len(seen)))
    await connect(ada)
    for number in range(2 * sightings.BATCH + 1):
        tracking.people.sightings.note(number)

    await tracking.people.sightings.write()

    assert batches == [sightings.BATCH, sightings.BATCH, 1]


# ---- What is stored ------------------------------------------------------------------------------


def test_what_is_stored_only_grows_whoever_writes_last(ada: User, grace: User) -> None:
    actions.store_last_seen({ada.pk: NOON + 10, grace.pk: NOON})
    actions.store_last_seen({ada.pk: NOON + 5, grace.pk: NOON + 3})

    assert (stored(ada), stored(grace)) == (10, 3)


def test_somebody_who_was_deleted_meanwhile_spoils_nobody_elses_row(ada: User) -> None:
    actions.store_last_seen({ada.pk: NOON, 999_999: NOON})

    assert stored(ada) == 0
    assert LastSeen.objects.count() == 1


# ---- Who does not want it ------------------------------------------------------------------------


def test_opting_out_deletes_what_is_stored_and_nothing_is_stored_any_more(ada: User) -> None:
    actions.store_last_seen({ada.pk: NOON})

    set_preferences(ada.pk, {"last_seen": "off"}, is_whole=False)
    actions.store_last_seen({ada.pk: NOON + 60})

    assert not LastSeen.objects.exists()
    assert queries.last_seen([ada.pk]) == {}


def test_other_preferences_forget_nothing(ada: User) -> None:
    actions.store_last_seen({ada.pk: NOON})

    set_preferences(ada.pk, {"theme": "dark"}, is_whole=False)

    assert stored(ada) == 0


async def test_what_a_process_has_not_yet_written_is_dropped(
    connect: Connect, ada: User, at: Callable[[int], None]
) -> None:
    client = await connect(ada)
    await enter(client)
    tracking.people.sightings._note_all()

    await in_thread(lambda: set_preferences(ada.pk, {"last_seen": "off"}, is_whole=False))
    await client.close()
    tracking.people.sightings._note_all()

    assert await written(ada) is None
    assert tracking.people.sightings._seen == {}


async def test_what_is_being_written_while_somebody_opts_out_goes_too(
    connect: Connect, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer has read the old choice; the row that it then leaves must not stay."""
    await enter(await connect(ada))
    store = actions.store_last_seen

    def opt_out_meanwhile(seen: dict[int, int]) -> None:
        store(seen)
        rows = list(LastSeen.objects.filter(user=ada))
        set_preferences(ada.pk, {"last_seen": "off"}, is_whole=False)
        LastSeen.objects.bulk_create(rows)  # as the late commit of a writer that knew no better

    monkeypatch.setattr(actions, "store_last_seen", opt_out_meanwhile)
    tracking.people.sightings._note_all()

    assert await written(ada) is None


# ---- Where it shows ------------------------------------------------------------------------------


def ask(user: User, topic: str, **query: str) -> Any:
    return rest(user).get(f"/api/v1/presence/{topic}/", query)


def test_members_of_a_conversation_who_are_away_are_shown_as_last_seen(
    ada: User, grace: User
) -> None:
    made = create_conversation(ada.pk, CreateConversation(title="Two", members=["grace"]))
    actions.store_last_seen({grace.pk: NOON})

    shown = ask(ada, f"conversation:{made['id']}").json()["last_seen"]

    assert shown == {str(grace.pk): "2026-11-22T12:00:00Z"}


def test_a_conversation_tells_nothing_of_strangers(ada: User, grace: User) -> None:
    made = create_conversation(ada.pk, CreateConversation(title="One", members=[]))
    actions.store_last_seen({grace.pk: NOON})

    answer = ask(ada, f"conversation:{made['id']}", users=str(grace.pk)).json()

    assert answer["last_seen"] == {}


async def test_whoever_is_here_is_not_last_seen(connect: Connect, ada: User, grace: User) -> None:
    await in_thread(actions.store_last_seen, {ada.pk: NOON, grace.pk: NOON})
    await enter(await connect(ada))

    answer = await in_thread(lambda: ask(grace, LOBBY, users=f"{ada.pk},{grace.pk}").json())

    assert list(answer["presences"]) == [str(ada.pk)]
    assert list(answer["last_seen"]) == [str(grace.pk)]


def test_the_lobby_names_only_those_who_are_asked_for(ada: User, grace: User) -> None:
    actions.store_last_seen({grace.pk: NOON})

    assert ask(ada, LOBBY).json()["last_seen"] == {}
    assert list(ask(ada, LOBBY, users=str(grace.pk)).json()["last_seen"]) == [str(grace.pk)]


@pytest.mark.parametrize("users", ["", "a", "1,,2", "-1", "1.5", "9" * 30, ",".join("1" * 101)])
def test_users_are_ids(ada: User, users: str) -> None:
    answer = ask(ada, LOBBY, users=users)

    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_request")
