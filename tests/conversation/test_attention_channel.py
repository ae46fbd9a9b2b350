"""Typing and reading through the real socket, on a clock that moves when told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from commsite.realtime import telemetry
from commsite.realtime.consumer import SocketConsumer
from commsite.realtime.errors import PushError
from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from conversation import rates, receipts
from conversation.attention_schema import FetchReceipts
from conversation.mark_writer import writer
from conversation.models import ReadMark
from conversation.rates import Rates
from conversation.typing_notices import notices
from tests.support import in_process
from tests.support.phoenix_client import PRESENCE, ErrorReply, PhoenixClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.message_shape import MessageShape
    from conversation.models import Conversation

    Say = Callable[[User, str], MessageShape]
    Enter = Callable[[User], Awaitable[PhoenixClient]]

pytestmark = pytest.mark.django_db(transaction=True)


class Time:
    """The clock of everything that is told at a pace."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def read(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        """Time passes, and what is due is told."""
        self.now += seconds
        notices.on_tick()
        for pacer in (notices._rooms, notices._others, writer._pacer):
            assert pacer is not None
            pacer.turn()


@pytest_asyncio.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Starts the hub, on a clock of the test's own."""
    moved = Time()
    people = Rates(moved.read)
    monkeypatch.setattr(rates, "rates", lambda: people)
    await hub.start()
    for pacer in (notices._rooms, notices._others, writer._pacer):
        assert pacer is not None
        pacer.clock = moved.read
    return moved


@pytest_asyncio.fixture
async def enter(time: Time, room: Conversation) -> AsyncIterator[Enter]:
    """`await enter(ada)`: a socket of hers in the conversation and on her own topic."""
    async with in_process.connections() as connect_to:

        async def enter(user: User) -> PhoenixClient:
            client = await connect_to(SocketConsumer.as_asgi(), user)
            client.deaf_to = PRESENCE | {"message_sent"}
            await client.join(room.topic)
            await client.join(f"user:{user.pk}")
            return client

        yield enter


def names(payload: dict[str, Any]) -> list[str]:
    return [each["user"]["username"] for each in payload["typing"]]


async def told(client: PhoenixClient, event: str) -> list[Any]:
    """Every such event that has arrived, once what was announced before is delivered."""
    await client.heartbeat()
    taken = client.waiting(event)
    for message in taken:
        client.messages.remove(message)
    return [message.payload for message in taken]


async def a_second_later(time: Time) -> None:
    """What was noted is due, is written, and what was told of it is on its way."""
    await asyncio.sleep(0)  # what a thread has handed over
    time.move(1)
    while writer._task is not None:
        await asyncio.wait({writer._task})
    await asyncio.sleep(0)


# --- Typing --------------------------------------------------------------------------------------
async def test_who_types_is_told_at_once_and_then_joined_once_a_second(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, there = await enter(ada), await enter(grace)

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
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, there = await enter(ada), await enter(grace)
    await here.call(room.topic, "start_typing")
    await there.next("typing_changed")

    await here.call(room.topic, "stop_typing")
    time.move(1)
    assert names((await there.next("typing_changed")).payload) == []

    await here.call(room.topic, "stop_typing")
    time.move(1)
    assert await told(there, "typing_changed") == []


async def test_whoever_says_nothing_more_stops_after_ten_seconds(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, there = await enter(ada), await enter(grace)
    await here.call(room.topic, "start_typing")
    await there.next("typing_changed")

    time.move(9)
    assert await told(there, "typing_changed") == []
    time.move(1)

    assert names((await there.next("typing_changed")).payload) == []


async def test_two_tabs_are_one_typist_until_the_last_of_them_goes(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    there, one, other = await enter(grace), await enter(ada), await enter(ada)
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
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    here, there = await enter(ada), await enter(grace)
    await here.call(room.topic, "start_typing")
    await there.next("typing_changed")

    await in_thread(say, ada, "by letter")
    time.move(1)

    assert names((await there.next("typing_changed")).payload) == []


async def test_a_joiner_learns_who_types_where(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    root = await in_thread(say, ada, "root")
    here, there = await enter(ada), await enter(grace)
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
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, settings: Settings
) -> None:
    settings.REALTIME = {**settings.REALTIME, "TYPING_MEMBERS": 1}
    here, there = await enter(ada), await enter(grace)

    assert await here.call(room.topic, "start_typing") == {"is_told": False}

    time.move(1)
    assert await told(there, "typing_changed") == []


async def test_typing_too_fast_says_how_long_to_wait_and_costs_nothing_else(
    enter: Enter, room: Conversation, time: Time, ada: User
) -> None:
    one, other = await enter(ada), await enter(ada)
    await one.call(room.topic, "start_typing")

    with pytest.raises(ErrorReply) as refused:
        await other.call(room.topic, "start_typing")

    assert refused.value.response["reason"] == "rate_limited"
    assert refused.value.response["retry_after_ms"] == 1000
    time.move(1)
    assert await other.call(room.topic, "start_typing") == {"is_told": True}


async def test_nobody_types_in_what_is_no_thread(
    enter: Enter, room: Conversation, ada: User
) -> None:
    here = await enter(ada)

    with pytest.raises(ErrorReply) as refused:
        await here.call(room.topic, "start_typing", {"thread_id": str(room.id)})

    assert refused.value.response["reason"] == "invalid_payload"


async def test_people_of_another_process_are_told_here_and_do_not_erase_those_of_this_one(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, linus: User
) -> None:
    here, there = await enter(ada), await enter(grace)
    await here.call(room.topic, "start_typing")
    await there.next("typing_changed")
    elsewhere = [str(room.id), linus.pk, "linus", None, 10.0, False]

    notices.on_control({"node": "another", "said": [elsewhere]})
    time.move(1)
    assert names((await there.next("typing_changed")).payload) == ["ada", "linus"]
    notices.on_control({"node": "another", "said": [[str(room.id), linus.pk]]})
    notices.on_control({"node": "another", "said": [[str(room.id), ada.pk]]})
    time.move(1)

    assert names((await there.next("typing_changed")).payload) == ["ada"]


# --- Receipts ------------------------------------------------------------------------------------
async def test_the_others_are_told_how_far_one_has_read(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, ada, "hello")
    here, there = await enter(ada), await enter(grace)
    await a_second_later(time)
    await told(here, "receipts_changed")

    await there.call(room.topic, "mark_read", {"seq": 1})
    await a_second_later(time)

    mine = {"user_id": grace.pk, "thread_id": None, "delivered_seq": 1, "read_seq": 1}
    (event,) = await told(here, "receipts_changed")
    assert event == {"receipts": [mine], "receipt_counts": None}
    assert mine in (await here.join(room.topic))["receipts"]
    assert mine in (await here.call(room.topic, "fetch_receipts"))["receipts"]


async def test_marks_of_one_second_are_written_once(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    for n in range(8):
        await in_thread(say, ada, f"message {n}")
    here, there = await enter(ada), await enter(grace)
    await a_second_later(time)
    await told(here, "receipts_changed")
    before = telemetry.counters["receipts_written_total", ()]

    for seq in (5, 8, 2, 7):
        await there.call(room.topic, "mark_read", {"seq": seq})
    await there.call(room.topic, "mark_delivered", {"seq": 6})
    await a_second_later(time)

    (event,) = await told(here, "receipts_changed")
    assert event["receipts"][0]["read_seq"] == 8
    assert telemetry.counters["receipts_written_total", ()] == before + 1


async def test_a_mark_in_a_thread_is_a_mark_of_the_thread_and_in_what_is_none_it_is_nothing(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    root = await in_thread(say, ada, "root")
    here, there = await enter(ada), await enter(grace)
    await a_second_later(time)
    await told(here, "receipts_changed")

    await there.call(room.topic, "mark_read", {"seq": 1, "thread_id": root["id"]})
    await there.call(room.topic, "mark_read", {"seq": 1, "thread_id": str(room.id)})
    await a_second_later(time)

    (event,) = await told(here, "receipts_changed")
    assert event["receipts"][0]["thread_id"] == root["id"]


async def test_a_mark_survives_a_database_that_is_away(
    enter: Enter, room: Conversation, time: Time, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await enter(grace)
    sent = await there.call(room.topic, "send_message", {"body": "hello", "client_id": "c1"})

    def fail(*arguments: object) -> None:
        raise PushError("overloaded")

    with monkeypatch.context() as outage:
        outage.setattr(receipts, "write", fail)
        await a_second_later(time)
    assert await told(there, "receipts_changed") == []
    await a_second_later(time)

    (event,) = await told(there, "receipts_changed")
    assert event["receipts"][0]["read_seq"] == sent["message"]["seq"]


async def test_one_conversation_that_cannot_be_written_costs_no_other(
    enter: Enter, room: Conversation, time: Time, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await enter(grace)

    def fail(*arguments: object) -> None:
        raise ValueError("our fault")

    with monkeypatch.context() as fault:
        fault.setattr(receipts, "write", fail)
        await there.call(room.topic, "mark_read", {"seq": 0})
        await a_second_later(time)
    await there.call(room.topic, "send_message", {"body": "hello", "client_id": "c1"})
    await a_second_later(time)

    assert len(await told(there, "receipts_changed")) == 1


async def test_what_is_not_written_yet_is_written_when_the_process_ends(
    enter: Enter, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, ada, "hello")
    there = await enter(grace)
    await there.call(room.topic, "mark_read", {"seq": 1})

    await hub.stop()

    marks = await in_thread(lambda: list(ReadMark.objects.filter(user=grace)))
    assert [mark.read_seq for mark in marks] == [1]


async def test_reading_too_fast_says_how_long_to_wait(
    enter: Enter, room: Conversation, ada: User
) -> None:
    here = await enter(ada)
    for seq in range(10):
        await here.call(room.topic, "mark_read", {"seq": seq})

    with pytest.raises(ErrorReply) as refused:
        await here.call(room.topic, "mark_delivered", {"seq": 11})

    assert refused.value.response["reason"] == "rate_limited"
    assert refused.value.response["retry_after_ms"] == 500


# --- Unread --------------------------------------------------------------------------------------
async def test_all_devices_of_a_person_are_told_the_same(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, one, other = await enter(ada), await enter(grace), await enter(grace)

    await here.call(room.topic, "send_message", {"body": "@grace hi", "client_id": "c1"})
    await a_second_later(time)
    news = [await told(device, "unread_changed") for device in (one, other)]
    await one.call(room.topic, "mark_read", {"seq": 1})
    await a_second_later(time)
    read = [await told(device, "unread_changed") for device in (one, other)]

    empty = {"conversation_id": str(room.id), "unread": 0, "mentions": 0, "threads": []}
    assert news == [[empty | {"unread": 1, "mentions": 1, "read_seq": 0}]] * 2
    assert read == [[empty | {"read_seq": 1}]] * 2


async def test_what_is_taken_back_is_not_unread_any_more(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, there = await enter(ada), await enter(grace)
    sent = await here.call(room.topic, "send_message", {"body": "@grace hi", "client_id": "c1"})
    await a_second_later(time)
    await here.call(room.topic, "delete_message", {"message_id": sent["message"]["id"]})
    await a_second_later(time)

    counts = [each["unread"] for each in await told(there, "unread_changed")]

    assert counts == [1, 0]


async def test_a_device_that_comes_learns_what_is_unread(
    enter: Enter, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, ada, "one")
    await in_thread(say, ada, "two")
    there = await enter(grace)

    reply = await there.join(f"user:{grace.pk}")
    joined = await there.join(room.topic)

    (waiting,) = reply["unread"]
    assert (waiting["conversation_id"], waiting["unread"]) == (str(room.id), 2)
    assert joined["unread"] == waiting
    assert (await (await enter(ada)).join(f"user:{ada.pk}"))["unread"] == []


async def test_sending_moves_ones_own_mark_on_every_device(
    enter: Enter, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, grace, "question")
    one, other = await enter(ada), await enter(ada)
    await a_second_later(time)
    assert [each["unread"] for each in await told(other, "unread_changed")] == [1]

    await one.call(room.topic, "send_message", {"body": "answer", "client_id": "c1"})
    await a_second_later(time)

    (mine,) = await told(other, "unread_changed")
    assert (mine["unread"], mine["read_seq"]) == (0, 2)
    shown = await in_thread(receipts.receipts, room.id, grace.pk, FetchReceipts())
    assert {each["user_id"]: each["read_seq"] for each in shown["receipts"]}[ada.pk] == 2
