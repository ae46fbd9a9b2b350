"""The admin looks at everything, and changes only what the members then hear of."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from conversation import actions, attention
from conversation.attention_schema import MarkRead
from conversation.models import Attachment, Change, Conversation, Member, Message, ReadMark
from conversation.schema import AddMember, EditMessage, NameMessage, React, SendMessage
from tests.support.convergence import apply, snapshot

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import Model
    from django.test import Client

    from tests.conversation.conftest import Ear, Say


pytestmark = pytest.mark.django_db(transaction=True)


def page(model: type[Model], verb: str, *args: object) -> str:
    return reverse(f"admin:conversation_{model.__name__.lower()}_{verb}", args=args)


@pytest.mark.parametrize("model", [Conversation, Member, Message, Change, Attachment])
def test_everything_can_be_listed_searched_and_looked_at(
    admin_client: Client, room: Conversation, ada: User, linus: User, say: Say, model: type[Model]
) -> None:
    say(ada, "hello")
    actions.add_member(room.id, ada.pk, AddMember(username="linus"))
    rows = {
        Conversation: room,
        Member: Member.objects.filter(user=linus).get(),
        Message: Message.objects.get(),
        Change: Change.objects.get(),
        Attachment: Attachment.objects.create(
            conversation=room,
            uploader=ada,
            file="a/b",
            name="hello",
            size=1,
            content_type="text/plain",
        ),
    }

    for query in ("", "?q=hello", f"?q={room.id}", "?q=ada"):
        assert admin_client.get(page(model, "changelist") + query).status_code == 200
    assert admin_client.get(page(model, "change", rows[model].pk)).status_code == 200


def test_a_conversation_is_found_by_its_id(admin_client: Client, room: Conversation) -> None:
    answer = admin_client.get(page(Conversation, "changelist"), {"q": str(room.id)})

    assert answer.context["cl"].result_count == 1


@pytest.mark.parametrize("model", [Conversation, Message, Change])
def test_nothing_that_has_a_place_in_history_can_be_deleted(
    admin_client: Client, room: Conversation, ada: User, linus: User, say: Say, model: type[Model]
) -> None:
    say(ada, "hello")
    actions.add_member(room.id, ada.pk, AddMember(username="linus"))
    row = model._default_manager.first()
    assert row is not None

    assert admin_client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert admin_client.get(page(model, "add")).status_code == 403


def test_what_the_admin_changes_is_told_to_the_members(
    admin_client: Client, room: Conversation, ada: User, grace: User, linus: User, ear: Ear
) -> None:
    before = snapshot(room.id, ada.pk)

    answers = [
        admin_client.post(
            page(Conversation, "change", room.pk), {"title": "COBOL", "assistant": "off"}
        ),
        admin_client.post(
            page(Member, "add"), {"conversation": room.pk, "user": linus.pk, "role": "owner"}
        ),
        admin_client.post(
            page(Member, "delete", Member.objects.get(user=grace).pk), {"post": "yes"}
        ),
    ]

    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert [told.event for told in ear.on(room.id)] == [
        "conversation_renamed",
        "conversation_changed",
        "member_added",
        "member_removed",
    ]
    assert apply(ear.on(room.id), before) == snapshot(room.id, ada.pk)
    assert [control["user_id"] for _, control in ear.controls] == [grace.pk]


def test_several_members_are_removed_at_once(
    admin_client: Client, room: Conversation, ada: User, grace: User, ear: Ear
) -> None:
    chosen = [member.pk for member in Member.objects.all()]

    answer = admin_client.post(
        page(Member, "changelist"),
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )

    assert answer.status_code == 302
    assert {control["user_id"] for _, control in ear.controls} == {ada.pk, grace.pk}
    assert not Member.objects.exists()


def test_the_admin_still_reads_what_was_edited_or_deleted_and_who_reacted(
    admin_client: Client, room: Conversation, ada: User, grace: User
) -> None:
    sent = actions.send_message(room.id, ada.pk, SendMessage(body="first words", client_id="c1"))
    said = uuid.UUID(sent.message["id"])
    actions.edit_message(
        room.id, ada.pk, EditMessage(message_id=said, revision=1, body="second words")
    )
    actions.add_reaction(room.id, grace.pk, React(message_id=said, emoji="🐎"))
    look = page(Message, "change", said)

    reacted = admin_client.get(look).content.decode()
    actions.delete_message(room.id, ada.pk, NameMessage(message_id=said))
    deleted = admin_client.get(look).content.decode()
    found = admin_client.get(page(Message, "changelist"), {"q": "first words"})

    assert "🐎" in reacted
    assert "first words" in deleted
    assert "second words" in deleted
    assert found.context["cl"].result_count == 1
    assert "deleted, edited" in found.content.decode()


def test_how_far_members_have_got_can_be_seen_and_not_touched(
    admin_client: Client, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    say(ada, "hello")
    attention.mark(room.id, grace.pk, MarkRead(seq=1))
    (mark,) = ReadMark.objects.all()

    for query in ("", f"?q={room.id}", "?q=grace", "?thread__isempty=1"):
        shown = admin_client.get(page(ReadMark, "changelist") + query)
        assert shown.context["cl"].result_count == 1
    assert admin_client.get(page(ReadMark, "change", mark.pk)).status_code == 200
    assert admin_client.get(page(ReadMark, "add")).status_code == 403
    assert admin_client.post(page(ReadMark, "delete", mark.pk)).status_code == 403


def test_an_admin_deletes_messages_for_everybody(
    admin_client: Client, room: Conversation, ada: User, grace: User, say: Say, ear: Ear
) -> None:
    before = snapshot(room.id, ada.pk)
    chosen = [say(grace, "first")["id"], say(grace, "second")["id"]]
    deletion = {"action": "delete_for_everybody", "_selected_action": chosen}

    for _ in range(2):
        admin_client.post(page(Message, "changelist"), deletion)

    events = [told.event for told in ear.on(room.id)]
    assert events == ["message_sent"] * 2 + ["message_deleted"] * 2
    assert not Message.objects.exclude(body="").exists()
    assert apply(ear.on(room.id), before) == snapshot(room.id, ada.pk)
