"""Writes of conversations: check, do, commit, announce. Socket, REST and admin all end here.

`send_message` and its siblings check that the user may; `do_...` assume it and hold the lock of the
conversation. Each fact gets the next seq in the transaction that makes it true, so that a rollback
gives the seq back and the sequence has no gap; it is told once that transaction is committed. This
is the only file of the app that announces; every function that does has a convergence test.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from commsite.realtime.errors import PushError
from commsite.realtime.pubsub import announce_on_commit, control_on_commit
from conversation import queries
from conversation.message_parts import shape as shape_of
from conversation.message_shape import MessageShape, Person, message_shape
from conversation.models import (
    Change,
    Conversation,
    Member,
    Message,
    topic_of,
)
from conversation.schema import (
    AddMember,
    ConversationShape,
    CreateConversation,
    Heading,
    MemberShape,
    RemoveMember,
    RenameConversation,
    SendMessage,
    heading_shape,
    member_shape,
    person_shape,
)
from conversation.time_ordered import time_ordered_id

MEMBER_REMOVED_CONTROL = "conversation_member_removed"
"""Control message {topic, user_id}: every process takes the topic away from that user's sockets."""


class Sent(NamedTuple):
    """A message that is stored; `is_new` is False when it had been sent before."""

    message: MessageShape
    is_new: bool


class Added(NamedTuple):
    """A member who is in; `is_new` is False when they had been in before."""

    member: MemberShape
    is_new: bool


# --- Messages ------------------------------------------------------------------------------------
def send_message(conversation_id: uuid.UUID, user_id: int, command: SendMessage) -> Sent:
    """Stores the message once and tells the members once, however often it is sent.

    Raises PushError: "not_found" for whoever is not a member, "invalid_payload" for a `reply_to`
    that is not a message of this conversation.
    """
    try:
        with transaction.atomic():
            message = _write_message(conversation_id, user_id, command)
            shape = message_shape(message)
            announce_on_commit(
                topic_of(conversation_id),
                "message_sent",
                {"message": shape},
                seq=message.seq,
            )
    except IntegrityError:
        # Looking first would cost every message a query; the rollback has given the seq back.
        earlier = queries.sent_before(conversation_id, user_id, command.client_id)
        if earlier is None:
            raise
        return Sent(shape_of(earlier), is_new=False)
    return Sent(shape, is_new=True)


def _write_message(conversation_id: uuid.UUID, user_id: int, command: SendMessage) -> Message:
    message_id = time_ordered_id()
    # This UPDATE is the lock: it comes before every read, so that the membership and the seq read
    # below are the newest (on PostgreSQL each statement sees what was committed before it).
    Conversation.objects.filter(pk=conversation_id).update(
        last_seq=F("last_seq") + 1, last_message_id=message_id, last_activity_at=timezone.now()
    )
    sender = queries.sender(conversation_id, user_id)
    _check_reply_to(conversation_id, command.reply_to)
    return Message.objects.create(
        id=message_id,
        conversation_id=conversation_id,
        seq=sender.last_seq,
        author=User(id=user_id, username=sender.username),
        client_id=command.client_id,
        body=command.body,
        reply_to_id=command.reply_to,
        created_at=timezone.now(),
    )


def _check_reply_to(conversation_id: uuid.UUID, reply_to: uuid.UUID | None) -> None:
    if reply_to is None:
        return
    if not Message.objects.filter(pk=reply_to, conversation_id=conversation_id).exists():
        raise PushError("invalid_payload", "reply_to names no message of this conversation.")


# --- Conversations -------------------------------------------------------------------------------
@transaction.atomic
def create_conversation(user_id: int, command: CreateConversation) -> ConversationShape:
    """Opens a conversation owned by the user, with the members named.

    Nobody can have joined its topic yet, so its first members take no seq; each of them hears of it
    on `user:<id>`. Raises PushError("invalid_payload") when a name is nobody's.
    """
    people = _people(command.members)
    conversation = Conversation.objects.create(title=command.title.strip(), created_by_id=user_id)
    Member.objects.create(conversation=conversation, user_id=user_id, role=Member.Role.OWNER)
    Member.objects.bulk_create(
        Member(conversation=conversation, user=person) for person in people if person.pk != user_id
    )
    for person_id in {user_id, *(person.pk for person in people)}:
        role = Member.Role.OWNER if person_id == user_id else Member.Role.MEMBER
        _tell_user(person_id, conversation, role)
    return queries.my_conversation(conversation.id, user_id)


@transaction.atomic
def rename_conversation(
    conversation_id: uuid.UUID, user_id: int, command: RenameConversation
) -> Heading:
    """Gives the conversation another title; the same title again changes and tells nothing.

    Raises PushError: "not_found" for strangers, "forbidden" for members who do not own it.
    """
    conversation = lock(conversation_id)
    owner = _check_owner(conversation_id, user_id)
    if conversation.title != command.title.strip():
        do_rename(conversation, command.title, by=person_shape(owner))
    return heading_shape(conversation)


def do_rename(conversation: Conversation, title: str, *, by: Person | None) -> None:
    """Renames a locked conversation and tells its members."""
    conversation.title = title.strip()
    conversation.save(update_fields=["title"])
    _record(
        conversation,
        Change.Event.CONVERSATION_RENAMED,
        {"conversation": heading_shape(conversation)},
        by=by,
    )


# --- Members -------------------------------------------------------------------------------------
@transaction.atomic
def add_member(conversation_id: uuid.UUID, user_id: int, command: AddMember) -> Added:
    """Lets the named user in; whoever is in already stays as they are and nobody is told again.

    Raises PushError: "not_found" for strangers, "forbidden" for members who do not own the
    conversation, "invalid_payload" when the name is nobody's.
    """
    conversation = lock(conversation_id)
    owner = _check_owner(conversation_id, user_id)
    (person,) = _people([command.username])
    member = queries.members(conversation_id).filter(user=person).first()
    if member is not None:
        return Added(member_shape(member), is_new=False)
    member = do_add_member(conversation, person, Member.Role.MEMBER, by=person_shape(owner))
    return Added(member_shape(member), is_new=True)


def do_add_member(
    conversation: Conversation, person: User, role: str, *, by: Person | None
) -> Member:
    """Adds a user to a locked conversation and tells its members and the user."""
    member = Member.objects.create(
        conversation=conversation,
        user_id=person.pk,
        role=role,
        joined_seq=conversation.last_seq,
    )
    _record(conversation, Change.Event.MEMBER_ADDED, {"member": member_shape(member)}, by=by)
    _tell_user(member.user_id, conversation, member.role)
    return member


@transaction.atomic
def remove_member(conversation_id: uuid.UUID, user_id: int, command: RemoveMember) -> None:
    """Takes a member out and the topic from all their sockets; one's own id leaves.

    When the last owner goes, whoever has been in longest owns the conversation. Raises PushError:
    "not_found" for strangers and for ids that are not in, "forbidden" for others than owners.
    """
    conversation = lock(conversation_id)
    actor = queries.membership(conversation_id, user_id)
    if command.user_id == user_id:
        leaver = actor
    else:
        _check_owner(conversation_id, user_id)
        leaver = _member(conversation_id, command.user_id)
    do_remove_member(conversation, leaver, by=person_shape(actor))


def do_remove_member(conversation: Conversation, member: Member, *, by: Person | None) -> None:
    """Removes a member of a locked conversation, tells all, cuts the member's sockets off."""
    shape = member_shape(member)
    member.delete()
    _record(conversation, Change.Event.MEMBER_REMOVED, {"member": shape}, by=by)
    if member.role == Member.Role.OWNER:
        _hand_over(conversation, by=by)
    _tell_user(shape["id"], conversation, None)
    control_on_commit(MEMBER_REMOVED_CONTROL, {"topic": conversation.topic, "user_id": shape["id"]})


def _hand_over(conversation: Conversation, *, by: Person | None) -> None:
    rest = queries.members(conversation.id)
    heir = rest.first()
    if heir is None or rest.filter(role=Member.Role.OWNER).exists():
        return
    heir.role = Member.Role.OWNER
    heir.save(update_fields=["role"])
    _record(conversation, Change.Event.MEMBER_CHANGED, {"member": member_shape(heir)}, by=by)
    _tell_user(heir.user_id, conversation, heir.role)


# --- Together ------------------------------------------------------------------------------------
def lock(conversation_id: uuid.UUID) -> Conversation:
    """The conversation, held until the transaction ends; every write comes after it.

    SQLite has no row locks and needs none: a transaction there is the only writer from its start.
    """
    conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
    if conversation is None:
        raise PushError("not_found", queries.NO_SUCH_CONVERSATION)
    return conversation


def _record(
    conversation: Conversation,
    event: Change.Event,
    what: Mapping[str, object],
    *,
    by: Person | None,
) -> None:
    conversation.last_seq += 1
    conversation.save(update_fields=["last_seq"])
    seq = conversation.last_seq
    payload = {"seq": seq, **what, "by": by}
    Change.objects.create(
        conversation=conversation,
        seq=seq,
        event=event,
        payload=payload,
        actor_id=None if by is None else by["id"],
    )
    announce_on_commit(conversation.topic, event.value, payload, seq=seq)


def _tell_user(user_id: int, conversation: Conversation, role: str | None) -> None:
    announce_on_commit(
        f"user:{user_id}",
        "membership_changed",
        {"conversation": heading_shape(conversation), "role": role},
        key=str(conversation.id),
    )


def _check_owner(conversation_id: uuid.UUID, user_id: int) -> Member:
    member = queries.membership(conversation_id, user_id)
    if member.role != Member.Role.OWNER:
        raise PushError("forbidden", "Only an owner of the conversation may do that.")
    return member


def _member(conversation_id: uuid.UUID, user_id: int) -> Member:
    member = queries.members(conversation_id).filter(user_id=user_id).first()
    if member is None:
        raise PushError("not_found", "There is no such member.")
    return member


def _people(usernames: Sequence[str]) -> list[User]:
    people = list(User.objects.filter(username__in=usernames, is_active=True).order_by("id"))
    unknown = sorted(set(usernames) - {person.get_username() for person in people})
    if unknown:
        raise PushError("invalid_payload", f"Nobody is called {', '.join(unknown)}.")
    return people
