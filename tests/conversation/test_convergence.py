"""Every action that announces: the facts, applied to the old snapshot, give the fresh one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Literal

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.errors import PushError
from conversation import actions
from conversation.models import Conversation, Message
from conversation.schema import (
    AddMember,
    CreateConversation,
    EditMessage,
    NameMessage,
    React,
    RemoveMember,
    RenameConversation,
    SendMessage,
    SetAssistant,
)
from tests.support.convergence import apply, replayed, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from tests.conversation.conftest import Ear, Say


pytestmark = pytest.mark.django_db(transaction=True)


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


def test_answers_in_a_thread_converge(
    room: Conversation, converges: Callable, ada: User, grace: User, say: Say
) -> None:
    root = uuid.UUID(say(grace, "why?")["id"])
    answers = [
        SendMessage(body=f"because {n}", client_id=f"c{n}", thread_id=root) for n in range(3)
    ]

    converges(*(lambda each=each: actions.send_message(room.id, ada.pk, each) for each in answers))


def test_editing_converges(room: Conversation, converges: Callable, ada: User, say: Say) -> None:
    said = uuid.UUID(say(ada, "helo")["id"])
    edits = [
        EditMessage(message_id=said, revision=1, body="hello"),
        EditMessage(message_id=said, revision=2, body="hello @grace"),
    ]

    converges(*(lambda each=each: actions.edit_message(room.id, ada.pk, each) for each in edits))


def test_deleting_converges(
    room: Conversation, converges: Callable, ada: User, grace: User, say: Say
) -> None:
    root = NameMessage(message_id=uuid.UUID(say(ada, "hello @grace")["id"]))
    answer = SendMessage(body="hi", client_id="c1", thread_id=root.message_id)
    reply = actions.send_message(room.id, grace.pk, answer).message
    heart = React(message_id=root.message_id, emoji="❤️")
    actions.add_reaction(room.id, grace.pk, heart)
    actions.pin_message(room.id, grace.pk, root)

    converges(
        lambda: actions.delete_message(room.id, ada.pk, root),
        lambda: actions.delete_message(room.id, ada.pk, root),
        lambda: actions.delete_message(
            room.id, grace.pk, NameMessage(message_id=uuid.UUID(reply["id"]))
        ),
    )


def test_reacting_converges(
    room: Conversation, converges: Callable, ada: User, grace: User, say: Say
) -> None:
    said = uuid.UUID(say(ada, "hello")["id"])
    heart, horse = (React(message_id=said, emoji=emoji) for emoji in ("❤️", "🐎"))

    converges(
        lambda: actions.add_reaction(room.id, grace.pk, horse),
        lambda: actions.add_reaction(room.id, grace.pk, heart),
        lambda: actions.add_reaction(room.id, ada.pk, heart),
        lambda: actions.add_reaction(room.id, ada.pk, heart),
        lambda: actions.remove_reaction(room.id, grace.pk, heart),
        lambda: actions.remove_reaction(room.id, grace.pk, horse),
        lambda: actions.add_reaction(room.id, grace.pk, heart),
    )


def test_pinning_converges(
    room: Conversation, converges: Callable, ada: User, grace: User, say: Say
) -> None:
    first, second = (NameMessage(message_id=uuid.UUID(say(ada, body)["id"])) for body in "ab")

    converges(
        lambda: actions.pin_message(room.id, ada.pk, first),
        lambda: actions.pin_message(room.id, grace.pk, second),
        lambda: actions.pin_message(room.id, grace.pk, first),
        lambda: actions.unpin_message(room.id, grace.pk, first),
        lambda: actions.pin_message(room.id, grace.pk, first),
    )


def test_setting_the_assistant_converges(
    room: Conversation, converges: Callable, ada: User
) -> None:
    converges(
        lambda: actions.set_assistant(room.id, ada.pk, SetAssistant(assistant="always")),
        lambda: actions.set_assistant(room.id, ada.pk, SetAssistant(assistant="off")),
    )


def test_an_answer_of_the_assistant_converges(
    room: Conversation, converges: Callable, ada: User, say: Say
) -> None:
    question = say(ada, "why?")

    def answer() -> None:
        with transaction.atomic():
            conversation = actions.lock(room.id)
            parent = Message.objects.get(pk=question["id"])
            message = actions.place_message(
                conversation, role=Message.Role.ASSISTANT, client_id="r1", parent=parent
            )
            actions.tell_message(message)
        with transaction.atomic():
            actions.complete_message(actions.lock(room.id), message, "*so*", "<em>so</em>")

    converges(answer)


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


# --- Whatever they do, in whatever order ---------------------------------------------------------
WHO, WHICH = st.sampled_from(["ada", "grace"]), st.integers(0, 5)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), WHO, st.sampled_from(["hi", "@grace?", "`@ada`"])),
        st.tuples(st.just("answer"), WHO, WHICH),
        st.tuples(st.just("edit"), WHO, WHICH, st.sampled_from(["hello", "oh @ada", "**no**"])),
        st.tuples(st.just("delete"), WHO, WHICH),
        st.tuples(st.just("react"), WHO, WHICH, st.sampled_from("❤🐎👍")),
        st.tuples(st.just("unreact"), WHO, WHICH, st.sampled_from("❤🐎👍")),
        st.tuples(st.just("pin"), WHO, WHICH),
        st.tuples(st.just("unpin"), WHO, WHICH),
        st.tuples(st.just("set"), WHO, st.sampled_from(["off", "mention", "always"])),
    ),
    min_size=1,
    max_size=14,
)


class Afternoon:
    """Does as it is told; what is refused is refused."""

    def __init__(self, room_id: uuid.UUID, people: dict[str, int]) -> None:
        self.room_id = room_id
        self.people = people
        self.said = 0

    def do(self, verb: str, who: str, *how: object) -> None:
        try:
            getattr(self, verb)(self.people[who], *how)
        except PushError:
            return

    def message(self, which: int) -> Message:
        found = Message.objects.filter(conversation=self.room_id).order_by("seq")[which:].first()
        if found is None:
            raise PushError("not_found")
        return found

    def say(self, who: int, body: str, thread_id: uuid.UUID | None = None) -> None:
        self.said += 1
        said = SendMessage(body=body, client_id=f"c{self.said}", thread_id=thread_id)
        actions.send_message(self.room_id, who, said)

    def answer(self, who: int, which: int) -> None:
        self.say(who, "because", self.message(which).id)

    def edit(self, who: int, which: int, body: str) -> None:
        message = self.message(which)
        edit = EditMessage(message_id=message.id, revision=message.revision, body=body)
        actions.edit_message(self.room_id, who, edit)

    def delete(self, who: int, which: int) -> None:
        named = NameMessage(message_id=self.message(which).id)
        actions.delete_message(self.room_id, who, named)

    def react(self, who: int, which: int, emoji: str) -> None:
        reaction = React(message_id=self.message(which).id, emoji=emoji)
        actions.add_reaction(self.room_id, who, reaction)

    def unreact(self, who: int, which: int, emoji: str) -> None:
        reaction = React(message_id=self.message(which).id, emoji=emoji)
        actions.remove_reaction(self.room_id, who, reaction)

    def pin(self, who: int, which: int) -> None:
        actions.pin_message(self.room_id, who, NameMessage(message_id=self.message(which).id))

    def unpin(self, who: int, which: int) -> None:
        actions.unpin_message(self.room_id, who, NameMessage(message_id=self.message(which).id))

    def set(self, who: int, mode: Literal["off", "mention", "always"]) -> None:
        actions.set_assistant(self.room_id, who, SetAssistant(assistant=mode))


@pytest.mark.timeout(120)
def test_whatever_is_done_who_stayed_who_came_back_and_who_comes_now_see_the_same(
    ada: User, grace: User, ear: Ear
) -> None:
    people = {"ada": ada.pk, "grace": grace.pk}

    @given(DEEDS, st.sets(st.integers(0, 13), max_size=3))
    def converges(deeds: list[tuple], joins: set[int]) -> None:
        opened = actions.create_conversation(
            ada.pk, CreateConversation(title="Chaos", members=["grace"])
        )
        room_id = uuid.UUID(opened["id"])
        afternoon = Afternoon(room_id, people)
        seen = [snapshot(room_id, grace.pk)]
        for number, deed in enumerate(deeds):
            afternoon.do(*deed)
            if number in joins:
                seen.append(snapshot(room_id, grace.pk))
        now = snapshot(room_id, grace.pk)

        told = ear.on(room_id)
        for then in seen:
            assert apply(told[then["seq"] :], then) == now
            assert apply(replayed(room_id, then["seq"], now["seq"]), then) == now

    converges()
