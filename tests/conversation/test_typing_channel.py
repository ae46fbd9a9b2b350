"""Typing over the socket: told at once and joined, ended by silence, by a message, and with the last tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.threads import in_thread
from conversation.typing_notices import notices
from tests.conversation.attending import told
from tests.support.phoenix_client import ErrorReply, PhoenixClient

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.models import Conversation
    from tests.conversation.attending import Time
    from tests.conversation.conftest import Attend, Say

pytestmark = pytest.mark.django_db(transaction=True)


def names(payload: dict[str, Any]) -> list[str]:
    return [each["user"]["username"] for each in payload["typing"]]


async def typing(room: Conversation, *joining: Awaitable[PhoenixClient]) -> list[PhoenixClient]:
    """Those who join; the first of them types, and the last has been told."""
    clients = [await client for client in joining]
    await clients[0].call(room.topic, "start_typing")
    await clients[-1].next("typing_changed")
    return clients


async def test_who_types_is_told_at_once_and_then_joined_once_a_second(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, there = await attend(ada), await attend(grace)

    assert await here.call(room.topic, "start_typing") == {"is_told": True}
    first = (await there.next("typing_changed")).payload
    await there.call(room.topic, "start_typing")
    assert await told(there, "typing_changed") == []
    time.move(1)
    second = (await there.next("typing_changed")).payload

    assert first == {
        "typing": [
            {
                "user": {"id": ada.pk, "username": "ada"},
                "thread_id": None,
                "expires_in_ms": 10_000,
            }
        ]
    }
    assert names(second) == ["ada", "grace"]
    assert second["typing"][0]["expires_in_ms"] == 9_000


async def test_stopping_is_told_and_stopping_again_is_nothing(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, there = await typing(room, attend(ada), attend(grace))

    await here.call(room.topic, "stop_typing")
    time.move(1)
    assert names((await there.next("typing_changed")).payload) == []

    await here.call(room.topic, "stop_typing")
    time.move(1)
    assert await told(there, "typing_changed") == []


async def test_whoever_says_nothing_more_stops_after_ten_seconds(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    _, there = await typing(room, attend(ada), attend(grace))

    time.move(9)
    assert await told(there, "typing_changed") == []
    time.move(1)

    assert names((await there.next("typing_changed")).payload) == []


async def test_two_tabs_are_one_typist_until_the_last_of_them_goes(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    there, one, other = await attend(grace), await attend(ada), await attend(ada)
    await one.call(room.topic, "start_typing")
    time.move(1)
    await other.call(room.topic, "start_typing")
    assert names((await there.next("typing_changed")).payload) == ["ada"]

    await one.leave(room.topic)
    time.move(1)
    assert await told(there, "typing_changed") == []
    await other.close()
    await there.heartbeat()
    time.move(1)

    assert names((await there.next("typing_changed")).payload) == []


async def test_a_message_ends_the_typing_of_its_author_from_wherever_it_comes(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    _, there = await typing(room, attend(ada), attend(grace))

    await in_thread(say, ada, "by letter")
    time.move(1)

    assert names((await there.next("typing_changed")).payload) == []


async def test_a_joiner_learns_who_types_where(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    root = await in_thread(say, ada, "root")
    here, there = await attend(ada), await attend(grace)
    await here.call(room.topic, "start_typing", {"thread_id": root["id"]})
    time.move(4)

    reply = await there.join(room.topic)

    assert reply["typing"] == [
        {
            "user": {"id": ada.pk, "username": "ada"},
            "thread_id": root["id"],
            "expires_in_ms": 6_000,
        }
    ]


async def test_where_there_are_too_many_nobody_is_told(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, settings: Settings
) -> None:
    settings.REALTIME = {**settings.REALTIME, "TYPING_MEMBERS": 1}
    here, there = await attend(ada), await attend(grace)

    assert await here.call(room.topic, "start_typing") == {"is_told": False}

    time.move(1)
    assert await told(there, "typing_changed") == []


async def test_typing_too_fast_says_how_long_to_wait_and_costs_nothing_else(
    attend: Attend, room: Conversation, time: Time, ada: User
) -> None:
    one, other = await attend(ada), await attend(ada)
    await one.call(room.topic, "start_typing")

    with pytest.raises(ErrorReply) as refused:
        await other.call(room.topic, "start_typing")

    assert refused.value.response["reason"] == "rate_limited"
    assert refused.value.response["retry_after_ms"] == 1000
    time.move(1)
    assert await other.call(room.topic, "start_typing") == {"is_told": True}


async def test_nobody_types_in_what_is_no_thread(
    attend: Attend, room: Conversation, ada: User
) -> None:
    here = await attend(ada)

    with pytest.raises(ErrorReply) as refused:
        await here.call(room.topic, "start_typing", {"thread_id": str(room.id)})

    assert refused.value.response["reason"] == "invalid_payload"


async def test_people_of_another_process_are_told_here_and_do_not_erase_those_of_this_one(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, linus: User
) -> None:
    _, there = await typing(room, attend(ada), attend(grace))
    elsewhere = [str(room.id), linus.pk, "linus", None, 10.0, False]

    notices.on_control({"node": "another", "said": [elsewhere]})
    time.move(1)
    assert names((await there.next("typing_changed")).payload) == ["ada", "linus"]
    notices.on_control({"node": "another", "said": [[str(room.id), linus.pk]]})
    notices.on_control({"node": "another", "said": [[str(room.id), ada.pk]]})
    time.move(1)

    assert names((await there.next("typing_changed")).payload) == ["ada"]
