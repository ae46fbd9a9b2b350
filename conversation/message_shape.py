"""A message on the wire: `M` of the protocol, the same everywhere, with every key always there.

What belongs to a message but stands in other tables (mentions, reactions, files, siblings, its run)
is handed in as Parts: a shape is never made with a query per row. `message_parts` reads them.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NotRequired, TypedDict

from conversation.markdown import render
from conversation.models import Attachment, Message

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Person(TypedDict):
    """A user as others see one."""

    id: int
    username: str


ASSISTANT: Person = {"id": 0, "username": "assistant"}
"""The author of answers: nobody's account."""


class AttachmentShape(TypedDict):
    """A file of a message: `A`."""

    id: str
    name: str
    size: int
    content_type: str
    is_image: bool
    width: int | None
    height: int | None
    url: str


class ReactionShape(TypedDict):
    """One emoji and who chose it, by id. A message's reactions are in the order of their emoji."""

    emoji: str
    user_ids: list[int]


class BranchShape(TypedDict):
    """Which of the alternatives at its place a message is: `index` from 1 to `count`."""

    index: int
    count: int
    selected: bool


# --- Runs of the assistant -----------------------------------------------------------------------
class ApprovalShape(TypedDict):
    """What a tool call that changes something waits for."""

    state: Literal["waiting", "approved", "denied", "expired"]
    by: Person | None
    expires_at: str


class ToolPart(TypedDict):
    """A tool call of a run: `P`. `offset` is where in the text it was called, in UTF-16 units."""

    type: Literal["tool"]
    id: str
    name: str
    title: str
    offset: int
    arguments: dict[str, Any]
    status: Literal["running", "waiting_approval", "done", "error", "denied"]
    result: str | None
    approval: ApprovalShape | None


class UsageShape(TypedDict):
    """Tokens that a run has cost."""

    input_tokens: int
    output_tokens: int
    is_estimated: bool


class RunProblem(TypedDict):
    """Why a run has failed."""

    code: str
    message: str


class RunShape(TypedDict):
    """An answer in the making, or how it went: `R`. Only runs that are read live have `text`."""

    id: str
    message_id: str
    request_id: str | None
    conversation_id: str
    status: Literal["queued", "running", "finished", "cancelled", "error", "interrupted"]
    backend: Literal["openai", "workspace"]
    model: str | None
    started_by: Person
    seq: int
    offset: int
    text: NotRequired[str]
    parts: list[ToolPart]
    usage: UsageShape | None
    error: RunProblem | None
    cancelled_by: Person | None
    continues: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None


# --- The message ---------------------------------------------------------------------------------
class MessageShape(TypedDict):
    """One message: `M` of the contract. A deleted one has an empty body and nothing attached."""

    id: str
    seq: int
    client_id: str
    role: Literal["user", "assistant"]
    author: Person
    body: str
    html: str
    reply_to: str | None
    thread_id: str | None
    reply_count: int
    last_reply_at: str | None
    parent_id: str | None
    branch_of: str | None
    branch: BranchShape | None
    revision: int
    edited_at: str | None
    deleted_at: str | None
    mentions: list[int]
    mentions_assistant: bool
    attachments: list[AttachmentShape]
    reactions: list[ReactionShape]
    pinned_at: str | None
    pinned_by: Person | None
    run: RunShape | None
    created_at: str


class RootShape(TypedDict):
    """What a reply in a thread changes on the thread's first message."""

    id: str
    reply_count: int
    last_reply_at: str | None


class Parts(NamedTuple):
    """What other tables hold of one message."""

    mentions: list[int]
    attachments: list[AttachmentShape]
    reactions: list[ReactionShape]
    branch: BranchShape | None = None
    run: RunShape | None = None
    pinned_by: Person | None = None


def message_shape(message: Message, parts: Parts | None = None) -> MessageShape:
    """The message on the wire; its author must be loaded. Without parts: it has none."""
    has = parts or Parts([], [], [])
    return {
        "id": str(message.id),
        "seq": message.seq,
        "client_id": message.client_id,
        "role": "assistant" if message.role == Message.Role.ASSISTANT else "user",
        "author": author_shape(message),
        "body": message.body,
        # Messages of the time before Markdown have none stored until `render_messages` has passed.
        "html": message.html or (render(message.body) if message.body else ""),
        "reply_to": _id(message.reply_to_id),
        "thread_id": _id(message.thread_id),
        "reply_count": message.reply_count,
        "last_reply_at": moment(message.last_reply_at),
        "parent_id": _id(message.parent_id),
        "branch_of": _id(message.branch_of_id),
        "branch": has.branch,
        "revision": message.revision,
        "edited_at": moment(message.edited_at),
        "deleted_at": moment(message.deleted_at),
        "mentions": has.mentions,
        "mentions_assistant": message.mentions_assistant,
        "attachments": has.attachments,
        "reactions": has.reactions,
        "pinned_at": moment(message.pinned_at),
        "pinned_by": has.pinned_by,
        "run": None if message.deleted_at else has.run,
        "created_at": time_shape(message.created_at),
    }


def author_shape(message: Message) -> Person:
    """Who said it; the author must be loaded."""
    return ASSISTANT if message.author is None else user_shape(message.author)


def user_shape(user: "User") -> Person:
    """A user on the wire."""
    return {"id": user.pk, "username": user.get_username()}


def root_shape(root: Message) -> RootShape:
    """What replies have made of the first message of a thread."""
    return {
        "id": str(root.id),
        "reply_count": root.reply_count,
        "last_reply_at": moment(root.last_reply_at),
    }


def attachment_shape(attachment: Attachment) -> AttachmentShape:
    """The file on the wire; only members can fetch its address."""
    return {
        "id": str(attachment.id),
        "name": attachment.name,
        "size": attachment.size,
        "content_type": attachment.content_type,
        "is_image": attachment.width is not None,
        "width": attachment.width,
        "height": attachment.height,
        "url": f"/api/v1/conversations/{attachment.conversation_id}/attachments/{attachment.id}/",
    }


def time_shape(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def moment(at: datetime | None) -> str | None:
    """The same for what may not have happened."""
    return None if at is None else time_shape(at)


def _id(value: object) -> str | None:
    return None if value is None else str(value)
