"""Wire shapes of typing, receipts and unread counts."""

import uuid
from typing import NotRequired, TypedDict

from commsite.realtime.schema import Payload
from conversation.message_shape import Person
from conversation.schema import Seq


# --- Commands ------------------------------------------------------------------------------------
class StartTyping(Payload):
    """Say that one types, in the conversation or in a thread; again every 3 s while it goes on."""

    thread_id: uuid.UUID | None = None


class MarkRead(Payload):
    """Say that everything up to this seq has been before one's eyes; a mark never goes back."""

    seq: Seq
    thread_id: uuid.UUID | None = None


class MarkDelivered(Payload):
    """Say that everything up to this seq has reached this device."""

    seq: Seq
    thread_id: uuid.UUID | None = None


class FetchReceipts(Payload):
    """Read how far the others have got; in the conversation itself, or in one thread."""

    thread_id: uuid.UUID | None = None


# --- Typing --------------------------------------------------------------------------------------
class TypingShape(TypedDict):
    """Somebody who types, and for how long that may be shown without hearing of it again."""

    user: Person
    thread_id: str | None
    expires_in_ms: int


class TypingChanged(TypedDict):
    """Event `typing_changed`: everybody who types in the conversation, oneself included."""

    typing: list[TypingShape]


class TypingAnswer(TypedDict):
    """The reply to `start_typing`: False where the conversation has too many members for it."""

    is_told: bool


# --- Receipts ------------------------------------------------------------------------------------
class ReceiptShape(TypedDict):
    """One member's marks, in the conversation itself or in a thread."""

    user_id: int
    thread_id: str | None
    delivered_seq: int
    read_seq: int


class SeenShape(TypedDict):
    """So many members have got at least as far as `seq`."""

    seq: int
    count: int


class ReceiptCounts(TypedDict):
    """What is told in place of names where there are many members, the furthest marks first."""

    members: int
    delivered: list[SeenShape]
    read: list[SeenShape]


class RetractedShape(TypedDict):
    """A member's marks that are nobody else's business any more."""

    user_id: int
    thread_id: str | None


class ReceiptsChanged(TypedDict):
    """Event `receipts_changed`, the reply to `fetch_receipts`, and part of every join reply.

    `retracted` only in an event: its marks are forgotten by everybody but the person whose they are.
    """

    receipts: list[ReceiptShape]
    receipt_counts: ReceiptCounts | None
    retracted: NotRequired[list[RetractedShape]]


class MyReceipt(TypedDict):
    """The answer to a mark over REST: one's own marks as they are now."""

    receipt: ReceiptShape


# --- Unread --------------------------------------------------------------------------------------
class ThreadUnread(TypedDict):
    """A followed thread with something unread in it."""

    thread_id: str
    unread: int
    mentions: int
    read_seq: int


class UnreadShape(TypedDict):
    """Event `unread_changed` on `user:<id>`: what one member has not read of one conversation.

    `unread` and `mentions` hold the threads' too; 100 means "100 or more". `read_seq` is the mark
    in the conversation itself.
    """

    conversation_id: str
    unread: int
    mentions: int
    read_seq: int
    threads: list[ThreadUnread]
