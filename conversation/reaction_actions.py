"""Writes of what members do with a message: reactions and pins. Both are sets: twice is once."""

import uuid
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from commsite.realtime.errors import PushError
from conversation import queries
from conversation.emoji import is_reaction
from conversation.facts import lock, record
from conversation.message_parts import shape as shape_of
from conversation.message_shape import moment
from conversation.models import Change, Conversation, Member, Message, Reaction
from conversation.queries import find
from conversation.schema import (
    MAX_EMOJI,
    MAX_PINS,
    NameMessage,
    PinAnswer,
    React,
    ReactionAnswer,
    person_shape,
)


class _Touched(NamedTuple):
    conversation: Conversation
    me: Member
    message: Message


def _touch(conversation_id: uuid.UUID, user_id: int, message_id: uuid.UUID) -> _Touched:
    conversation = lock(conversation_id)
    me = queries.membership(conversation_id, user_id)
    return _Touched(conversation, me, find(conversation_id, message_id))


def _check_is_there(message: Message) -> None:
    if message.deleted_at is not None:
        raise PushError("conflict", "The message is deleted.", current=shape_of(message))


# --- Reactions -----------------------------------------------------------------------------------
@transaction.atomic
def add_reaction(conversation_id: uuid.UUID, user_id: int, command: React) -> ReactionAnswer:
    """Adds the member's emoji to the message; one that is there already changes and tells nothing.

    Raises PushError: "not_found" for strangers and for messages that are not there,
    "invalid_payload" for what is no emoji, "conflict" for a deleted message, "too_large" for the
    21st emoji on one message.
    """
    if not is_reaction(command.emoji):
        raise PushError("invalid_payload", "Expected one emoji, or a :short_name:.")
    touched = _touch(conversation_id, user_id, command.message_id)
    _check_is_there(touched.message)
    there = Reaction.objects.filter(message=touched.message)
    if not there.filter(emoji=command.emoji, user_id=user_id).exists():
        _check_room(set(there.values_list("emoji", flat=True)) | {command.emoji})
        Reaction.objects.create(message=touched.message, emoji=command.emoji, user_id=user_id)
        _record_reaction(touched, Change.Event.REACTION_ADDED, command.emoji)
    return _reactions(touched.message)


def _check_room(emoji: set[str]) -> None:
    if len(emoji) > MAX_EMOJI:
        raise PushError("too_large", f"A message can have {MAX_EMOJI} different reactions.")


@transaction.atomic
def remove_reaction(conversation_id: uuid.UUID, user_id: int, command: React) -> ReactionAnswer:
    """Takes the member's emoji back; one that is not there changes and tells nothing.

    Raises PushError("not_found") for strangers and for messages that are not there.
    """
    touched = _touch(conversation_id, user_id, command.message_id)
    mine = Reaction.objects.filter(message=touched.message, emoji=command.emoji, user_id=user_id)
    if mine.delete()[0]:
        _record_reaction(touched, Change.Event.REACTION_REMOVED, command.emoji)
    return _reactions(touched.message)


def _record_reaction(touched: _Touched, event: Change.Event, emoji: str) -> None:
    user = person_shape(touched.me)
    what = {"message_id": str(touched.message.id), "emoji": emoji, "user": user}
    record(touched.conversation, event, what, by=user, message=touched.message)


def _reactions(message: Message) -> ReactionAnswer:
    return {"message_id": str(message.id), "reactions": shape_of(message)["reactions"]}


# --- Pins ----------------------------------------------------------------------------------------
@transaction.atomic
def pin_message(conversation_id: uuid.UUID, user_id: int, command: NameMessage) -> PinAnswer:
    """Pins the message for all; one that is pinned stays as it is and nothing is told.

    Raises PushError: "not_found" for strangers and for messages that are not there, "conflict" for
    a deleted message, "too_large" for the 101st pin.
    """
    touched = _touch(conversation_id, user_id, command.message_id)
    _check_is_there(touched.message)
    if touched.message.pinned_at is None:
        if queries.pinned(conversation_id).count() >= MAX_PINS:
            raise PushError("too_large", f"A conversation can have {MAX_PINS} pinned messages.")
        _pin(touched, Change.Event.MESSAGE_PINNED)
    return _pin_answer(touched.message)


@transaction.atomic
def unpin_message(conversation_id: uuid.UUID, user_id: int, command: NameMessage) -> PinAnswer:
    """Takes the pin away, whoever has set it; without one nothing is told.

    Raises PushError("not_found") for strangers and for messages that are not there.
    """
    touched = _touch(conversation_id, user_id, command.message_id)
    if touched.message.pinned_at is not None:
        _pin(touched, Change.Event.MESSAGE_UNPINNED)
    return _pin_answer(touched.message)


def _pin(touched: _Touched, event: Change.Event) -> None:
    message, is_pinned = touched.message, event == Change.Event.MESSAGE_PINNED
    message.pinned_at = timezone.now() if is_pinned else None
    message.pinned_by_id = touched.me.user_id if is_pinned else None
    message.save(update_fields=["pinned_at", "pinned_by"])
    by = person_shape(touched.me)
    what = {**_pin_answer(message), "by": by}
    record(touched.conversation, event, what, by=by, message=message)


def _pin_answer(message: Message) -> PinAnswer:
    return {"message_id": str(message.id), "pinned_at": moment(message.pinned_at)}
