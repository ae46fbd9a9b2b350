"""What the storeys above queries and actions add to them, registered once in `ready()`.

So the assistant, receipts and unread counts take part in a message and in a join, and neither
actions nor queries import them.
"""

import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

from conversation.message_shape import Person, RunShape
from conversation.models import Conversation, Member, Message

MessageHandler = Callable[[Message, Conversation], None]
"""(the new message, its locked conversation): in the transaction, before anybody is told."""
DeleteHandler = Callable[[Message, Conversation, Person], None]
"""(what is left of the message, its locked conversation, who deleted it): in the transaction, after that was told."""
WelcomePart = Callable[[Member], Mapping[str, Any]]
"""(the joiner) -> keys of every join reply; those under "conversation" go in there."""
RunReader = Callable[[Collection[uuid.UUID]], Mapping[uuid.UUID, RunShape]]
"""(ids of messages) -> the run behind each that has one, without `text`, in a bounded number of queries."""
LiveRunReader = Callable[[uuid.UUID], list[RunShape]]
"""(id of a conversation) -> its queued and running runs with their texts, the oldest first."""

_on_message: list[MessageHandler] = []
_on_delete: list[DeleteHandler] = []
_on_welcome: list[WelcomePart] = []
_run_readers: list[RunReader] = []
_live_run_readers: list[LiveRunReader] = []


def on_message(handler: MessageHandler) -> None:
    """Calls `handler(message, conversation)` for each new message of a person (not again for a repeated send).

    It runs inside the transaction, with the conversation locked and `message_sent` about to be
    told; what it raises undoes the message. It may write and record facts of its own.
    """
    if handler not in _on_message:
        _on_message.append(handler)


def on_delete(handler: DeleteHandler) -> None:
    """Calls `handler(message, conversation, by)` for each message that is deleted, so that it is gone everywhere.

    It runs inside the transaction; it may write and record facts of its own.
    """
    if handler not in _on_delete:
        _on_delete.append(handler)


def on_welcome(part: WelcomePart) -> None:
    """Adds what `part(me)` returns to every join reply."""
    if part not in _on_welcome:
        _on_welcome.append(part)


def read_runs(reader: RunReader) -> None:
    """Says where the runs behind messages are read."""
    if reader not in _run_readers:
        _run_readers.append(reader)


def read_live_runs(reader: LiveRunReader) -> None:
    """Says where the answers are read that are being written."""
    if reader not in _live_run_readers:
        _live_run_readers.append(reader)


def message_written(message: Message, conversation: Conversation) -> None:
    """Lets everybody who asked take part in a new message."""
    for handler in _on_message:
        handler(message, conversation)


def message_deleted(message: Message, conversation: Conversation, by: Person) -> None:
    """Lets everybody who asked clear up after a message."""
    for handler in _on_delete:
        handler(message, conversation, by)


def welcome_parts(me: Member) -> dict[str, Any]:
    """What is added to the join reply of this member."""
    added: dict[str, Any] = {"conversation": {}}
    for part in _on_welcome:
        given = dict(part(me))
        added["conversation"] |= given.pop("conversation", {})
        added |= given
    return added


def runs_of(message_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, RunShape]:
    """The runs behind these messages."""
    return {key: run for reader in _run_readers for key, run in reader(message_ids).items()}


def live_runs(conversation_id: uuid.UUID) -> list[RunShape]:
    """The queued and running runs of a conversation with their texts, the oldest first."""
    return [run for reader in _live_run_readers for run in reader(conversation_id)]
