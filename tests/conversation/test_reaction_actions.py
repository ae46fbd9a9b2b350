"""Reactions and pins: sets that all members share, bounded, told once."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from commsite.realtime.errors import PushError
from conversation import actions, queries
from conversation.models import Message
from conversation.schema import MAX_EMOJI, MAX_PINS, NameMessage, React

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.conversation.conftest import Ear, Say


pytestmark = pytest.mark.django_db(transaction=True)
EMOJI = [chr(0x1F600 + n) for n in range(MAX_EMOJI + 1)]


@pytest.fixture
def said(ada: User, say: Say, ear: Ear) -> uuid.UUID:
    return uuid.UUID(say(ada, "hello")["id"])


# --- Reactions -----------------------------------------------------------------------------------
def test_a_reaction_is_kept_told_and_shown(
    room: Conversation, ada: User, grace: User, said: uuid.UUID, ear: Ear
) -> None:
    actions.add_reaction(room.id, grace.pk, React(message_id=said, emoji="🐎"))
    answer = actions.add_reaction(room.id, ada.pk, React(message_id=said, emoji="🐎"))

    both = [{"emoji": "🐎", "user_ids": [ada.pk, grace.pk]}]
    assert answer == {"message_id": str(said), "reactions": both}
    assert queries.newest(room.id, 100)[0]["reactions"] == both
    user = {"id": ada.pk, "username": "ada"}
    told = ear.on(room.id)[-1]
    assert told.event == "reaction_added"
    assert told.payload == {"seq": 3, "message_id": str(said), "emoji": "🐎", "user": user}


def test_the_same_reaction_again_and_taking_back_what_is_not_there_tell_nothing(
    room: Conversation, grace: User, said: uuid.UUID, ear: Ear
) -> None:
    horse = React(message_id=said, emoji="🐎")

    first = actions.add_reaction(room.id, grace.pk, horse)
    assert actions.add_reaction(room.id, grace.pk, horse) == first
    gone = actions.remove_reaction(room.id, grace.pk, horse)
    assert actions.remove_reaction(room.id, grace.pk, horse) == gone

    assert gone["reactions"] == []
    events = [told.event for told in ear.on(room.id)]
    assert events == ["message_sent", "reaction_added", "reaction_removed"]


def test_nobody_takes_back_the_reaction_of_another(
    room: Conversation, ada: User, grace: User, said: uuid.UUID
) -> None:
    horse = React(message_id=said, emoji="🐎")
    actions.add_reaction(room.id, grace.pk, horse)

    left = actions.remove_reaction(room.id, ada.pk, horse)

    assert left["reactions"] == [{"emoji": "🐎", "user_ids": [grace.pk]}]


def test_a_message_has_at_most_twenty_different_reactions(
    room: Conversation, ada: User, grace: User, said: uuid.UUID
) -> None:
    for emoji in EMOJI[:MAX_EMOJI]:
        actions.add_reaction(room.id, ada.pk, React(message_id=said, emoji=emoji))

    with pytest.raises(PushError) as refused:
        actions.add_reaction(room.id, grace.pk, React(message_id=said, emoji=EMOJI[MAX_EMOJI]))
    joined = actions.add_reaction(room.id, grace.pk, React(message_id=said, emoji=EMOJI[0]))

    assert refused.value.reason == "too_large"
    assert joined["reactions"][0]["user_ids"] == [ada.pk, grace.pk]


def test_what_is_no_emoji_is_no_reaction(room: Conversation, ada: User, said: uuid.UUID) -> None:
    with pytest.raises(PushError) as refused:
        actions.add_reaction(room.id, ada.pk, React(message_id=said, emoji="spam"))

    assert refused.value.reason == "invalid_payload"


# --- Pins ----------------------------------------------------------------------------------------
def test_a_pin_is_there_for_all_until_somebody_takes_it_away(
    room: Conversation, ada: User, grace: User, said: uuid.UUID, ear: Ear
) -> None:
    this = NameMessage(message_id=said)

    pinned = actions.pin_message(room.id, grace.pk, this)
    (shown,) = queries.pins(room.id, ada.pk)
    joined = queries.welcome(queries.membership(room.id, ada.pk))["pins"]
    unpinned = actions.unpin_message(room.id, ada.pk, this)

    by = {"id": grace.pk, "username": "grace"}
    assert (shown["pinned_at"], shown["pinned_by"]) == (pinned["pinned_at"], by)
    assert joined == [str(said)]
    assert unpinned == {"message_id": str(said), "pinned_at": None}
    assert queries.pins(room.id, ada.pk) == []
    first, second = ear.on(room.id)[-2:]
    assert (first.event, first.payload) == ("message_pinned", {"seq": 2, **pinned, "by": by})
    assert (second.event, second.payload["pinned_at"]) == ("message_unpinned", None)


def test_pinning_what_is_pinned_tells_nothing(
    room: Conversation, ada: User, grace: User, said: uuid.UUID, ear: Ear
) -> None:
    this = NameMessage(message_id=said)

    actions.unpin_message(room.id, ada.pk, this)
    first = actions.pin_message(room.id, grace.pk, this)
    again = actions.pin_message(room.id, ada.pk, this)

    assert again == first
    assert [told.event for told in ear.on(room.id)] == ["message_sent", "message_pinned"]


def test_a_conversation_has_at_most_a_hundred_pins(
    room: Conversation, ada: User, said: uuid.UUID
) -> None:
    Message.objects.bulk_create(
        Message(
            conversation=room,
            seq=100 + n,
            author=ada,
            client_id=f"p{n}",
            body="x",
            pinned_at=room.created_at,
            pinned_by=ada,
        )
        for n in range(MAX_PINS)
    )

    with pytest.raises(PushError) as refused:
        actions.pin_message(room.id, ada.pk, NameMessage(message_id=said))

    assert refused.value.reason == "too_large"


# --- Who may, on what ----------------------------------------------------------------------------
DEEDS = {
    "add_reaction": lambda pk: React(message_id=pk, emoji="🐎"),
    "remove_reaction": lambda pk: React(message_id=pk, emoji="🐎"),
    "pin_message": lambda pk: NameMessage(message_id=pk),
    "unpin_message": lambda pk: NameMessage(message_id=pk),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_strangers_and_messages_that_are_not_there_are_not_found(
    room: Conversation, ada: User, linus: User, said: uuid.UUID, ear: Ear, deed: str
) -> None:
    for user, message_id in ((linus, said), (ada, uuid.uuid4())):
        with pytest.raises(PushError) as refused:
            getattr(actions, deed)(room.id, user.pk, DEEDS[deed](message_id))
        assert refused.value.reason == "not_found"

    assert len(ear.on(room.id)) == 1


@pytest.mark.parametrize("deed", ["add_reaction", "pin_message"])
def test_nothing_is_added_to_a_deleted_message(
    room: Conversation, ada: User, said: uuid.UUID, deed: str
) -> None:
    actions.delete_message(room.id, ada.pk, NameMessage(message_id=said))

    with pytest.raises(PushError) as refused:
        getattr(actions, deed)(room.id, ada.pk, DEEDS[deed](said))

    assert refused.value.reason == "conflict"
