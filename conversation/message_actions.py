"""Writes of messages: say, edit, delete; and what the assistant's runs write.

Every write holds the lock of the conversation. What people say is rendered before that.
"""

import uuid
from collections.abc import Collection
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from commsite.realtime.errors import PushError
from conversation import attachments, hooks, queries
from conversation.facts import lock, record, tell_sent
from conversation.markdown import mention_names, render
from conversation.message_parts import shape as shape_of
from conversation.message_shape import (
    ASSISTANT,
    MessageShape,
    Parts,
    Person,
    RunShape,
    message_shape,
)
from conversation.models import (
    Change,
    Conversation,
    Member,
    Mention,
    Message,
    MessageRevision,
    Reaction,
)
from conversation.queries import with_root
from conversation.schema import EditMessage, NameMessage, SendMessage, person_shape
from conversation.time_ordered import time_ordered_id
from conversation.turn import sender, take_turn

find = queries.find
ADDRESSES = {ASSISTANT["username"]: ASSISTANT["id"]}
"""Names that mean somebody in every conversation; a member of the same name comes first."""
RUNNING = frozenset(("queued", "running"))


class Sent(NamedTuple):
    """A message that is stored; `is_new` is False when it had been sent before."""

    message: MessageShape
    is_new: bool


class Said(NamedTuple):
    """A body, ready to be stored."""

    body: str
    html: str
    mentions: list[int]
    mentions_assistant: bool


def read_body(conversation_id: uuid.UUID, body: str) -> Said:
    """Renders what somebody says and finds whom it names. Before the lock: it takes time, and hurts nobody there."""
    names = mention_names(body)
    people = queries.members_named(conversation_id, names) if names else {}
    mentions = sorted(set(people.values()))
    html = render(body, ADDRESSES | people)
    return Said(body, html, mentions, ASSISTANT["username"] in names)


# --- Say -----------------------------------------------------------------------------------------
def send_message(
    conversation_id: uuid.UUID, user_id: int, command: SendMessage, said: Said | None = None
) -> Sent:
    """Stores the message once and tells the members once, however often it is sent.

    `said` is its body as `read_body` gives it, for callers who hold the conversation. Raises
    PushError: "not_found" for whoever is not a member, "invalid_payload" for a `reply_to` that is not
    a message of this conversation, a `thread_id` that is none of its main timeline, and
    `attachment_ids` that are not one's own waiting uploads.
    """
    if not command.body and not command.attachment_ids:
        raise PushError("invalid_payload", "Expected something to say: a body, or files.")
    said = said or read_body(conversation_id, command.body)
    try:
        with transaction.atomic():
            return Sent(_send(conversation_id, user_id, command, said), is_new=True)
    except IntegrityError:
        # Looking first would cost every message a query; the rollback has given the seq back.
        earlier = queries.sent_before(conversation_id, user_id, command.client_id)
        if earlier is None:
            raise
        return Sent(shape_of(earlier), is_new=False)


def _send(
    conversation_id: uuid.UUID, user_id: int, command: SendMessage, said: Said
) -> MessageShape:
    message_id, now = time_ordered_id(), timezone.now()
    take_turn(conversation_id, message_id, now)
    who = sender(conversation_id, user_id)
    thread = _thread(conversation_id, command.reply_to, command.thread_id)
    message = Message.objects.create(
        id=message_id,
        conversation=who.conversation,
        seq=who.conversation.last_seq,
        author=User(id=user_id, username=who.username),
        client_id=command.client_id,
        body=said.body,
        html=said.html,
        mentions_assistant=said.mentions_assistant,
        reply_to_id=command.reply_to,
        thread=thread,
        created_at=now,
    )
    keep_mentions(message, said.mentions)
    if thread is not None:
        _count_reply(thread, message)
    files = attachments.bind(message, command.attachment_ids, user_id)
    shape = message_shape(message, Parts(said.mentions, files, []))
    tell_sent(conversation_id, message.seq, with_root({"message": shape}, thread))
    hooks.message_written(message, who.conversation)
    return shape


def _thread(
    conversation_id: uuid.UUID, reply_to: uuid.UUID | None, thread_id: uuid.UUID | None
) -> Message | None:
    """The first message of the thread, if one is named; proves that both are of this conversation."""
    named = {pk for pk in (reply_to, thread_id) if pk is not None}
    if not named:
        return None
    found = {
        row.id: row for row in Message.objects.filter(conversation=conversation_id, pk__in=named)
    }
    if reply_to is not None and reply_to not in found:
        raise PushError("invalid_payload", "reply_to names no message of this conversation.")
    if thread_id is None:
        return None
    thread = found.get(thread_id)
    if thread is None or thread.thread_id is not None:
        raise PushError("invalid_payload", "thread_id names no message of the main timeline.")
    return thread


def _count_reply(thread: Message, message: Message) -> None:
    thread.reply_count += 1
    thread.last_reply_at = message.created_at
    thread.save(update_fields=["reply_count", "last_reply_at"])


def keep_mentions(message: Message, user_ids: Collection[int]) -> None:
    """Stores whom a message names."""
    if user_ids:
        Mention.objects.bulk_create(Mention(message=message, user_id=pk) for pk in user_ids)


# --- Say otherwise -------------------------------------------------------------------------------
def edit_message(conversation_id: uuid.UUID, user_id: int, command: EditMessage) -> MessageShape:
    """Replaces the body, keeps the old one for admins, tells the members; the same body does nothing.

    Raises PushError: "not_found" for strangers and for messages that are not there, "forbidden" for
    others than the author, "conflict" with the message as it is (`current`) when it was edited
    since `revision` or is deleted.
    """
    said = read_body(conversation_id, command.body)
    with transaction.atomic():
        conversation = lock(conversation_id)
        me = queries.membership(conversation_id, user_id)
        message = find(conversation_id, command.message_id)
        if message.author_id != user_id:
            raise PushError("forbidden", "Only its author may edit a message.")
        if message.body == said.body and message.deleted_at is None:
            return shape_of(message)
        if message.deleted_at is not None or message.revision != command.revision:
            raise PushError("conflict", "The message has changed.", current=shape_of(message))
        return _edit(conversation, message, said, by=person_shape(me))


def _edit(conversation: Conversation, message: Message, said: Said, *, by: Person) -> MessageShape:
    _keep_revision(message, by=by)
    message.body, message.html = said.body, said.html
    message.mentions_assistant = said.mentions_assistant
    message.revision += 1
    message.edited_at = timezone.now()
    message.save(update_fields=["body", "html", "mentions_assistant", "revision", "edited_at"])
    Mention.objects.filter(message=message).delete()
    keep_mentions(message, said.mentions)
    shape = shape_of(message)
    _record_message(conversation, Change.Event.MESSAGE_EDITED, message, shape, by=by)
    return shape


def _keep_revision(message: Message, *, by: Person) -> None:
    MessageRevision.objects.create(
        message=message, revision=message.revision, body=message.body, replaced_by_id=by["id"]
    )


# --- Take back -----------------------------------------------------------------------------------
@transaction.atomic
def delete_message(conversation_id: uuid.UUID, user_id: int, command: NameMessage) -> MessageShape:
    """Leaves of the message only its place; a second time does nothing.

    The author may and whoever owns the conversation; an answer: also who asked for it. Its thread
    stays. Raises PushError: "not_found" for strangers and for messages that are not there,
    "forbidden" for others, "conflict" while the answer is being written.
    """
    conversation = lock(conversation_id)
    me = queries.membership(conversation_id, user_id)
    message = find(conversation_id, command.message_id)
    _check_may_delete(me, message)
    if message.deleted_at is not None:
        return shape_of(message)
    return do_delete_message(conversation, message, by=person_shape(me))


def _check_may_delete(me: Member, message: Message) -> None:
    run = _run_of(message)
    asker = None if run is None else run["started_by"]["id"]
    if me.role != Member.Role.OWNER and me.user_id not in (message.author_id, asker):
        raise PushError("forbidden", "Only its author or an owner may delete a message.")


def _run_of(message: Message) -> RunShape | None:
    """The run that writes the message, or has written it."""
    if message.role != Message.Role.ASSISTANT:
        return None
    return hooks.runs_of([message.id]).get(message.id)


def do_delete_message(conversation: Conversation, message: Message, *, by: Person) -> MessageShape:
    """Deletes a message of a locked conversation and tells its members.

    Raises PushError("conflict") while the answer is being written.
    """
    run = _run_of(message)
    if run is not None and run["status"] in RUNNING:
        raise PushError("conflict", "Stop the answer before you delete it.", run_id=run["id"])
    _keep_revision(message, by=by)
    attachments.discard(message)
    Mention.objects.filter(message=message).delete()
    Reaction.objects.filter(message=message).delete()
    message.body = message.html = ""
    message.mentions_assistant = False
    message.pinned_at = message.pinned_by = None
    message.revision += 1
    message.deleted_at = timezone.now()
    message.save(
        update_fields=[
            *("body", "html", "mentions_assistant", "pinned_at", "pinned_by"),
            *("revision", "deleted_at"),
        ]
    )
    shape = shape_of(message)
    root = _uncount_reply(message)
    _record_message(conversation, Change.Event.MESSAGE_DELETED, message, shape, by=by, root=root)
    hooks.message_deleted(message, conversation, by)
    return shape


def replace_body(
    conversation: Conversation, message: Message, body: str, html: str, *, by: Person
) -> MessageShape:
    """Gives an answer in a locked conversation another text, and tells the members; the old one is for admins."""
    _keep_revision(message, by=by)
    message.body, message.html = body, html
    message.revision += 1
    message.save(update_fields=["body", "html", "revision"])
    shape = shape_of(message)
    _record_message(conversation, Change.Event.MESSAGE_EDITED, message, shape, by=by)
    return shape


def _uncount_reply(message: Message) -> Message | None:
    """Deleted replies do not count; alternatives never did, but for the first."""
    if message.thread_id is None:
        return None
    root = Message.objects.get(pk=message.thread_id)
    left = Message.objects.filter(thread=root, deleted_at=None).filter(queries.IS_FIRST)
    root.reply_count = left.count()
    root.last_reply_at = left.order_by("-seq").values_list("created_at", flat=True).first()
    root.save(update_fields=["reply_count", "last_reply_at"])
    return root


def _record_message(
    conversation: Conversation,
    event: Change.Event,
    message: Message,
    shape: MessageShape,
    *,
    by: Person,
    root: Message | None = None,
) -> None:
    shown = with_root({"message": shape}, root)
    record(conversation, event, {"by": by}, by=by, message=message, shown=shown)


# --- What runs write -----------------------------------------------------------------------------
def place_message(conversation: Conversation, **fields: Any) -> Message:
    """Stores a message of a locked conversation under the next seq, and tells nobody yet.

    For answers and alternatives: whoever calls it stores what belongs to it, then `tell_message`.
    Counts in its thread, unless it is an alternative to what counts already.
    """
    now = timezone.now()
    conversation.last_seq += 1
    message = Message.objects.create(
        conversation=conversation, seq=conversation.last_seq, created_at=now, **fields
    )
    conversation.last_message = message
    conversation.last_activity_at = now
    conversation.save(update_fields=["last_seq", "last_message", "last_activity_at"])
    if message.thread is not None and message.branch_of_id in (None, message.id):
        _count_reply(message.thread, message)
    return message


def tell_message(message: Message) -> MessageShape:
    """Tells the members of a message that `place_message` has stored; returns what they are shown."""
    shape = shape_of(message)
    payload = with_root({"message": shape}, message.thread)
    tell_sent(message.conversation_id, message.seq, payload)
    return shape


def complete_message(
    conversation: Conversation, message: Message, body: str, html: str
) -> MessageShape:
    """Gives an answer its final text once its run has ended, and tells the members.

    The conversation is locked; `html` is the text rendered. A message that was deleted meanwhile stays as it is.
    """
    if message.deleted_at is None:
        message.body, message.html = body, html
        message.save(update_fields=["body", "html"])
    shape = shape_of(message)
    record(
        conversation,
        Change.Event.MESSAGE_COMPLETED,
        {},
        by=None,
        message=message,
        shown={"message": shape},
    )
    return shape
