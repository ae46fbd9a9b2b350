"""Messages as commands name them, and an answer in a thread."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from conversation import actions
from conversation.schema import NameMessage, SendMessage

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from conversation.message_shape import MessageShape
    from conversation.models import Conversation


def reply(room: Conversation, author: User, body: str, root: MessageShape) -> MessageShape:
    """Answers `root` in its thread."""
    command = SendMessage(body=body, client_id=body, thread_id=uuid.UUID(root["id"]))
    return actions.send_message(room.id, author.pk, command).message


def named(message: MessageShape) -> NameMessage:
    """A command about this message."""
    return NameMessage(message_id=uuid.UUID(message["id"]))
