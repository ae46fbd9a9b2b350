"""Every limit and its default; each can be set as COMMSITE_<KEY>. `settings.REALTIME` holds what is in force."""

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

THREADS_WITH_SQLITE: Final = 4
"""It has one writer at a time anyway."""

LIMITS: Final[dict[str, int | float]] = {
    "FRAME_BYTES": 1_048_576,
    "TOPICS_PER_SOCKET": 100,
    "SOCKETS_PER_USER": 10,  # over all processes
    "SOCKETS_PER_ADDRESS": 500,  # an address or an IPv6 /64
    "SOCKETS_PER_ADDRESS_ANONYMOUS": 20,  # before a handshake has proved who it is
    "SOCKETS_PER_PROCESS": 10_000,
    "JOINS_PER_S": 20,
    "PUSHES_PER_S": 50,
    "PUSH_BURST": 100,
    "OUTBOX_BYTES": 1_048_576,
    "INBOX_PUSHES": 200,
    "HANDSHAKE_S": 10.0,
    "IDLE_S": 60.0,  # a Phoenix client's heartbeat is due every 30 s
    "PING_S": 25.0,
    "EXPIRY_WARNING_S": 60.0,
    "LONGPOLL_WINDOW_S": 10.0,
    "DRAIN_S": 10.0,
    "DRAIN_BATCH": 200,
    "DB_THREADS": 8,  # 4 with SQLite
    "CONNECTIONS_WRITE_S": 3.0,  # how often the table of live connections is brought up to date
    "CONNECTIONS_LEASE_S": 20.0,  # a process that did not write for so long is dead
    "PRESENCE_BROADCAST_S": 1.5,  # how often processes tell each other who is here
    "PRESENCE_SILENT_PERIODS": 1,  # so many periods without news still bring a sign of life
    "PRESENCE_DOWN_S": 30.0,  # the people of a process that was silent for so long are gone
    "PRESENCE_PERMDOWN_S": 1200.0,  # and it is forgotten
    "PRESENCE_GRACE_S": 15.0,  # a socket that dropped may come back within this, and nobody notices
    "PRESENCE_COUNTS_ABOVE": 200,  # topics with more people tell their number only
    "PRESENCE_META_BYTES": 2048,  # what may be told of one presence
    "ASSISTANT_CONNECT_S": 5.0,
    "ASSISTANT_FIRST_BYTE_S": 60.0,  # from the request to the first byte of the answer
    "ASSISTANT_CHUNK_S": 30.0,  # between two signs of life after that
    "ASSISTANT_RUN_S": 600.0,  # the whole answer, without the time people think about an approval
    "ASSISTANT_TOOL_S": 30.0,
    "ASSISTANT_RETRIES": 2,  # before the first event of an answer only
    "ASSISTANT_ROUNDS": 10,  # of tool calls
    "ASSISTANT_EVENT_BYTES": 1_048_576,  # one event of a model's server
    "ASSISTANT_CONTEXT_CHARS": 120_000,  # of the conversation, the newest turns
    "ASSISTANT_ANSWER_CHARS": 200_000,
    "ASSISTANT_TOOL_CHARS": 16_000,  # what a tool may bring
    "ASSISTANT_QUEUE": 5,  # runs that wait in one conversation
    "ASSISTANT_RUNS_PER_USER": 1,  # that run at a time, in all conversations
    "ASSISTANT_QUEUED_PER_USER": 3,
    "ASSISTANT_APPROVAL_S": 120.0,  # nobody's answer is a no after that
    "ASSISTANT_LEASE_S": 12.0,  # a process that did not renew it for so long is dead; 2 s more, and all are told
    "PRESENCE_IDLE_S": 300.0,  # a connection that pushes nothing for so long is idle
    "PRESENCE_AWAY_S": 1800.0,  # and then away
    "PRESENCE_SEEN_S": 30.0,  # how often it is written that people are still here
    "CURSORS_PER_S": 20.0,  # what is told of one connection's cursor
    "CURSORS_PER_TOPIC_S": 400.0,  # and of all cursors of a topic in one process, together
    "CURSOR_S": 60.0,  # a cursor that does not move for so long is taken away
    "CURSOR_BYTES": 1024,  # an anchor and a selection
    "ATTACHMENT_BYTES": 26_214_400,
    "ATTACHMENTS_PER_MESSAGE": 10,
    "ATTACHMENTS_UNSENT": 50,  # uploads of one person that wait to be sent
    "ATTACHMENTS_UNSENT_BYTES": 262_144_000,  # and all of them together
    "ATTACHMENT_UNSENT_S": 86_400.0,  # then they are removed
    "ATTACHMENT_UPLOADS": 16,  # under way at once in one process
    "ATTACHMENT_UPLOAD_S": 900.0,  # how long one may take
    "MESSAGES_PER_S": 5.0,  # this and what follows: of one person, in one process
    "MESSAGE_BURST": 10,
    "MESSAGES_PER_MIN": 60,
    "MESSAGE_CHANGES_PER_S": 5.0,  # edits, deletes, reactions, pins, changes of a conversation and its members
    "HISTORY_PER_S": 10.0,  # pages of history, searches
    "TYPING_PER_S": 1.0,
    "READ_MARKS_PER_S": 2.0,
    "READ_MARK_BURST": 10,  # a person has several tabs
    "RUNS_PER_MIN": 10,
    "TYPING_EXPIRY_S": 10.0,  # whoever does not say again that they type has stopped
    "TYPING_MEMBERS": 100,  # in larger conversations nobody is told who types
    "RECEIPTS_MEMBERS": 100,  # in larger ones receipts are numbers, and unread counts come with mentions
}


def limits_from(env: Any, *, is_sqlite: bool) -> dict[str, Any]:
    """The limits as the environment sets them. Raises ImproperlyConfigured for a value that is no number."""
    defaults = LIMITS | ({"DB_THREADS": THREADS_WITH_SQLITE} if is_sqlite else {})
    return {key: _limit(env, key, default) for key, default in defaults.items()}


def _limit(env: Any, key: str, default: float) -> int | float:
    text = env.str(f"COMMSITE_{key}", default=str(default))
    try:
        return type(default)(text)
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise ImproperlyConfigured(f"COMMSITE_{key}={text!r}: expected {kind}.") from None
