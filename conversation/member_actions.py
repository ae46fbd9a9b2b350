"""Writes of conversations themselves and of who is in them: check, do, record.

`rename_conversation` and its siblings check that the user may; `do_...` assume it and hold the lock.
"""

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from commsite.realtime.errors import PushError
from conversation import queries
from conversation.facts import cut_off, lock, record, tell_user
from conversation.message_shape import Person
from conversation.models import Change, Conversation, Member
from conversation.schema import (
    AddMember,
    ChangeConversation,
    ConversationHere,
    ConversationShape,
    CreateConversation,
    Heading,
    MemberShape,
    RemoveMember,
    RenameConversation,
    SetAssistant,
    heading_shape,
    here_shape,
    member_shape,
    person_shape,
)


class Opened(NamedTuple):
    """A conversation as whoever opened it sees it; `is_new` is False when it had been opened before."""

    conversation: ConversationShape
    is_new: bool


class Added(NamedTuple):
    """A member who is in; `is_new` is False when they had been in before."""

    member: MemberShape
    is_new: bool


# --- Conversations -------------------------------------------------------------------------------
def create_conversation(user_id: int, command: CreateConversation) -> ConversationShape:
    """The conversation that `open_conversation` opens, or has opened before."""
    return open_conversation(user_id, command).conversation


def open_conversation(user_id: int, command: CreateConversation) -> Opened:
    """Opens a conversation owned by the user, with the members named; once for each `client_id`.

    Nobody can have joined its topic yet, so its first members take no seq; each of them hears of it
    on `user:<id>`. Raises PushError("invalid_payload") when a name is nobody's, "not_found" for one
    that was opened before and left since.
    """
    conversation_id = _id_for(user_id, command.client_id)
    try:
        with transaction.atomic():
            _open(conversation_id, user_id, command)
    except IntegrityError:
        if not Conversation.objects.filter(pk=conversation_id).exists():
            raise
        return Opened(queries.my_conversation(conversation_id, user_id), is_new=False)
    return Opened(queries.my_conversation(conversation_id, user_id), is_new=True)


def _id_for(user_id: int, client_id: str | None) -> uuid.UUID:
    """The id of a conversation: random, or always the same for a person's client_id; nobody can guess either."""
    if client_id is None:
        return uuid.uuid4()
    secret = salted_hmac("conversation.open", f"{user_id}:{client_id}", algorithm="sha256")
    return uuid.UUID(bytes=secret.digest()[:16], version=4)


def _open(conversation_id: uuid.UUID, user_id: int, command: CreateConversation) -> None:
    people = _people(command.members)
    conversation = Conversation.objects.create(
        id=conversation_id, title=command.title.strip(), created_by_id=user_id
    )
    Member.objects.create(conversation=conversation, user_id=user_id, role=Member.Role.OWNER)
    Member.objects.bulk_create(
        Member(conversation=conversation, user=person) for person in people if person.pk != user_id
    )
    for person_id in {user_id, *(person.pk for person in people)}:
        role = Member.Role.OWNER if person_id == user_id else Member.Role.MEMBER
        tell_user(person_id, conversation, role)


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


@transaction.atomic
def change_conversation(
    conversation_id: uuid.UUID, user_id: int, command: ChangeConversation
) -> None:
    """Renames, sets the assistant, or both, or nothing: all of it or none."""
    if command.title is not None:
        rename_conversation(conversation_id, user_id, RenameConversation(title=command.title))
    if command.assistant is not None:
        set_assistant(conversation_id, user_id, SetAssistant(assistant=command.assistant))


def do_rename(conversation: Conversation, title: str, *, by: Person | None) -> None:
    """Renames a locked conversation and tells its members."""
    conversation.title = title.strip()
    conversation.save(update_fields=["title"])
    what = {"conversation": heading_shape(conversation), "by": by}
    record(conversation, Change.Event.CONVERSATION_RENAMED, what, by=by)


@transaction.atomic
def set_assistant(
    conversation_id: uuid.UUID, user_id: int, command: SetAssistant
) -> ConversationHere:
    """Says when the assistant answers of itself; the same again changes and tells nothing.

    Raises PushError: "not_found" for strangers, "forbidden" for members who do not own it.
    """
    conversation = lock(conversation_id)
    by = person_shape(_check_owner(conversation_id, user_id))
    if conversation.assistant != command.assistant:
        do_set_assistant(conversation, command.assistant, by=by)
    return here_shape(conversation)


def do_set_assistant(conversation: Conversation, mode: str, *, by: Person | None) -> None:
    """Sets when the assistant answers in a locked conversation and tells its members."""
    conversation.assistant = mode
    conversation.save(update_fields=["assistant"])
    what = {"conversation": here_shape(conversation), "by": by}
    record(conversation, Change.Event.CONVERSATION_CHANGED, what, by=by)


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
    record(
        conversation, Change.Event.MEMBER_ADDED, {"member": member_shape(member), "by": by}, by=by
    )
    tell_user(member.user_id, conversation, member.role)
    return member


@transaction.atomic
def remove_member(conversation_id: uuid.UUID, user_id: int, command: RemoveMember) -> None:
    """Takes a member out and the topic from all their sockets; one's own id leaves; whoever is out already stays out.

    When the last owner goes, whoever has been in longest owns the conversation. Raises PushError:
    "not_found" for strangers and for ids that never were in, "forbidden" for others than owners.
    """
    conversation = lock(conversation_id)
    actor = queries.membership(conversation_id, user_id)
    if command.user_id == user_id:
        leaver = actor
    else:
        _check_owner(conversation_id, user_id)
        if _is_out(conversation_id, command.user_id):
            return
        leaver = _member(conversation_id, command.user_id)
    do_remove_member(conversation, leaver, by=person_shape(actor))


def do_remove_member(conversation: Conversation, member: Member, *, by: Person | None) -> None:
    """Removes a member of a locked conversation, tells all, cuts the member's sockets off."""
    shape = member_shape(member)
    member.delete()
    record(conversation, Change.Event.MEMBER_REMOVED, {"member": shape, "by": by}, by=by)
    if member.role == Member.Role.OWNER:
        _hand_over(conversation, by=by)
    tell_user(shape["id"], conversation, None)
    cut_off(shape["id"], conversation)


def _hand_over(conversation: Conversation, *, by: Person | None) -> None:
    rest = queries.members(conversation.id)
    heir = rest.first()
    if heir is None or rest.filter(role=Member.Role.OWNER).exists():
        return
    heir.role = Member.Role.OWNER
    heir.save(update_fields=["role"])
    record(
        conversation, Change.Event.MEMBER_CHANGED, {"member": member_shape(heir), "by": by}, by=by
    )
    tell_user(heir.user_id, conversation, heir.role)


def _check_owner(conversation_id: uuid.UUID, user_id: int) -> Member:
    member = queries.membership(conversation_id, user_id)
    if member.role != Member.Role.OWNER:
        raise PushError("forbidden", "Only an owner of the conversation may do that.")
    return member


def _is_out(conversation_id: uuid.UUID, user_id: int) -> bool:
    """Whether somebody was in and is no more."""
    if Member.objects.filter(conversation_id=conversation_id, user_id=user_id).exists():
        return False
    removed = {"event": Change.Event.MEMBER_REMOVED, "payload__member__id": user_id}
    return Change.objects.filter(conversation_id=conversation_id, **removed).exists()


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
