"""Where facts of a conversation are numbered, kept and told; what announces in this room comes here.

Each fact gets the next seq in the transaction that makes it true, so that a rollback gives the seq
back and the sequence has no gap; it is told once that transaction is committed.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from commsite.realtime.errors import PushError
from commsite.realtime.pubsub import announce_on_commit, control_on_commit
from conversation import queries
from conversation.message_shape import Person
from conversation.models import Change, Conversation, Message, topic_of
from conversation.schema import heading_shape

MEMBER_REMOVED_CONTROL = "conversation_member_removed"
"""Control message {topic, user_id}: every process takes the topic away from that user's sockets."""


def lock(conversation_id: uuid.UUID) -> Conversation:
    """The conversation, held until the transaction ends; every write comes after it.

    Rows that refer to it may be inserted meanwhile. SQLite has no row locks and needs none: a transaction there is
    the only writer from its start.
    """
    held = Conversation.objects.select_for_update(no_key=True)
    conversation = held.filter(pk=conversation_id).first()
    if conversation is None:
        raise PushError("not_found", queries.NO_SUCH_CONVERSATION)
    return conversation


def record(
    conversation: Conversation,
    event: Change.Event,
    what: Mapping[str, object],
    *,
    by: Person | None,
    message: Message | None = None,
    shown: Mapping[str, object] | None = None,
) -> int:
    """Keeps a change of a locked conversation and tells its members; returns its seq.

    `shown` is told and not kept: what a message says is read anew for whoever hears of it later.
    """
    conversation.last_seq += 1
    conversation.save(update_fields=["last_seq"])
    seq = conversation.last_seq
    payload = {"seq": seq, **what}
    Change.objects.create(
        conversation=conversation,
        seq=seq,
        event=event,
        message=message,
        payload=payload,
        actor_id=None if by is None else by["id"],
    )
    announce_on_commit(conversation.topic, event.value, {**payload, **(shown or {})}, seq=seq)
    return seq


def tell_sent(conversation_id: uuid.UUID, seq: int, payload: Mapping[str, Any]) -> None:
    """Tells the members of a new message, which is its own record."""
    announce_on_commit(topic_of(conversation_id), "message_sent", payload, seq=seq)


def tell_user(user_id: int, conversation: Conversation, role: str | None) -> None:
    """Tells all devices of a user which place they have in the conversation now."""
    announce_on_commit(
        f"user:{user_id}",
        "membership_changed",
        {"conversation": heading_shape(conversation), "role": role},
        key=str(conversation.id),
    )


def cut_off(user_id: int, conversation: Conversation) -> None:
    """Takes the topic away from all sockets of a user who is no longer in it."""
    control_on_commit(MEMBER_REMOVED_CONTROL, {"topic": conversation.topic, "user_id": user_id})
