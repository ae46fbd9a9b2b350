"""Leave for tool calls that change something: asked of the people, answered once, told to all.

Who may answer: whoever started the run and the owners of the conversation, or every member (a
setting). The first answer counts; nobody's answer is a no after a while. The question is stored, so
it does not matter who is there when it is asked.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from commsite.realtime import telemetry
from commsite.realtime.errors import PushError
from commsite.realtime.pubsub import control_on_commit
from commsite.realtime.threads import in_thread
from conversation import queries
from conversation.assistant.actions import find_run
from conversation.assistant.job import ToolCall, Verdict
from conversation.assistant.models import Approval, Run
from conversation.assistant.schema import AnswerApproval, ApprovalVerdict
from conversation.assistant.store import Claim, held
from conversation.facts import lock
from conversation.message_shape import Person, time_shape, user_shape
from conversation.models import Member

ANSWERED_CONTROL = "assistant_approval_answered"
"""Control message {approval_id}: the run that waits for it looks."""
LOOK_AGAIN_S = 2.0
"""Where that message was lost, the run finds the answer within this time."""

Tell = Callable[[dict[str, Any]], Awaitable[bool]]
"""Stores and tells an event of the run; False when the run is ours no more."""

LOST = Verdict(approved=False, reason=Approval.State.EXPIRED.value)
"""The verdict on whatever a run asks that has ended meanwhile."""

_waiting: dict[str, asyncio.Event] = {}


class Answer(NamedTuple):
    """What has become of a question."""

    state: str
    by: Person | None


# --- The run asks --------------------------------------------------------------------------------
class Asking:
    """How one run asks. Event loop only."""

    def __init__(self, claim: Claim, tell: Tell) -> None:
        self._claim = claim
        self._tell = tell

    async def ask(self, call: ToolCall) -> Verdict:
        """Asks the people and returns at the first answer, or when the time is over.

        Leave counts only while the run is this process's: what was stopped, or taken for dead, changes nothing any
        more, whatever it is told by then.
        """
        approval = await in_thread(_ask, self._claim, call)
        if approval is None:
            return LOST
        until = time_shape(approval.expires_at)
        waiting = {"state": "waiting", "by": None, "expires_at": until}
        if not await self._tell(_custom("approval_requested", call, waiting)):
            return LOST
        answer = await self._answered(approval)
        answered = {"state": answer.state, "by": answer.by, "expires_at": until}
        if not await self._tell(_custom("approval_answered", call, answered)):
            return LOST
        telemetry.count("assistant_approvals_total", state=answer.state)
        return Verdict(
            approved=answer.state == Approval.State.APPROVED,
            by=None if answer.by is None else answer.by["username"],
            reason="" if answer.state == Approval.State.APPROVED else answer.state,
        )

    async def _answered(self, approval: Approval) -> Answer:
        key = str(approval.id)
        said = _waiting[key] = asyncio.Event()
        try:
            while True:
                answer = await in_thread(_look, approval.id)
                if answer.state != Approval.State.WAITING:
                    return answer
                left_s = (approval.expires_at - timezone.now()).total_seconds()
                try:
                    await asyncio.wait_for(said.wait(), max(0.01, min(left_s, LOOK_AGAIN_S)))
                except TimeoutError:
                    continue
                said.clear()
        finally:
            del _waiting[key]


def hear(answered: dict[str, Any]) -> None:
    """A question was answered, in this process or another."""
    said = _waiting.get(answered["approval_id"])
    if said is not None:
        said.set()


def _custom(name: str, call: ToolCall, approval: dict[str, Any]) -> dict[str, Any]:
    value = {
        "tool_call_id": call.id,
        "name": call.name,
        "title": call.title,
        "arguments": call.arguments,
        "approval": approval,
    }
    return {"type": "CUSTOM", "name": name, "value": value}


@transaction.atomic
def _ask(claim: Claim, call: ToolCall) -> Approval | None:
    """Stores the question; None for a run that has ended: nobody could answer it any more."""
    if claim.run_id not in held([claim]):
        return None
    expires_at = timezone.now() + timedelta(seconds=settings.REALTIME["ASSISTANT_APPROVAL_S"])
    return Approval.objects.create(
        run_id=claim.run_id,
        tool_call_id=call.id,
        name=call.name,
        title=call.title,
        arguments=call.arguments,
        expires_at=expires_at,
    )


def _look(approval_id: uuid.UUID) -> Answer:
    """What has become of it; a question whose time is over expires here."""
    one = Approval.objects.filter(id=approval_id)
    one.filter(state=Approval.State.WAITING, expires_at__lte=timezone.now()).update(
        state=Approval.State.EXPIRED
    )
    return _answer_of(one.select_related("answered_by").get())


def _answer_of(approval: Approval) -> Answer:
    by = approval.answered_by
    return Answer(approval.state, None if by is None else user_shape(by))


# --- The people answer ---------------------------------------------------------------------------
@transaction.atomic
def answer_approval(
    conversation_id: uuid.UUID, user_id: int, command: AnswerApproval
) -> ApprovalVerdict:
    """Gives leave or refuses it; the first answer counts, and the same person's again changes nothing.

    Raises PushError: "not_found", "forbidden", "conflict" with `state` and `by` when it was
    answered by somebody else, or its time is over.
    """
    lock(conversation_id)
    me = queries.membership(conversation_id, user_id)
    run = find_run(conversation_id, command.run_id)
    approval = run.approvals.filter(tool_call_id=command.tool_call_id).first()
    if approval is None:
        raise PushError("not_found", "Nothing of that kind was asked.")
    if not _may_answer(me, run):
        raise PushError("forbidden", "Only who started the run and owners may answer that.")
    state = Approval.State.APPROVED if command.approve else Approval.State.DENIED
    if not _decide(approval, state, user_id, timezone.now()):
        approval.refresh_from_db()
        if (approval.answered_by_id, approval.state) != (user_id, state):
            answer = _answer_of(approval)
            is_late = answer.state == Approval.State.WAITING  # the run has not looked yet
            decided = Approval.State.EXPIRED.value if is_late else answer.state
            raise PushError("conflict", "It is decided.", state=decided, by=answer.by)
    control_on_commit(ANSWERED_CONTROL, {"approval_id": str(approval.id)})
    return {
        "run_id": str(run.id),
        "tool_call_id": approval.tool_call_id,
        "state": "approved" if command.approve else "denied",
    }


def _may_answer(me: Member, run: Run) -> bool:
    if settings.ASSISTANT_APPROVERS == "members":
        return True
    return me.role == Member.Role.OWNER or run.started_by_id == me.user_id


def _decide(approval: Approval, state: str, user_id: int, now: datetime) -> bool:
    waiting = Approval.objects.filter(
        id=approval.id,
        state=Approval.State.WAITING,
        expires_at__gt=now,
        run__status=Run.Status.RUNNING,
    )
    return bool(waiting.update(state=state, answered_by_id=user_id, answered_at=now))
