"""Receipts: marks that only grow, told to those who may know."""

from __future__ import annotations

import itertools
import random
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from commsite.clients.actions import set_preferences
from commsite.clients.models import Preferences
from commsite.realtime.errors import PushError
from commsite.realtime.registry import Delivery, delivery_of
from conversation import actions, attention, queries, receipts
from conversation.attention_schema import FetchReceipts, MarkDelivered, MarkRead
from conversation.marks import Mark, Place
from conversation.models import Conversation, Member, ReadMark
from conversation.receipts import Work
from conversation.schema import CreateConversation, RemoveMember, SendMessage
from conversation.unread import unread
from tests.conversation.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import DjangoAssertNumQueries

    from tests.conversation.conftest import Ear, Say

    Write = Callable[..., None]
    People = tuple[User, User, User]

pytestmark = pytest.mark.django_db(transaction=True)


def seen_by(viewer: User, room: Conversation, thread_id: uuid.UUID | None = None) -> dict[int, int]:
    """Who has read how far, as this member sees it."""
    shown = receipts.receipts(room.id, viewer.pk, FetchReceipts(thread_id=thread_id))
    return {each["user_id"]: each["read_seq"] for each in shown["receipts"]}


# --- Marks ---------------------------------------------------------------------------------------
def test_a_mark_only_grows_and_never_passes_the_last_seq(
    room: Conversation, ada: User, grace: User, say: Say, write: Write
) -> None:
    for n in range(5):
        say(ada, f"message {n}")

    for read in (3, 2, 0, 99):
        write({grace: Mark(read=read)})
        assert seen_by(ada, room)[grace.pk] == (5 if read == 99 else 3)
    say(ada, "one more")
    assert seen_by(ada, room)[grace.pk] == 5


def test_what_was_read_was_delivered_and_not_the_other_way_round(
    room: Conversation, ada: User, grace: User, say: Say, write: Write
) -> None:
    for n in range(3):
        say(ada, f"message {n}")

    write({ada: Mark(read=2), grace: Mark(delivered=3)})

    shown = receipts.receipts(room.id, ada.pk, FetchReceipts())["receipts"]
    assert {each["user_id"]: (each["delivered_seq"], each["read_seq"]) for each in shown} == {
        ada.pk: (2, 2),
        grace.pk: (3, 0),
    }


def test_a_thread_has_marks_of_its_own(
    room: Conversation, ada: User, grace: User, say: Say, write: Write
) -> None:
    root = say(ada, "root")
    answer = reply(room, ada, "reply", root)

    write({grace: Mark(read=answer["seq"])}, thread_id=uuid.UUID(root["id"]))

    assert seen_by(ada, room, uuid.UUID(root["id"]))[grace.pk] == answer["seq"]
    assert grace.pk not in seen_by(ada, room)


def test_what_is_no_thread_of_the_conversation_has_no_marks(
    room: Conversation, ada: User, say: Say
) -> None:
    root = say(ada, "root")
    inner = reply(room, ada, "reply", root)

    for wrong in (uuid.uuid4(), uuid.UUID(inner["id"])):
        with pytest.raises(PushError) as refused:
            attention.mark(room.id, ada.pk, MarkRead(seq=1, thread_id=wrong))
        assert refused.value.reason == "invalid_payload"


def test_strangers_neither_mark_nor_read(
    room: Conversation, ada: User, linus: User, say: Say, write: Write
) -> None:
    say(ada, "secret")

    with pytest.raises(PushError) as refused:
        attention.mark(room.id, linus.pk, MarkRead(seq=1))
    assert refused.value.reason == "not_found"
    with pytest.raises(PushError):
        receipts.receipts(room.id, linus.pk, FetchReceipts())
    write({linus: Mark(read=1)})
    assert not ReadMark.objects.filter(user=linus).exists()


def test_whoever_has_left_is_not_shown_any_more(
    room: Conversation, ada: User, grace: User, say: Say, write: Write
) -> None:
    say(ada, "bye")
    write({grace: Mark(read=1)})

    actions.remove_member(room.id, grace.pk, RemoveMember(user_id=grace.pk))

    assert grace.pk not in seen_by(ada, room)


def test_marks_in_what_is_not_there_are_dropped_and_cost_the_others_nothing(
    room: Conversation, ada: User, grace: User, say: Say, heard: Ear
) -> None:
    say(ada, "hello")
    elsewhere = actions.create_conversation(ada.pk, CreateConversation(title="Elsewhere"))
    foreign = SendMessage(body="root", client_id="root")
    root = actions.send_message(uuid.UUID(elsewhere["id"]), ada.pk, foreign).message
    marks = {
        Place(ada.pk, uuid.uuid4()): Mark(read=1),
        Place(ada.pk, uuid.UUID(root["id"])): Mark(read=1),
        Place(0): Mark(read=1),
        Place(grace.pk): Mark(read=1),
    }

    work = {room.id: Work(marks), uuid.uuid4(): Work({Place(ada.pk): Mark(read=1)}, 1)}
    receipts.write(work, lambda user_id: True)

    told = [each.payload["receipts"] for each in heard.on(room.id) if "receipts" in each.event]
    assert [each["user_id"] for (each,) in told] == [grace.pk]
    assert ReadMark.objects.count() == 1


def test_many_conversations_are_written_with_the_queries_of_one(
    ada: User, grace: User, heard: Ear, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    opened = [
        actions.create_conversation(ada.pk, CreateConversation(title=f"{n}", members=["grace"]))
        for n in range(12)
    ]
    rooms = [uuid.UUID(each["id"]) for each in opened]
    for here in rooms:
        actions.send_message(here, ada.pk, SendMessage(body="hello", client_id="c1"))

    for some in (rooms[:1], rooms[1:]):
        work = {here: Work({Place(grace.pk): Mark(read=1)}, 1) for here in some}
        with django_assert_num_queries(11):
            receipts.write(work, lambda user_id: True)

    told = [each for each in heard.told if each.event == "receipts_changed"]
    assert {each.topic for each in told} == {f"conversation:{here}" for here in rooms}
    assert all(each["unread"] == 0 for each in unread([grace.pk]).values())


def test_the_number_of_queries_does_not_depend_on_the_number_of_members(
    room: Conversation,
    ada: User,
    say: Say,
    write: Write,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    people = [User.objects.create_user(f"person {n}") for n in range(40)]
    Member.objects.bulk_create(Member(conversation=room, user=person) for person in people)
    for n in range(4):
        say(ada, f"message {n}")
    write(dict.fromkeys(people, Mark(read=1)))

    for readers, read in ((people[:1], 2), (people, 3)):
        with django_assert_num_queries(9):
            write(dict.fromkeys(readers, Mark(read=read)), news_from=1)


# --- Told ----------------------------------------------------------------------------------------
def test_receipts_converge_for_everybody_who_stays(
    room: Conversation, ada: User, grace: User, say: Say, heard: Ear
) -> None:
    root = say(ada, "root")
    for n in range(6):
        reply(room, grace, f"reply {n}", root)
    places = [None, uuid.UUID(root["id"])]
    chance = random.Random(4)
    kept: dict[Any, Any] = {}
    steps = [
        (user, place, seq)
        for user, place, seq in itertools.product((ada, grace), places, range(1, 9))
    ]
    chance.shuffle(steps)

    for user, place, seq in steps:
        marks = (MarkRead(seq=seq, thread_id=place), MarkDelivered(seq=seq, thread_id=place))
        command: MarkRead | MarkDelivered = chance.choice(marks)
        attention.mark(room.id, user.pk, command)

    told = [each for each in heard.on(room.id) if each.event == "receipts_changed"]
    chance.shuffle(told)  # those of two processes may overtake each other
    for each in told:
        (one,) = each.payload["receipts"]
        key = (one["user_id"], one["thread_id"])
        before = kept.get(key, one)
        kept[key] = {
            name: max(before[name], one[name]) for name in ("delivered_seq", "read_seq")
        } | {"user_id": one["user_id"], "thread_id": one["thread_id"]}
    fresh = {
        (each["user_id"], each["thread_id"]): each
        for place in places
        for each in receipts.receipts(room.id, ada.pk, FetchReceipts(thread_id=place))["receipts"]
        if each["delivered_seq"]
    }
    assert kept == fresh
    assert len(fresh) == 4


def test_the_newest_mark_of_every_person_has_a_key_of_its_own(
    room: Conversation, ada: User, grace: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    monkeypatch.setattr(
        receipts,
        "announce_on_commit",
        lambda topic, event, payload, key: keys.append(key) if "receipts" in event else None,
    )
    root = say(ada, "root")

    for user, thread_id in itertools.product((ada, grace), (None, uuid.UUID(root["id"]))):
        attention.mark(room.id, user.pk, MarkRead(seq=1, thread_id=thread_id))

    assert delivery_of("receipts_changed") is Delivery.STATE
    assert len(keys) == len(set(keys)) == 4


def test_a_mark_that_is_not_further_is_not_told(
    room: Conversation, ada: User, say: Say, heard: Ear, write: Write
) -> None:
    say(ada, "hello")
    write({ada: Mark(read=1)})
    already = len(heard.told)

    write({ada: Mark(read=1)})
    assert attention.mark(room.id, ada.pk, MarkDelivered(seq=0))["read_seq"] == 1

    assert len(heard.told) == already


def test_whoever_shares_nothing_is_told_of_to_nobody_else(
    room: Conversation, ada: User, grace: User, say: Say, heard: Ear, write: Write
) -> None:
    say(ada, "hello")
    set_preferences(grace.pk, {"share_receipts": False}, is_whole=False)

    write({grace: Mark(read=1), ada: Mark(read=1)})

    told = [each.payload["receipts"] for each in heard.on(room.id) if "receipts" in each.event]
    assert [each["user_id"] for (each,) in told] == [ada.pk]
    assert set(seen_by(ada, room)) == {ada.pk}
    assert set(seen_by(grace, room)) == {ada.pk, grace.pk}
    (mine,) = [each.payload for each in heard.by_user(grace) if each.event == "unread_changed"]
    assert (mine["read_seq"], mine["unread"]) == (1, 0)
    joined = queries.welcome(queries.membership(room.id, ada.pk))
    assert [each["user_id"] for each in joined["receipts"]] == [ada.pk]  # type: ignore[typeddict-item]


def test_whoever_shares_no_more_is_forgotten_by_all_others_and_known_again_later(
    room: Conversation, ada: User, grace: User, say: Say, heard: Ear, write: Write
) -> None:
    root = say(ada, "hello")
    reply(room, grace, "hi", root)
    write({grace: Mark(read=1)})
    write({grace: Mark(read=2)}, thread_id=uuid.UUID(root["id"]))
    known: dict[tuple[int, str | None], int] = {}

    for is_shared in (False, False, True):
        already = len(heard.on(room.id))
        set_preferences(grace.pk, {"share_receipts": is_shared}, is_whole=False)
        assert len(heard.on(room.id)) - already in (0, 2)
        for told in heard.on(room.id):
            for each in told.payload.get("receipts", ()):
                known[each["user_id"], each["thread_id"]] = each["read_seq"]
            for each in told.payload.get("retracted", ()):
                known.pop((each["user_id"], each["thread_id"]), None)
        fresh = {
            (user_id, thread_id): read_seq
            for thread_id in (None, root["id"])
            for user_id, read_seq in seen_by(
                ada, room, None if thread_id is None else uuid.UUID(thread_id)
            ).items()
            if read_seq
        }
        assert known == fresh
        assert bool(fresh) == is_shared


def test_a_mark_on_its_way_when_its_person_stops_sharing_is_told_to_nobody(
    room: Conversation, grace: User, say: Say, heard: Ear, write: Write, monkeypatch: Any
) -> None:
    say(grace, "hello")
    rows = receipts._rows

    def meanwhile(spots: Any) -> Any:
        Preferences.objects.create(user=grace, values={"share_receipts": False})
        return rows(spots)

    monkeypatch.setattr(receipts, "_rows", meanwhile)
    write({grace: Mark(read=1)})

    assert [each for each in heard.on(room.id) if "receipts" in each.event] == []


def test_in_a_crowd_whoever_shares_no_more_is_counted_no_more(
    crowd: Conversation, people: People, say: Say, heard: Ear, write: Write
) -> None:
    ada, grace, _ = people
    say(ada, "hello")
    write({ada: Mark(read=1), grace: Mark(read=1)})

    set_preferences(grace.pk, {"share_receipts": False}, is_whole=False)

    told = heard.on(crowd.id)[-1].payload
    assert told["receipt_counts"]["read"] == [{"seq": 1, "count": 1}]
    assert "retracted" not in told


def test_in_a_crowd_numbers_are_told_in_place_of_names(
    crowd: Conversation, people: People, say: Say, heard: Ear, write: Write
) -> None:
    ada, grace, linus = people
    for n in range(4):
        say(ada, f"message {n}")
    set_preferences(linus.pk, {"share_receipts": False}, is_whole=False)

    write({ada: Mark(read=4), grace: Mark(delivered=4, read=2), linus: Mark(read=4)})

    counts = {
        "members": 3,
        "delivered": [{"seq": 4, "count": 2}],
        "read": [{"seq": 4, "count": 1}, {"seq": 2, "count": 2}],
    }
    (told,) = [each.payload for each in heard.on(crowd.id) if "receipts" in each.event]
    assert told == {"receipts": [], "receipt_counts": counts}
    fresh = receipts.receipts(crowd.id, grace.pk, FetchReceipts())
    assert fresh["receipt_counts"] == counts
    assert [each["user_id"] for each in fresh["receipts"]] == [grace.pk]
