"""Wire shapes of a conversation: commands that come in, answers and facts that go out.

The socket and REST read and write the same shapes; the OpenAPI document is derived from them.
Times are RFC 3339 in UTC with milliseconds and `Z`; ids of conversations and messages are UUIDs.
"""

import uuid
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import Meta

from commsite.realtime.schema import Payload
from conversation.message_shape import (
    MessageShape,
    Person,
    ReactionShape,
    RootShape,
    time_shape,
)
from conversation.models import (
    BODY_CHARS,
    CLIENT_ID_CHARS,
    EMOJI_CHARS,
    TITLE_CHARS,
    Conversation,
    Member,
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
Assistant = Literal["off", "mention", "always"]
Body = Annotated[str, Meta(min_length=1, max_length=BODY_CHARS, pattern=_STORABLE)]
ClientId = Annotated[str, Meta(min_length=1, max_length=CLIENT_ID_CHARS, pattern=_STORABLE)]

Query = Annotated[str, Meta(min_length=1, max_length=200, pattern=_STORABLE)]

PAGE_FOUND = 20
MAX_PAGE_FOUND = 50
PAGE_MESSAGES = 50
MAX_PAGE_MESSAGES = 200
MAX_FIRST_MEMBERS = 100
MOST_ATTACHMENT_IDS = 100  # what one command may name; how many one message may have is a setting
MAX_EMOJI = 20
MAX_PINS = 100


# --- Commands ------------------------------------------------------------------------------------
class SendMessage(Payload):
    """Say something. One `client_id` of one author is one message, however often it is sent.

    `thread_id` is the first message of a thread, which any message of the main timeline can become.
    `attachment_ids` are one's own uploads to this conversation; with files the body may be empty.
    """

    body: Annotated[str, Meta(max_length=BODY_CHARS, pattern=_STORABLE)]
    client_id: ClientId
    reply_to: uuid.UUID | None = None
    thread_id: uuid.UUID | None = None
    attachment_ids: Annotated[list[uuid.UUID], Meta(max_length=MOST_ATTACHMENT_IDS)] = (
        msgspec.field(default_factory=list)
    )


class EditBody(Payload):
    """Say it otherwise. `revision` is the one that was edited; a newer one there is a conflict."""

    revision: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    body: Body


class EditMessage(EditBody):
    """The same, for this message."""

    message_id: uuid.UUID


class NameMessage(Payload):
    """Delete, pin or unpin this message."""

    message_id: uuid.UUID


class Emoji(Payload):
    """One's own reaction: an emoji, or a short name between colons."""

    emoji: Annotated[str, Meta(min_length=1, max_length=EMOJI_CHARS, pattern=_STORABLE)]


class React(Emoji):
    """Add or take it back."""

    message_id: uuid.UUID


class FetchHistory(Payload):
    """Read one page of the main timeline, or of a thread (its first message is not among them).

    The newest messages, or those before, after or around one seq.
    """

    before_seq: Seq | None = None
    after_seq: Seq | None = None
    around_seq: Seq | None = None
    thread_id: uuid.UUID | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_MESSAGES)] = PAGE_MESSAGES


class SearchMessages(Payload):
    """Find messages of the conversation by their words, the newest first; the last word may be a beginning."""

    query: Query
    before_seq: Seq | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_FOUND)] = PAGE_FOUND


class SearchEverywhere(Payload):
    """The same in all of one's conversations; the next page begins `before` the last message of this."""

    query: Query
    before: uuid.UUID | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_FOUND)] = PAGE_FOUND


class SetAssistant(Payload):
    """Say when the assistant answers of itself; owners only."""

    assistant: Assistant


class CreateConversation(Payload):
    """Open a conversation; whoever opens it owns it and need not be named among the members.

    With a `client_id` it is one conversation of this person, however often it is sent.
    """

    title: Title
    client_id: ClientId | None = None
    members: Annotated[list[Username], Meta(max_length=MAX_FIRST_MEMBERS)] = msgspec.field(
        default_factory=list
    )


class RenameConversation(Payload):
    """Give the conversation another title."""

    title: Title


class ChangeConversation(Payload):
    """Give it another title, say when the assistant answers of itself, or both."""

    title: Title | None = None
    assistant: Assistant | None = None


class AddMember(Payload):
    """Let another user in."""

    username: Username


class RemoveMember(Payload):
    """Take a member out; one's own id leaves."""

    user_id: UserId


# --- What goes out -------------------------------------------------------------------------------
class MemberShape(TypedDict):
    """A member as others see one."""

    id: int
    username: str
    role: Role


class Heading(TypedDict):
    """What a conversation is called."""

    id: str
    title: str


class ConversationHere(Heading):
    """What a conversation is called and when its assistant answers of itself."""

    assistant: Assistant


class ConversationRow(ConversationHere):
    """A conversation in a list; 100 unread messages or mentions mean 100 or more."""

    last_seq: int
    last_message: MessageShape | None
    last_activity_at: str
    created_at: str
    unread: int
    mentions: int


class ConversationShape(ConversationRow):
    """A conversation with its members."""

    members: list[MemberShape]


class Welcome(TypedDict):
    """What every join reply holds, beside `seq`, `reset` and (without `since`) `messages`.

    `pins` are ids of messages, the newest pin first. The storeys above add keys of theirs (hooks).
    """

    conversation: ConversationHere
    members: list[MemberShape]
    user: Person
    pins: list[str]


class HistoryPage(TypedDict):
    """Messages in ascending seq; `has_more` looks the way that was asked for (around: both)."""

    messages: list[MessageShape]
    has_more: bool
    has_more_before: bool
    has_more_after: bool


class MessageAnswer(TypedDict):
    """The reply to `send_message`, `edit_message` and `delete_message`."""

    message: MessageShape


class MessageSent(TypedDict):
    """Fact `message_sent`; `root` where it is a reply in a thread."""

    message: MessageShape
    root: NotRequired[RootShape]


class MessageEdited(TypedDict):
    """Fact `message_edited`."""

    seq: int
    message: MessageShape
    by: Person | None


class MessageDeleted(TypedDict):
    """Fact `message_deleted`: what is left of the message; `root` where it was in a thread."""

    seq: int
    message: MessageShape
    root: NotRequired[RootShape]
    by: Person | None


class MessageCompleted(TypedDict):
    """Fact `message_completed`: its run has ended, however; the final text."""

    seq: int
    message: MessageShape


class ReactionAnswer(TypedDict):
    """The reply to `add_reaction` and `remove_reaction`: all reactions to the message now."""

    message_id: str
    reactions: list[ReactionShape]


class ReactionFact(TypedDict):
    """Facts `reaction_added` and `reaction_removed`."""

    seq: int
    message_id: str
    emoji: str
    user: Person


class PinAnswer(TypedDict):
    """The reply to `pin_message` and `unpin_message`."""

    message_id: str
    pinned_at: str | None


class PinFact(PinAnswer):
    """Facts `message_pinned` and `message_unpinned`."""

    seq: int
    by: Person | None


class PinList(TypedDict):
    """The pinned messages, the newest pin first."""

    messages: list[MessageShape]


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


class ConversationChanged(TypedDict):
    """Fact `conversation_changed`: what an owner has set."""

    seq: int
    conversation: ConversationHere
    by: Person | None


class ConversationAnswer(TypedDict):
    """The reply to `set_assistant`."""

    conversation: ConversationHere


# --- Rows into shapes ----------------------------------------------------------------------------
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


def here_shape(conversation: Conversation) -> ConversationHere:
    """What the conversation is called and how its assistant is set, on the wire."""
    modes: dict[str, Assistant] = {"off": "off", "mention": "mention", "always": "always"}
    return {**heading_shape(conversation), "assistant": modes[conversation.assistant]}


def row_shape(
    conversation: Conversation, last: MessageShape | None, unread: int, mentions: int
) -> ConversationRow:
    """The conversation in a list, with its last message and what its reader has missed."""
    return {
        **here_shape(conversation),
        "last_seq": conversation.last_seq,
        "last_message": last,
        "last_activity_at": time_shape(conversation.last_activity_at),
        "created_at": time_shape(conversation.created_at),
        "unread": unread,
        "mentions": mentions,
    }
