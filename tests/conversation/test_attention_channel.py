"""Typing and reading through the real socket, on a clock that moves when told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commsite.realtime import telemetry
from commsite.realtime.errors import PushError
from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from conversation import receipts
from conversation.attention_schema import FetchReceipts
from conversation.models import ReadMark
from tests.conversation.attending import a_second_later, told
from tests.support.phoenix_client import ErrorReply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.conversation.attending import Time
    from tests.conversation.conftest import Attend, Say


pytestmark = pytest.mark.django_db(transaction=True)


# --- Receipts ------------------------------------------------------------------------------------
async def test_the_others_are_told_how_far_one_has_read(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, ada, "hello")
    here, there = await attend(ada), await attend(grace)
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
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    for n in range(8):
        await in_thread(say, ada, f"message {n}")
    here, there = await attend(ada), await attend(grace)
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
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    root = await in_thread(say, ada, "root")
    here, there = await attend(ada), await attend(grace)
    await a_second_later(time)
    await told(here, "receipts_changed")

    await there.call(room.topic, "mark_read", {"seq": 1, "thread_id": root["id"]})
    await there.call(room.topic, "mark_read", {"seq": 1, "thread_id": str(room.id)})
    await a_second_later(time)

    (event,) = await told(here, "receipts_changed")
    assert event["receipts"][0]["thread_id"] == root["id"]


async def test_a_mark_survives_a_database_that_is_away(
    attend: Attend, room: Conversation, time: Time, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await attend(grace)
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
    attend: Attend, room: Conversation, time: Time, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await attend(grace)

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
    attend: Attend, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, ada, "hello")
    there = await attend(grace)
    await there.call(room.topic, "mark_read", {"seq": 1})

    await hub.stop()

    marks = await in_thread(lambda: list(ReadMark.objects.filter(user=grace)))
    assert [mark.read_seq for mark in marks] == [1]


async def test_reading_too_fast_says_how_long_to_wait(
    attend: Attend, room: Conversation, ada: User
) -> None:
    here = await attend(ada)
    for seq in range(10):
        await here.call(room.topic, "mark_read", {"seq": seq})

    with pytest.raises(ErrorReply) as refused:
        await here.call(room.topic, "mark_delivered", {"seq": 11})

    assert refused.value.response["reason"] == "rate_limited"
    assert refused.value.response["retry_after_ms"] == 500


# --- Unread --------------------------------------------------------------------------------------
async def test_all_devices_of_a_person_are_told_the_same(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, one, other = await attend(ada), await attend(grace), await attend(grace)

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
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User
) -> None:
    here, there = await attend(ada), await attend(grace)
    sent = await here.call(room.topic, "send_message", {"body": "@grace hi", "client_id": "c1"})
    await a_second_later(time)
    await here.call(room.topic, "delete_message", {"message_id": sent["message"]["id"]})
    await a_second_later(time)

    counts = [each["unread"] for each in await told(there, "unread_changed")]

    assert counts == [1, 0]


async def test_a_device_that_comes_learns_what_is_unread(
    attend: Attend, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, ada, "one")
    await in_thread(say, ada, "two")
    there = await attend(grace)

    reply = await there.join(f"user:{grace.pk}")
    joined = await there.join(room.topic)

    (waiting,) = reply["unread"]
    assert (waiting["conversation_id"], waiting["unread"]) == (str(room.id), 2)
    assert joined["unread"] == waiting
    assert (await (await attend(ada)).join(f"user:{ada.pk}"))["unread"] == []


async def test_sending_moves_ones_own_mark_on_every_device(
    attend: Attend, room: Conversation, time: Time, ada: User, grace: User, say: Say
) -> None:
    await in_thread(say, grace, "question")
    one, other = await attend(ada), await attend(ada)
    await a_second_later(time)
    assert [each["unread"] for each in await told(other, "unread_changed")] == [1]

    await one.call(room.topic, "send_message", {"body": "answer", "client_id": "c1"})
    await a_second_later(time)

    (mine,) = await told(other, "unread_changed")
    assert (mine["unread"], mine["read_seq"]) == (0, 2)
    shown = await in_thread(receipts.receipts, room.id, grace.pk, FetchReceipts())
    assert {each["user_id"]: each["read_seq"] for each in shown["receipts"]}[ada.pk] == 2
