"""The two statements asked most, written by hand: they cost a tenth of what the ORM makes of them.

Every message begins with both; every command that asks whether somebody may do something needs the second.
"""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from commsite.realtime.errors import PushError
from conversation.models import Conversation

NO_SUCH_CONVERSATION = "There is no such conversation, or you are not in it."

_TURN = """
UPDATE conversation_conversation
SET last_seq = last_seq + 1, last_message_id = %s, last_activity_at = %s
WHERE id = %s
"""
_SENDER = """
SELECT person.username, conversation.title, conversation.assistant, conversation.last_seq
FROM conversation_member AS member
JOIN conversation_conversation AS conversation ON conversation.id = member.conversation_id
JOIN auth_user AS person ON person.id = member.user_id
WHERE member.conversation_id = %s AND member.user_id = %s
"""
_COLUMNS = ("id", "title", "assistant", "last_seq")
_field: Any = Conversation._meta.get_field  # noqa: SLF001 - Django documents it
_id, _moment = _field("id").get_db_prep_value, _field("last_activity_at").get_db_prep_value


class Sender(NamedTuple):
    """What sending needs to know of a member, and nothing more."""

    conversation: Conversation
    """As it is now; what else there is of it is read when asked for."""
    username: str


def take_turn(conversation_id: uuid.UUID, message_id: uuid.UUID, now: datetime) -> None:
    """Locks the conversation until the transaction ends and gives its next seq to this message.

    It comes before every read, so that the membership and the seq read after it are the newest (on
    PostgreSQL each statement sees what was committed before it).
    """
    with connection.cursor() as cursor:
        given = (_id(message_id, connection), _moment(now, connection))
        cursor.execute(_TURN, [*given, _id(conversation_id, connection)])


def sender(conversation_id: uuid.UUID, user_id: int) -> Sender:
    """The member's name and the conversation. Raises PushError("not_found")."""
    with connection.cursor() as cursor:
        cursor.execute(_SENDER, [_id(conversation_id, connection), user_id])
        row = cursor.fetchone()
    if row is None:
        raise PushError("not_found", NO_SUCH_CONVERSATION)
    username, *columns = row
    conversation = Conversation.from_db(connection.alias, _COLUMNS, [conversation_id, *columns])
    return Sender(conversation, username)
