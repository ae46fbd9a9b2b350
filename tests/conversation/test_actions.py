"""Writes: who may, what is stored once, what is told after the commit."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction

from commsite.realtime.errors import PushError
from conversation import actions
from conversation.models import Change, Conversation, Member, Message
from conversation.schema import (
    AddMember,
    CreateConversation,
    RemoveMember,
    RenameConversation,
    SendMessage,
)
from conversation.time_ordered import time_ordered_id

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from tests.conversation.conftest import Ear, Say


pytestmark = pytest.mark.django_db(transaction=True)


# --- Messages ------------------------------------------------------------------------------------
def test_the_first_message_is_number_one_and_each_next_one_follows(
    room: Conversation, ada: User, grace: User, say: Say
) -> None:
    seqs = [say(ada, "one")["seq"], say(grace, "two")["seq"], say(ada, "three")["seq"]]

    assert seqs == [1, 2, 3]


def test_a_message_is_stored_as_given_and_told_once(
    room: Conversation, ada: User, ear: Ear
) -> None:
    body = "  <b>not bold</b>\n\t& \U0001f40e\u202e\u200b "

    sent = actions.send_message(room.id, ada.pk, SendMessage(body=body, client_id="c1"))

    assert sent.is_new
    assert Message.objects.get().body == body
    assert sent.message["body"] == body
    assert sent.message["author"] == {"id": ada.pk, "username": "ada"}
    assert [(told.event, told.payload, told.seq) for told in ear.on(room.id)] == [
        ("message_sent", {"message": sent.message}, 1)
    ]


def test_the_same_client_id_is_the_same_message_and_is_not_told_again(
    room: Conversation, ada: User, ear: Ear
) -> None:
    command = SendMessage(body="hello", client_id="c1")
    first = actions.send_message(room.id, ada.pk, command)

    again = actions.send_message(room.id, ada.pk, command)

    assert again == (first.message, False)
    assert len(ear.on(room.id)) == 1
    room.refresh_from_db()
    assert room.last_seq == 1


def test_a_repeated_send_leaves_no_gap_behind(room: Conversation, ada: User, say: Say) -> None:
    say(ada, "one")
    say(ada, "one")

    assert say(ada, "two")["seq"] == 2


def test_two_people_may_use_the_same_client_id(room: Conversation, ada: User, grace: User) -> None:
    command = SendMessage(body="hello", client_id="c1")

    ids = {
        actions.send_message(room.id, author.pk, command).message["id"] for author in (ada, grace)
    }

    assert len(ids) == 2


def test_a_stranger_can_not_send_and_takes_no_seq(
    room: Conversation, linus: User, ada: User, say: Say, ear: Ear
) -> None:
    with pytest.raises(PushError) as refused:
        actions.send_message(room.id, linus.pk, SendMessage(body="hi", client_id="c1"))

    assert refused.value.reason == "not_found"
    assert say(ada, "one")["seq"] == 1
    assert len(ear.on(room.id)) == 1


def test_nobody_can_send_to_a_conversation_that_does_not_exist(ada: User) -> None:
    with pytest.raises(PushError, match="not_found"):
        actions.send_message(uuid.uuid4(), ada.pk, SendMessage(body="hi", client_id="c1"))


def test_a_reply_names_its_message(room: Conversation, ada: User, say: Say) -> None:
    question = say(ada, "why?")
    command = SendMessage(body="because", client_id="c2", reply_to=uuid.UUID(question["id"]))

    answer = actions.send_message(room.id, ada.pk, command).message

    assert answer["reply_to"] == question["id"]


def test_to_say_nothing_is_refused(room: Conversation, ada: User, ear: Ear) -> None:
    with pytest.raises(PushError) as refused:
        actions.send_message(room.id, ada.pk, SendMessage(body="", client_id="c1"))

    assert refused.value.reason == "invalid_payload"
    assert ear.on(room.id) == []


def test_a_reply_to_a_message_of_another_conversation_is_refused(
    room: Conversation, ada: User, say: Say
) -> None:
    elsewhere = actions.create_conversation(ada.pk, CreateConversation(title="Elsewhere"))
    question = say(ada, "why?")
    command = SendMessage(body="because", client_id="c2", reply_to=uuid.UUID(question["id"]))

    with pytest.raises(PushError) as refused:
        actions.send_message(uuid.UUID(elsewhere["id"]), ada.pk, command)

    assert refused.value.reason == "invalid_payload"
    assert Conversation.objects.get(pk=elsewhere["id"]).last_seq == 0


def test_a_rolled_back_message_is_not_told_and_gives_its_seq_back(
    room: Conversation, ada: User, say: Say, ear: Ear
) -> None:
    def interrupted() -> None:
        with transaction.atomic():
            say(ada, "never said")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()

    assert ear.on(room.id) == []
    assert say(ada, "said")["seq"] == 1


def test_sending_costs_three_statements_in_one_transaction(
    room: Conversation,
    ada: User,
    say: Say,
    ear: Ear,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    # BEGIN and COMMIT, the UPDATE that locks, the membership, the INSERT.
    with django_assert_num_queries(5):
        say(ada, "hello")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="counts SQLite's own steps")
def test_sending_costs_the_same_however_much_was_said_before(
    room: Conversation, ada: User, say: Say, ear: Ear
) -> None:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def steps_of_sending(*bodies: str) -> int:
        """The least of them: now and then one has its share in tidying up the search index."""
        nonlocal steps
        counts = []
        for body in bodies:
            steps = 0
            connection.connection.set_progress_handler(step, 50)
            say(ada, body)
            connection.connection.set_progress_handler(None, 0)
            counts.append(steps)
        return min(counts)

    say(ada, "hello")
    early = steps_of_sending("early", "still early", "no longer so early")
    Message.objects.bulk_create(
        Message(conversation=room, seq=100 + n, author=ada, client_id=f"b{n}", body="x")
        for n in range(2000)
    )
    late = steps_of_sending("late", "later", "too late")

    assert late <= early + 2


def test_message_ids_sort_in_the_order_of_their_making() -> None:
    first = time_ordered_id()
    while (second := time_ordered_id()).bytes[:6] == first.bytes[:6]:
        pass

    assert first < second
    assert first.version == second.version == 7
    assert first.variant == uuid.RFC_4122


# --- Conversations -------------------------------------------------------------------------------
def test_whoever_opens_a_conversation_owns_it(ada: User, grace: User, ear: Ear) -> None:
    created = actions.create_conversation(
        ada.pk, CreateConversation(title="  Compilers ", members=["grace", "ada", "grace"])
    )

    assert created["title"] == "Compilers"
    assert [(member["username"], member["role"]) for member in created["members"]] == [
        ("ada", "owner"),
        ("grace", "member"),
    ]
    assert [told.payload["role"] for told in ear.by_user(ada)] == ["owner"]
    assert [told.payload["role"] for told in ear.by_user(grace)] == ["member"]


def test_a_conversation_with_unknown_people_is_not_opened(ada: User, grace: User) -> None:
    grace.is_active = False
    grace.save()

    with pytest.raises(PushError, match="Nobody is called grace, nobody"):
        actions.create_conversation(
            ada.pk, CreateConversation(title="Compilers", members=["nobody", "grace"])
        )

    assert not Conversation.objects.exists()


def test_an_owner_renames(room: Conversation, ada: User, ear: Ear) -> None:
    actions.rename_conversation(room.id, ada.pk, RenameConversation(title="COBOL"))
    actions.rename_conversation(room.id, ada.pk, RenameConversation(title="COBOL"))

    room.refresh_from_db()
    assert room.title == "COBOL"
    (told,) = ear.on(room.id)
    assert told.event == "conversation_renamed"
    assert told.payload == {
        "seq": 1,
        "conversation": {"id": str(room.id), "title": "COBOL"},
        "by": {"id": ada.pk, "username": "ada"},
    }


@pytest.mark.parametrize(("who", "reason"), [("grace", "forbidden"), ("linus", "not_found")])
def test_only_an_owner_renames_adds_and_removes(
    room: Conversation, ada: User, grace: User, linus: User, who: str, reason: str
) -> None:
    actor = {"grace": grace, "linus": linus}[who].pk
    attempts = [
        lambda: actions.rename_conversation(room.id, actor, RenameConversation(title="Mine")),
        lambda: actions.add_member(room.id, actor, AddMember(username="linus")),
        lambda: actions.remove_member(room.id, actor, RemoveMember(user_id=ada.pk)),
    ]

    for attempt in attempts:
        with pytest.raises(PushError) as refused:
            attempt()
        assert refused.value.reason == reason

    assert not Change.objects.exists()


# --- Members -------------------------------------------------------------------------------------
def test_an_added_member_is_told_of_on_both_topics(
    room: Conversation, ada: User, linus: User, ear: Ear
) -> None:
    added = actions.add_member(room.id, ada.pk, AddMember(username="linus"))

    assert added.is_new
    (told,) = ear.on(room.id)
    assert (told.event, told.payload["member"]) == ("member_added", added.member)
    (heard,) = ear.by_user(linus)
    assert heard.payload["conversation"]["title"] == "Compilers"


def test_adding_a_member_again_changes_nothing(room: Conversation, ada: User, ear: Ear) -> None:
    added = actions.add_member(room.id, ada.pk, AddMember(username="grace"))

    assert not added.is_new
    assert ear.told == []


def test_a_removed_member_is_told_of_and_cut_off(
    room: Conversation, ada: User, grace: User, ear: Ear
) -> None:
    actions.remove_member(room.id, ada.pk, RemoveMember(user_id=grace.pk))

    (told,) = ear.on(room.id)
    assert (told.event, told.payload["member"]["id"]) == ("member_removed", grace.pk)
    assert ear.controls == [
        (
            "conversation_member_removed",
            {"topic": f"conversation:{room.id}", "user_id": grace.pk},
        )
    ]
    assert [heard.payload["role"] for heard in ear.by_user(grace)] == [None]
    with pytest.raises(PushError, match="not_found"):
        actions.send_message(room.id, grace.pk, SendMessage(body="still here?", client_id="c1"))


def test_a_member_may_leave(room: Conversation, grace: User, ear: Ear) -> None:
    actions.remove_member(room.id, grace.pk, RemoveMember(user_id=grace.pk))

    assert [told.event for told in ear.on(room.id)] == ["member_removed"]


def test_removing_somebody_who_is_not_in_is_refused(
    room: Conversation, ada: User, linus: User, ear: Ear
) -> None:
    with pytest.raises(PushError, match="no such member"):
        actions.remove_member(room.id, ada.pk, RemoveMember(user_id=linus.pk))

    assert ear.told == []


def test_removing_a_member_again_changes_nothing(
    room: Conversation, ada: User, grace: User, ear: Ear
) -> None:
    actions.remove_member(room.id, ada.pk, RemoveMember(user_id=grace.pk))
    told = len(ear.told)

    actions.remove_member(room.id, ada.pk, RemoveMember(user_id=grace.pk))
    assert len(ear.told) == told

    actions.add_member(room.id, ada.pk, AddMember(username="grace"))
    actions.remove_member(room.id, ada.pk, RemoveMember(user_id=grace.pk))
    assert not Member.objects.filter(user=grace).exists()


def test_when_the_last_owner_leaves_whoever_was_in_longest_owns_the_conversation(
    room: Conversation, ada: User, grace: User, linus: User, ear: Ear
) -> None:
    actions.add_member(room.id, ada.pk, AddMember(username="linus"))

    actions.remove_member(room.id, ada.pk, RemoveMember(user_id=ada.pk))

    assert [told.event for told in ear.on(room.id)] == [
        "member_added",
        "member_removed",
        "member_changed",
    ]
    owners = Member.objects.filter(conversation=room, role=Member.Role.OWNER)
    assert [owner.user for owner in owners] == [grace]


def test_the_last_member_may_leave_too(room: Conversation, ada: User, grace: User) -> None:
    for person in (grace, ada):
        actions.remove_member(room.id, person.pk, RemoveMember(user_id=person.pk))

    assert not Member.objects.filter(conversation=room).exists()
    assert Conversation.objects.filter(pk=room.pk).exists()
