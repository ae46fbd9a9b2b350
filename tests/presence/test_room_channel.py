"""Who looks at what, on a conversation's topic through the real socket, and seen from outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from commsite.clients.actions import set_preferences
from commsite.realtime.consumer import SocketConsumer
from commsite.realtime.threads import in_thread
from presence.cursor_board import MOVED
from tests.presence.lobby import LOBBY, enter, state_of, the_diff
from tests.support.deadline import eventually

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tests.presence.lobby import Connect
    from tests.support.phoenix_client import PhoenixClient

pytestmark = pytest.mark.django_db(transaction=True)


def viewing(room: str, user: User) -> list[bool]:
    return [meta["viewing"] for meta in state_of(room)[str(user.pk)]["metas"]]


async def test_the_others_see_who_has_the_room_before_their_eyes(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, ada: User
) -> None:
    here, there = pair
    assert viewing(room, ada) == [False]

    await here.call(room, "set_viewing", {"viewing": True})

    while not (await the_diff(there, "joins", ada))["viewing"]:
        pass
    assert viewing(room, ada) == [True]


async def test_what_is_said_right_after_the_join_is_not_lost(
    connect: Connect, room: str, ada: User
) -> None:
    client = await connect(ada, SocketConsumer.as_asgi())
    await client.join(room)
    await client.call(room, "set_viewing", {"viewing": True})
    await client.next("presence_state")

    assert viewing(room, ada) == [True]


async def viewers(client: PhoenixClient, *topics: str) -> dict[str, list[int]]:
    reply = await client.call(LOBBY, "fetch_viewers", {"topics": list(topics)})
    found: dict[str, list[int]] = reply["viewers"]
    return found


async def test_members_learn_from_outside_who_is_in_a_room(
    pair: tuple[PhoenixClient, PhoenixClient],
    connect: Connect,
    room: str,
    ada: User,
    grace: User,
) -> None:
    here, there = pair
    await enter(here)
    await enter(there)
    await here.call(room, "set_viewing", {"viewing": True})

    assert await viewers(there, room) == {room: [ada.pk]}

    await here.call(room, "set_viewing", {"viewing": False})
    assert await viewers(there, room) == {}


async def test_strangers_do_not_and_learn_not_even_that_there_is_a_room(
    pair: tuple[PhoenixClient, PhoenixClient], connect: Connect, room: str
) -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415

    here, _ = pair
    await enter(here)
    await here.call(room, "set_viewing", {"viewing": True})
    linus = await in_thread(User.objects.create_user, "linus")
    stranger = await connect(linus)
    await enter(stranger)

    assert await viewers(stranger, room, "conversation:nonsense", "user:1", "") == {}


async def test_nor_does_anybody_of_those_who_appear_offline(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, ada: User
) -> None:
    here, there = pair
    await enter(here)
    await enter(there)
    await here.call(room, "set_viewing", {"viewing": True})
    assert await viewers(there, room) == {room: [ada.pk]}

    await in_thread(lambda: set_preferences(ada.pk, {"visibility": "nobody"}, is_whole=False))

    async def is_hidden() -> bool:
        return str(ada.pk) not in state_of(LOBBY)

    await eventually(is_hidden, "leave of ada")
    assert await viewers(there, room) == {}
    assert json.dumps([m.payload for m in there.waiting(MOVED)]) == "[]"
