"""Threads: read by themselves, counted on the message that they hang on, and never more than one deep."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from commsite.realtime.errors import PushError
from conversation import actions, queries
from conversation.schema import (
    CreateConversation,
    FetchHistory,
    SendMessage,
)
from tests.conversation.replies import named, reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.conversation.conftest import Ear, Say


pytestmark = pytest.mark.django_db(transaction=True)


def test_a_thread_is_read_by_itself_and_counted_on_its_first_message(
    room: Conversation, ada: User, grace: User, say: Say, ear: Ear
) -> None:
    root = say(ada, "why?")

    first = reply(room, grace, "one", root)
    second = reply(room, ada, "two", root)

    numbers = {"id": root["id"], "reply_count": 2, "last_reply_at": second["created_at"]}
    assert ear.on(room.id)[-1].payload == {"message": second, "root": numbers}
    main = queries.history(room.id, ada.pk, FetchHistory())["messages"]
    assert [each["id"] for each in main] == [root["id"]]
    assert (main[0]["reply_count"], main[0]["last_reply_at"]) == (2, second["created_at"])
    page = FetchHistory(thread_id=uuid.UUID(root["id"]))
    assert queries.history(room.id, ada.pk, page)["messages"] == [first, second]
    assert queries.newest(room.id, 100) == main


def test_deleted_replies_do_not_count(room: Conversation, ada: User, say: Say, ear: Ear) -> None:
    root = say(ada, "why?")
    first = reply(room, ada, "one", root)
    second = reply(room, ada, "two", root)

    actions.delete_message(room.id, ada.pk, named(second))
    told_first = ear.on(room.id)[-1].payload["root"]
    actions.delete_message(room.id, ada.pk, named(first))
    told_second = ear.on(room.id)[-1].payload["root"]

    assert (told_first["reply_count"], told_first["last_reply_at"]) == (1, first["created_at"])
    assert (told_second["reply_count"], told_second["last_reply_at"]) == (0, None)


def test_a_deleted_message_keeps_its_thread(room: Conversation, ada: User, say: Say) -> None:
    root = say(ada, "why?")
    reply(room, ada, "one", root)

    left = actions.delete_message(room.id, ada.pk, named(root))
    reply(room, ada, "two", root)

    assert left["reply_count"] == 1
    page = FetchHistory(thread_id=uuid.UUID(root["id"]))
    bodies = [each["body"] for each in queries.history(room.id, ada.pk, page)["messages"]]
    assert bodies == ["one", "two"]


def test_a_thread_begins_only_at_a_message_of_this_main_timeline(
    room: Conversation, ada: User, say: Say
) -> None:
    other = actions.create_conversation(ada.pk, CreateConversation(title="Other"))
    elsewhere = actions.send_message(
        uuid.UUID(other["id"]), ada.pk, SendMessage(body="x", client_id="x")
    ).message
    inside = reply(room, ada, "because", say(ada, "why?"))

    for wrong in (elsewhere, inside):
        with pytest.raises(PushError) as refused:
            reply(room, ada, "no", wrong)
        assert refused.value.reason == "invalid_payload"
