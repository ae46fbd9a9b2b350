"""Commands about runs, and what answers them, on the socket and over REST."""

import uuid
from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from commsite.realtime.schema import Payload
from conversation.message_shape import MessageShape, RunShape
from conversation.models import BODY_CHARS, CLIENT_ID_CHARS

_STORABLE = r"^[^\x00\ud800-\udfff]*$"
Body = Annotated[str, Meta(min_length=1, max_length=BODY_CHARS, pattern=_STORABLE)]
ClientId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=CLIENT_ID_CHARS,
        pattern=_STORABLE,
        description="One id of one person is one run, however often it is sent.",
    ),
]
BranchIndex = Annotated[int, Meta(ge=1, le=2**31 - 1)]
CallId = Annotated[str, Meta(min_length=1, max_length=200, pattern=_STORABLE)]


class StartRun(Payload):
    """Have a message answered: one that is there, or a new one. `queue`: wait for the active run."""

    client_id: ClientId
    message_id: uuid.UUID | None = None
    body: Body | None = None
    queue: bool = False


class NameRun(Payload):
    """Name a run: to stop it, or to read it."""

    run_id: uuid.UUID


class Regenerate(Payload):
    """Have the same question answered once more, beside the answer that is there."""

    message_id: uuid.UUID
    client_id: ClientId
    queue: bool = False


class BranchMessage(Payload):
    """Ask otherwise: a new message of mine beside the one that is there, and its answer."""

    message_id: uuid.UUID
    body: Body
    client_id: ClientId
    queue: bool = False


class SelectBranch(Payload):
    """Show this one of the alternatives at its place, to everybody.

    With `index` (from 1, as in `branch` of a message) the one of that number: a page has seldom all.
    """

    message_id: uuid.UUID
    index: BranchIndex | None = None


class ContinueRun(Payload):
    """Let an answer go on that was stopped, interrupted, or broke off."""

    run_id: uuid.UUID
    client_id: ClientId
    queue: bool = False


class AnswerApproval(Payload):
    """Let a tool call change something, or not."""

    run_id: uuid.UUID
    tool_call_id: CallId
    approve: bool


# --- The same over REST, where the address names the run or the message -----------------------------
class RestartBody(Payload):
    """What starts a run beside another one."""

    client_id: ClientId
    queue: bool = False


class BranchBody(Payload):
    """What is asked otherwise."""

    body: Body
    client_id: ClientId
    queue: bool = False


class SelectBody(Payload):
    """Which one is shown, if not the one that the address names."""

    index: BranchIndex | None = None


class ApprovalBody(Payload):
    """Yes or no."""

    approve: bool


# --- Answers -------------------------------------------------------------------------------------
class RunStarted(TypedDict):
    """The reply to what starts a run: `message` is the answer that will be written."""

    run: RunShape
    message: MessageShape


class RunRead(TypedDict):
    """The reply to `fetch_run`: with `text`."""

    run: RunShape


class RunsRead(TypedDict):
    """The active runs of a conversation: with `text`."""

    runs: list[RunShape]


class BranchSelected(TypedDict):
    """The reply to `select_branch`: the first of the alternatives, and the one that is shown now."""

    branch_of: str
    message_id: str


Stopped = Literal["stopped", "dequeued", "already_finished"]


class CancelVerdict(TypedDict):
    """The reply to `cancel_run`: what it did, and how far the answer had come (UTF-16 units)."""

    run_id: str
    verdict: Stopped
    status: str
    offset: int


class ApprovalVerdict(TypedDict):
    """The reply to `answer_approval`."""

    run_id: str
    tool_call_id: str
    state: Literal["approved", "denied"]
