"""Who is told what is unread, and when: followers of threads, those who are named, those who are there."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from conversation import actions
from conversation.marks import Mark
from conversation.models import Conversation, Member
from conversation.schema import NameMessage
from conversation.unread import Reader, unread
from tests.conversation.replies import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from tests.conversation.conftest import Ear, Say

    Write = Callable[..., None]
    People = tuple[User, User, User]

pytestmark = pytest.mark.django_db(transaction=True)


def test_unread_counts_converge_on_all_devices(
    room: Conversation, ada: User, grace: User, say: Say, heard: Ear, write: Write
) -> None:
    before: dict[str, Any] = {str(room.id): next(iter(unread([grace.pk]).values()))}

    first = say(ada, "one")
    write(news_from=1)
    reply(room, ada, "@grace look", first)
    say(ada, "two")
    write({ada: Mark(read=3)}, news_from=2)
    write({grace: Mark(read=1)})
    actions.delete_message(room.id, ada.pk, NameMessage(message_id=uuid.UUID(first["id"])))
    write(news_from=4)

    for told in heard.by_user(grace):
        if told.event == "unread_changed":
            before[told.payload["conversation_id"]] = told.payload
    (fresh,) = unread([grace.pk]).values()
    assert before == {str(room.id): fresh}
    assert (fresh["unread"], fresh["mentions"], len(fresh["threads"])) == (2, 1, 1)


def test_only_who_is_there_is_told_of_news(
    room: Conversation, ada: User, grace: User, say: Say, heard: Ear, write: Write
) -> None:
    say(ada, "hello")

    write(news_from=1, is_online=lambda user_id: user_id == grace.pk)

    assert [each.event for each in heard.by_user(ada) if each.event == "unread_changed"] == []
    assert [each.event for each in heard.by_user(grace)][-1] == "unread_changed"


def test_in_a_crowd_only_the_named_and_the_readers_are_told(
    crowd: Conversation, people: People, say: Say, heard: Ear, write: Write
) -> None:
    ada, grace, linus = people
    say(ada, "@linus hello")

    write({ada: Mark(read=1)}, news_from=1)

    told = {
        user.username: [e.payload["mentions"] for e in heard.by_user(user) if "unread" in e.event]
        for user in (ada, grace, linus)
    }
    assert told == {"ada": [0], "grace": [], "linus": [1]}


def test_a_reply_makes_followers_of_who_began_who_answers_and_who_is_named(
    room: Conversation, ada: User, grace: User, linus: User, say: Say
) -> None:
    Member.objects.create(conversation=room, user=linus)
    root = say(ada, "root")
    reply(room, grace, "first", root)
    reply(room, grace, "second, @linus", root)
    reply(room, grace, "third", root)

    counts = {
        user_id: sum(thread["unread"] for thread in its["threads"])
        for (_, user_id), its in unread([ada.pk, grace.pk, linus.pk]).items()
    }

    assert counts == {ada.pk: 3, grace.pk: 0, linus.pk: 2}
    reply(room, ada, "fourth", root)
    (mine,) = unread([grace.pk]).values()
    assert [thread["unread"] for thread in mine["threads"]] == [1]


def test_whoever_only_looked_into_a_thread_follows_it_once_they_answer(
    room: Conversation, ada: User, grace: User, linus: User, say: Say, write: Write
) -> None:
    Member.objects.create(conversation=room, user=linus)
    root = say(ada, "root")
    reply(room, grace, "first", root)
    write({linus: Mark(read=2)}, thread_id=uuid.UUID(root["id"]))
    reply(room, grace, "second", root)
    assert unread([linus.pk])[Reader(room.id, linus.pk)]["threads"] == []

    reply(room, linus, "third", root)
    reply(room, grace, "fourth", root)

    (thread,) = unread([linus.pk])[Reader(room.id, linus.pk)]["threads"]
    assert thread["unread"] == 1
