"""Editing, deleting, mentions: who may, what is kept, what is told, and what never leaks."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile

from commsite.realtime.errors import PushError
from conversation import actions, hooks, queries
from conversation.assistant import actions as runs
from conversation.assistant.models import Run
from conversation.models import (
    Attachment,
    Change,
    Mention,
    Message,
    MessageRevision,
    Reaction,
)
from conversation.schema import (
    AddMember,
    CreateConversation,
    EditMessage,
    FetchHistory,
    NameMessage,
    React,
    SendMessage,
)
from tests.conversation.replies import named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import Settings

    from conversation.message_shape import MessageShape
    from conversation.models import Conversation
    from tests.conversation.conftest import Ear, Say


pytestmark = pytest.mark.django_db(transaction=True)


def edit(message: MessageShape, body: str, revision: int = 1) -> EditMessage:
    return EditMessage(message_id=uuid.UUID(message["id"]), revision=revision, body=body)


# --- Editing -------------------------------------------------------------------------------------
def test_an_edit_replaces_the_body_and_keeps_the_old_one(
    room: Conversation, ada: User, say: Say, ear: Ear
) -> None:
    said = say(ada, "helo")

    edited = actions.edit_message(room.id, ada.pk, edit(said, "*hello*"))

    assert (edited["body"], edited["html"]) == ("*hello*", "<p><em>hello</em></p>\n")
    assert edited["revision"] == 2
    assert edited["edited_at"] is not None
    kept = MessageRevision.objects.get()
    assert (kept.revision, kept.body, kept.replaced_by) == (1, "helo", ada)
    told = ear.on(room.id)[-1]
    assert (told.event, told.seq) == ("message_edited", 2)
    by = {"id": ada.pk, "username": "ada"}
    assert told.payload == {"seq": 2, "message": edited, "by": by}


def test_an_edit_of_an_older_revision_is_a_conflict_that_shows_the_current_one(
    room: Conversation, ada: User, say: Say, ear: Ear
) -> None:
    said = say(ada, "helo")
    current = actions.edit_message(room.id, ada.pk, edit(said, "hello"))

    with pytest.raises(PushError) as refused:
        actions.edit_message(room.id, ada.pk, edit(said, "hullo"))

    assert refused.value.reason == "conflict"
    assert refused.value.details == {"current": current}
    assert len(ear.on(room.id)) == 2


def test_the_same_edit_again_is_answered_and_told_to_nobody(
    room: Conversation, ada: User, say: Say, ear: Ear
) -> None:
    said = say(ada, "helo")

    first = actions.edit_message(room.id, ada.pk, edit(said, "hello"))
    again = actions.edit_message(room.id, ada.pk, edit(said, "hello"))

    assert again == first
    assert [told.event for told in ear.on(room.id)] == ["message_sent", "message_edited"]


def test_only_its_author_edits_a_message(
    room: Conversation, ada: User, grace: User, linus: User, say: Say
) -> None:
    said = say(grace, "hello")

    for somebody, reason in ((ada, "forbidden"), (linus, "not_found")):
        with pytest.raises(PushError) as refused:
            actions.edit_message(room.id, somebody.pk, edit(said, "mine now"))
        assert refused.value.reason == reason


def test_a_deleted_message_is_not_edited(room: Conversation, ada: User, say: Say) -> None:
    said = say(ada, "hello")
    left = actions.delete_message(room.id, ada.pk, named(said))

    with pytest.raises(PushError) as refused:
        actions.edit_message(room.id, ada.pk, edit(said, "back again", left["revision"]))

    assert refused.value.reason == "conflict"
    assert refused.value.details["current"]["body"] == ""


@pytest.mark.parametrize("do", [actions.edit_message, actions.delete_message])
def test_a_message_of_another_conversation_is_not_there(
    room: Conversation, ada: User, say: Say, do: Any
) -> None:
    other = actions.create_conversation(ada.pk, CreateConversation(title="Other"))
    said = say(ada, "hello")
    command = edit(said, "x") if do is actions.edit_message else named(said)

    with pytest.raises(PushError) as refused:
        do(uuid.UUID(other["id"]), ada.pk, command)

    assert refused.value.reason == "not_found"


# --- Deleting ------------------------------------------------------------------------------------
def test_nothing_is_left_of_a_deleted_message_but_its_place(
    room: Conversation, ada: User, grace: User, say: Say, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    said = say(ada, "the secret is @grace")
    message = Message.objects.get(pk=said["id"])
    stored = Attachment.objects.create(
        conversation=room,
        uploader=ada,
        message=message,
        file=ContentFile(b"secret", name="secret.txt"),
        name="secret.txt",
        size=6,
        content_type="text/plain",
    )
    actions.add_reaction(room.id, grace.pk, React(message_id=message.id, emoji="🤫"))
    actions.pin_message(room.id, grace.pk, named(said))

    left = actions.delete_message(room.id, ada.pk, named(said))

    assert (left["body"], left["html"]) == ("", "")
    assert (left["mentions"], left["reactions"], left["attachments"]) == ([], [], [])
    assert (left["pinned_at"], left["pinned_by"], left["run"]) == (None, None, None)
    assert left["deleted_at"] is not None
    assert (left["id"], left["seq"]) == (said["id"], said["seq"])
    assert not Reaction.objects.exists()
    assert not Mention.objects.exists()
    assert not Attachment.objects.filter(pk=stored.pk, message=message).exists()
    assert MessageRevision.objects.get().body == "the secret is @grace"
    assert queries.pins(room.id, ada.pk) == []


def test_no_replay_page_or_list_shows_what_was_deleted(
    room: Conversation, ada: User, grace: User
) -> None:
    command = SendMessage(body="the secret is out", client_id="c1")
    said = actions.send_message(room.id, ada.pk, command).message
    actions.edit_message(room.id, ada.pk, edit(said, "the secret is still out"))
    actions.delete_message(room.id, ada.pk, named(said))

    me = queries.membership(room.id, grace.pk)
    shown = [
        *(fact.payload for fact in queries.facts(room.id, 0, 100)),
        queries.newest(room.id, 100),
        queries.history(room.id, grace.pk, FetchHistory()),
        queries.my_conversation(room.id, grace.pk),
        queries.welcome(me),
        *Change.objects.values_list("payload", flat=True),
    ]

    assert [each for each in shown if "secret" in json.dumps(each)] == []


def test_a_second_delete_is_answered_and_told_to_nobody(
    room: Conversation, ada: User, say: Say, ear: Ear
) -> None:
    said = say(ada, "hello")

    first = actions.delete_message(room.id, ada.pk, named(said))
    again = actions.delete_message(room.id, ada.pk, named(said))

    assert again == first
    assert [told.event for told in ear.on(room.id)] == ["message_sent", "message_deleted"]


def test_its_author_and_an_owner_delete_a_message_and_nobody_else(
    room: Conversation, ada: User, grace: User, linus: User, say: Say
) -> None:
    first, second = say(grace, "one"), say(ada, "two")

    with pytest.raises(PushError) as refused:
        actions.delete_message(room.id, grace.pk, named(second))
    with pytest.raises(PushError) as unknown:
        actions.delete_message(room.id, linus.pk, named(second))
    actions.delete_message(room.id, ada.pk, named(first))  # owns the conversation

    assert refused.value.reason == "forbidden"
    assert unknown.value.reason == "not_found"
    assert Message.objects.get(pk=first["id"]).deleted_at is not None


@pytest.fixture
def answered(
    room: Conversation, ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], NameMessage]:
    """`answered("running")`: an answer of the assistant that Grace has asked for, in that state."""

    def answered(status: str) -> NameMessage:
        message = Message.objects.create(
            conversation=room, seq=50, role="assistant", client_id="r1", body="42"
        )
        started_by = {"id": grace.pk, "username": "grace"}
        run = {"id": "r1", "status": status, "started_by": started_by}
        monkeypatch.setattr(hooks, "_run_readers", [lambda ids: dict.fromkeys(ids, run)])
        return NameMessage(message_id=message.id)

    return answered


def test_who_asked_for_an_answer_may_delete_it(
    room: Conversation, ada: User, grace: User, answered: Callable[[str], NameMessage]
) -> None:
    answer = answered("finished")

    assert actions.delete_message(room.id, grace.pk, answer)["body"] == ""


def test_others_may_not_delete_an_answer(
    room: Conversation, ada: User, linus: User, answered: Callable[[str], NameMessage]
) -> None:
    actions.add_member(room.id, ada.pk, AddMember(username="linus"))

    with pytest.raises(PushError) as refused:
        actions.delete_message(room.id, linus.pk, answered("finished"))

    assert refused.value.reason == "forbidden"


def test_an_answer_that_is_being_written_is_not_deleted(
    room: Conversation, ada: User, answered: Callable[[str], NameMessage]
) -> None:
    with pytest.raises(PushError) as refused:
        actions.delete_message(room.id, ada.pk, answered("running"))

    assert (refused.value.reason, refused.value.details) == ("conflict", {"run_id": "r1"})


def test_what_the_tools_of_a_deleted_answer_brought_is_shown_to_nobody(
    room: Conversation, ada: User
) -> None:
    message = Message.objects.create(
        conversation=room, seq=50, role="assistant", client_id="r1", body="the secret"
    )
    run = Run.objects.create(
        message=message,
        conversation=room,
        status="finished",
        backend="workspace",
        started_by=ada,
        parts=[{"type": "tool", "result": "the secret"}],
    )

    actions.delete_message(room.id, ada.pk, NameMessage(message_id=message.id))

    fetched = runs.fetch_run(room.id, ada.pk, run.id)
    assert "secret" not in json.dumps([fetched, queries.newest(room.id, 100)])
    assert fetched["status"] == "finished"


# --- Mentions ------------------------------------------------------------------------------------
def test_members_who_are_named_are_mentioned_and_others_are_not(
    room: Conversation, ada: User, grace: User, linus: User, say: Say
) -> None:
    said = say(ada, "@grace. and @linus, `@ada` and me@grace")

    assert said["mentions"] == [grace.pk]
    assert not said["mentions_assistant"]
    assert f'<span class="mention" data-user="{grace.pk}">@grace</span>' in said["html"]
    assert queries.newest(room.id, 100) == [said]


def test_an_edit_mentions_anew(room: Conversation, ada: User, grace: User, say: Say) -> None:
    said = say(ada, "@grace @assistant")

    edited = actions.edit_message(room.id, ada.pk, edit(said, "@ada"))

    assert said["mentions_assistant"]
    assert '<span class="mention" data-user="0">@assistant</span>' in said["html"]
    assert edited["mentions"] == [ada.pk]
    assert not edited["mentions_assistant"]


# --- Who takes part ------------------------------------------------------------------------------
def test_handlers_get_each_new_message_once_with_its_conversation_in_its_transaction(
    room: Conversation, ada: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = []
    monkeypatch.setattr(hooks, "_on_message", [])
    actions.on_message(lambda message, conversation: met.append((message, conversation)))

    said = say(ada, "hello")
    say(ada, "hello")

    ((message, conversation),) = met
    assert (str(message.id), message.body) == (said["id"], "hello")
    assert (conversation.id, conversation.last_seq) == (room.id, 1)
    assert (conversation.title, conversation.assistant) == ("Compilers", "mention")
    assert conversation.created_at == room.created_at


def test_a_handler_that_fails_undoes_the_message(
    room: Conversation, ada: User, say: Say, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(message: Message, conversation: Conversation) -> None:
        raise PushError("overloaded")

    monkeypatch.setattr(hooks, "_on_message", [fail])
    with pytest.raises(PushError):
        say(ada, "hello")

    assert not Message.objects.exists()
    assert ear.on(room.id) == []


# --- Costs ---------------------------------------------------------------------------------------
def test_what_belongs_to_messages_is_read_in_the_same_queries_for_one_or_many(
    room: Conversation,
    ada: User,
    grace: User,
    say: Say,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(12):
        said = say(ada, f"{number} @grace @ada")
        for emoji in ("❤️", "🐎"):
            reaction = React(message_id=uuid.UUID(said["id"]), emoji=emoji)
            actions.add_reaction(room.id, grace.pk, reaction)
        actions.pin_message(room.id, grace.pk, named(said))

    for limit in (1, 12):
        with django_assert_num_queries(6):  # as ever, and who has pinned
            queries.history(room.id, ada.pk, FetchHistory(limit=limit))
