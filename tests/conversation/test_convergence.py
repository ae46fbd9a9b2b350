"""Every action that announces: the facts, applied to the old snapshot, give the fresh one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from conversation import actions, queries
from conversation.schema import (
    AddMember,
    RemoveMember,
    RenameConversation,
    SendMessage,
)
from tests.support.convergence import apply, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from conversation.message_shape import MessageShape
    from conversation.models import Conversation
    from tests.conversation.conftest import Ear

    Say = Callable[[User, str], MessageShape]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def converges(room: Conversation, ada: User, ear: Ear) -> Callable[..., None]:
    """Runs actions between two snapshots of one observer, compares, then replays the facts."""

    def converges(*steps: Callable[[], object], observer: User = ada) -> None:
        before = snapshot(room.id, observer.pk)
        already = len(ear.on(room.id))
        for step in steps:
            step()
        told = ear.on(room.id)[already:]
        after = snapshot(room.id, observer.pk)

        assert told, "nothing was announced"
        assert apply(told, before) == after
        replayed = queries.facts(room.id, before["seq"], after["seq"])
        assert [(fact.event, fact.payload, fact.seq) for fact in replayed] == [
            (fact.event, fact.payload, fact.seq) for fact in told
        ]

    return converges


def test_sending_converges(room: Conversation, converges: Callable, grace: User, say: Say) -> None:
    question = say(grace, "why?")

    converges(
        lambda: say(grace, "hello"),
        lambda: say(grace, "hello"),
        lambda: actions.send_message(
            room.id,
            grace.pk,
            SendMessage(body="because", client_id="c9", reply_to=uuid.UUID(question["id"])),
        ),
    )


def test_sending_more_than_a_page_converges(converges: Callable, ada: User, say: Say) -> None:
    converges(*(lambda n=n: say(ada, f"message {n}") for n in range(60)))


def test_renaming_converges(room: Conversation, converges: Callable, ada: User) -> None:
    converges(
        lambda: actions.rename_conversation(room.id, ada.pk, RenameConversation(title="COBOL"))
    )


def test_adding_converges(room: Conversation, converges: Callable, ada: User, linus: User) -> None:
    converges(lambda: actions.add_member(room.id, ada.pk, AddMember(username="linus")))


def test_removing_converges(
    room: Conversation, converges: Callable, ada: User, grace: User
) -> None:
    converges(lambda: actions.remove_member(room.id, ada.pk, RemoveMember(user_id=grace.pk)))


def test_the_last_owners_leaving_converges_for_who_stays(
    room: Conversation, converges: Callable, ada: User, grace: User
) -> None:
    converges(
        lambda: actions.remove_member(room.id, ada.pk, RemoveMember(user_id=ada.pk)),
        observer=grace,
    )


def test_a_lively_afternoon_converges(
    room: Conversation, converges: Callable, ada: User, grace: User, linus: User, say: Say
) -> None:
    converges(
        lambda: say(ada, "welcome"),
        lambda: actions.add_member(room.id, ada.pk, AddMember(username="linus")),
        lambda: say(linus, "thanks"),
        lambda: actions.rename_conversation(room.id, ada.pk, RenameConversation(title="Kernels")),
        lambda: actions.remove_member(room.id, ada.pk, RemoveMember(user_id=grace.pk)),
        lambda: actions.add_member(room.id, ada.pk, AddMember(username="grace")),
        lambda: say(grace, "back again"),
        lambda: actions.remove_member(room.id, linus.pk, RemoveMember(user_id=linus.pk)),
    )
