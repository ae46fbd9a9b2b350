"""What members do without saying anything, the same over the socket and REST: they type, they read.

These prove that the user is a member and then hand over; what is told of it is told behind.
"""

import uuid

from django.conf import settings
from django.db import transaction

from conversation import queries
from conversation.attention_schema import MarkDelivered, MarkRead, ReceiptShape, StartTyping
from conversation.mark_writer import is_online, writer
from conversation.marks import Mark, Place
from conversation.models import Conversation, Member, Message
from conversation.receipts import check_thread, follow, mark_now
from conversation.typing_notices import notices


def start_typing(conversation_id: uuid.UUID, user_id: int, command: StartTyping) -> bool:
    """Lets the others know that the user types; False, and nothing is told, where there are too many of them.

    Raises PushError: "not_found" for strangers, "invalid_payload" for what is no thread of it.
    """
    person = queries.sender(conversation_id, user_id)
    check_thread(conversation_id, command.thread_id)
    members = Member.objects.filter(conversation_id=conversation_id).count()
    is_told: bool = members <= settings.REALTIME["TYPING_MEMBERS"]
    if is_told:
        notices.begin(conversation_id, user_id, person.username, command.thread_id)
    return is_told


def stop_typing(conversation_id: uuid.UUID, user_id: int) -> None:
    """Ends it before it expires. Raises PushError("not_found") for strangers."""
    queries.sender(conversation_id, user_id)
    notices.end(conversation_id, user_id)


def mark(
    conversation_id: uuid.UUID, user_id: int, command: MarkRead | MarkDelivered
) -> ReceiptShape:
    """Moves the user's mark on at once and returns it as it is now; a lower one changes and tells nothing.

    Raises PushError: "not_found" for strangers, "invalid_payload" for what is no thread of it.
    """
    place = Place(user_id, command.thread_id)
    return mark_now(conversation_id, place, mark_of(command), is_online)


def mark_of(command: MarkRead | MarkDelivered) -> Mark:
    """The mark that a command means."""
    if isinstance(command, MarkRead):
        return Mark(delivered=command.seq, read=command.seq)
    return Mark(delivered=command.seq)


def take_part(message: Message, conversation: Conversation) -> None:
    """In the transaction of each new message of a person: who says something follows, has read, and types no more."""
    follow(message, conversation)
    author_id = message.author_id
    if author_id is None:
        return
    place = Place(author_id, message.thread_id)
    mark = Mark(delivered=message.seq, read=message.seq)

    def sent() -> None:
        writer.note(conversation.id, place, mark)
        notices.has_sent(conversation.id, author_id)

    transaction.on_commit(sent)
