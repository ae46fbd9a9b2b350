"""Wire shapes of a conversation: commands that come in, answers and facts that go out.

The socket and REST read and write the same shapes; the OpenAPI document is derived from them.
Times are RFC 3339 in UTC with milliseconds and `Z`; ids of conversations and messages are UUIDs.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Literal, TypedDict

import msgspec
from msgspec import Meta

from commsite.realtime.schema import Payload
from conversation.models import (
    BODY_CHARS,
    CLIENT_ID_CHARS,
    TITLE_CHARS,
    Conversation,
    Member,
    Message,
)

# NUL cannot be stored by PostgreSQL and half a surrogate pair cannot be stored by anyone.
_STORABLE = r"^[^\x00\ud800-\udfff]*$"
_ONE_LINE = r"^(?=.*\S)[^\x00-\x1f\x7f\ud800-\udfff]*$"

# Up to what a JavaScript number holds exactly.
Seq = Annotated[
    int, Meta(ge=0, le=2**53 - 1, description="A place in the conversation's sequence.")
]
Title = Annotated[str, Meta(min_length=1, max_length=TITLE_CHARS, pattern=_ONE_LINE)]
Username = Annotated[str, Meta(min_length=1, max_length=150, pattern=_ONE_LINE)]
UserId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Role = Literal["owner", "member"]

PAGE_MESSAGES = 50
MAX_PAGE_MESSAGES = 200
MAX_FIRST_MEMBERS = 100


# --- Commands ------------------------------------------------------------------------------------
class SendMessage(Payload):
    """Say something. One `client_id` of one author is one message, however often it is sent."""

    body: Annotated[str, Meta(min_length=1, max_length=BODY_CHARS, pattern=_STORABLE)]
    client_id: Annotated[str, Meta(min_length=1, max_length=CLIENT_ID_CHARS, pattern=_STORABLE)]
    reply_to: uuid.UUID | None = None


class FetchHistory(Payload):
    """Read one page: the newest messages, or those before, after or around one seq."""

    before_seq: Seq | None = None
    after_seq: Seq | None = None
    around_seq: Seq | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_MESSAGES)] = PAGE_MESSAGES


class CreateConversation(Payload):
    """Open a conversation; whoever opens it owns it and need not be named among the members."""

    title: Title
    members: Annotated[list[Username], Meta(max_length=MAX_FIRST_MEMBERS)] = msgspec.field(
        default_factory=list
    )


class RenameConversation(Payload):
    """Give the conversation another title."""

    title: Title


class AddMember(Payload):
    """Let another user in."""

    username: Username


class RemoveMember(Payload):
    """Take a member out; one's own id leaves."""

    user_id: UserId


# --- What goes out -------------------------------------------------------------------------------
class Person(TypedDict):
    """A user as others see one."""

    id: int
    username: str


class MessageShape(TypedDict):
    """One message: `M` of the contract."""

    id: str
    seq: int
    client_id: str
    author: Person
    body: str
    reply_to: str | None
    created_at: str


class MemberShape(TypedDict):
    """A member as others see one."""

    id: int
    username: str
    role: Role


class Heading(TypedDict):
    """What a conversation is called."""

    id: str
    title: str


class ConversationRow(Heading):
    """A conversation in a list."""

    last_seq: int
    last_message: MessageShape | None
    last_activity_at: str
    created_at: str


class ConversationShape(ConversationRow):
    """A conversation with its members."""

    members: list[MemberShape]


class Welcome(TypedDict):
    """What every join reply holds, beside `seq`, `reset` and (without `since`) `messages`."""

    conversation: Heading
    members: list[MemberShape]
    user: Person


class HistoryPage(TypedDict):
    """Messages in ascending seq; `has_more` looks the way that was asked for (around: both)."""

    messages: list[MessageShape]
    has_more: bool
    has_more_before: bool
    has_more_after: bool


class MessageSent(TypedDict):
    """Fact `message_sent`, and the reply to `send_message`."""

    message: MessageShape


class MemberAnswer(TypedDict):
    """The reply to `add_member`."""

    member: MemberShape


class MemberFact(TypedDict):
    """Facts `member_added`, `member_changed` and `member_removed`."""

    seq: int
    member: MemberShape
    by: Person | None


class MembershipChanged(TypedDict):
    """Event `membership_changed` on `user:<id>`: the role this user now has; None: not in it."""

    conversation: Heading
    role: Role | None


class ConversationRenamed(TypedDict):
    """Fact `conversation_renamed`."""

    seq: int
    conversation: Heading
    by: Person | None


# --- Rows into shapes ----------------------------------------------------------------------------
def message_shape(message: Message) -> MessageShape:
    """The message on the wire; its author must be loaded."""
    return {
        "id": str(message.id),
        "seq": message.seq,
        "client_id": message.client_id,
        "author": author_shape(message),
        "body": message.body,
        "reply_to": None if message.reply_to_id is None else str(message.reply_to_id),
        "created_at": time_shape(message.created_at),
    }


def author_shape(message: Message) -> Person:
    """Who said it; the author must be loaded. The assistant is nobody's account: its id is 0."""
    if message.author is None:
        return {"id": 0, "username": "assistant"}
    return {"id": message.author.pk, "username": message.author.get_username()}


def member_shape(member: Member) -> MemberShape:
    """The member on the wire; the user must be loaded."""
    return {
        "id": member.user_id,
        "username": member.user.get_username(),
        "role": "owner" if member.role == Member.Role.OWNER else "member",
    }


def person_shape(member: Member) -> Person:
    """The user behind a member on the wire."""
    return {"id": member.user_id, "username": member.user.get_username()}


def heading_shape(conversation: Conversation) -> Heading:
    """What the conversation is called, on the wire."""
    return {"id": str(conversation.id), "title": conversation.title}


def row_shape(conversation: Conversation) -> ConversationRow:
    """The conversation in a list; its last message must be loaded."""
    last = conversation.last_message
    return {
        **heading_shape(conversation),
        "last_seq": conversation.last_seq,
        "last_message": None if last is None else message_shape(last),
        "last_activity_at": time_shape(conversation.last_activity_at),
        "created_at": time_shape(conversation.created_at),
    }


def time_shape(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
