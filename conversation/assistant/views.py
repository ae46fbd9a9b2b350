"""Runs over REST: the same commands and the same actions as on the socket."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from commsite.realtime.schema import parse
from conversation.assistant import actions, approvals, branches
from conversation.assistant.schema import (
    AnswerApproval,
    ApprovalBody,
    ApprovalVerdict,
    BranchBody,
    BranchMessage,
    BranchSelected,
    CancelVerdict,
    ContinueRun,
    Regenerate,
    RestartBody,
    RunRead,
    RunsRead,
    RunStarted,
    SelectBody,
    SelectBranch,
    StartRun,
)
from conversation.rates import spend
from conversation.rest import (
    REFUSED_CHANGE,
    REFUSED_READ,
    ConversationView,
    described,
    me,
    takes,
)

STARTED: dict[int, Any] = {
    201: described(RunStarted),
    200: described(RunStarted),
    **REFUSED_CHANGE,
}


def _started(started: actions.Started) -> Response:
    body = {"run": started.run, "message": started.message}
    return Response(body, status=201 if started.is_new else 200)


class RunList(ConversationView):
    """The active runs of a conversation."""

    @extend_schema(operation_id="runs_list", responses={200: described(RunsRead), **REFUSED_READ})
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Read the queued and running runs with their texts, the oldest first."""
        spend("history", me(request))
        return Response({"runs": actions.active_runs(conversation_id, me(request))})

    @extend_schema(operation_id="runs_start", request=takes(StartRun), responses=STARTED)
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Have a message answered; the same `client_id` again answers 200 with the same run."""
        command = parse(StartRun, request.data)
        return _started(actions.start_run(conversation_id, me(request), command))


class RunDetail(ConversationView):
    """One run."""

    @extend_schema(operation_id="runs_read", responses={200: described(RunRead), **REFUSED_READ})
    def get(self, request: Request, conversation_id: uuid.UUID, run_id: uuid.UUID) -> Response:
        """Read a run with its text."""
        spend("history", me(request))
        return Response({"run": actions.fetch_run(conversation_id, me(request), run_id)})


class RunCancel(ConversationView):
    """The end of one run."""

    @extend_schema(
        operation_id="runs_cancel",
        request=None,
        responses={200: described(CancelVerdict), **REFUSED_CHANGE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID, run_id: uuid.UUID) -> Response:
        """Stop a run and learn what that did."""
        return Response(actions.cancel_run(conversation_id, me(request), run_id))


class RunContinue(ConversationView):
    """What follows a run that did not come to its end."""

    @extend_schema(operation_id="runs_continue", request=takes(RestartBody), responses=STARTED)
    def post(self, request: Request, conversation_id: uuid.UUID, run_id: uuid.UUID) -> Response:
        """Let an answer go on, as an alternative that begins with the text that was kept."""
        command = parse(ContinueRun, {**_object(request), "run_id": str(run_id)})
        return _started(branches.continue_run(conversation_id, me(request), command))


class RunApproval(ConversationView):
    """Leave for one tool call of a run."""

    @extend_schema(
        operation_id="runs_approve",
        request=takes(ApprovalBody),
        responses={200: described(ApprovalVerdict), **REFUSED_CHANGE},
    )
    def post(
        self, request: Request, conversation_id: uuid.UUID, run_id: uuid.UUID, tool_call_id: str
    ) -> Response:
        """Give leave, or refuse it; the first answer counts."""
        spend("change", me(request))
        named = {"run_id": str(run_id), "tool_call_id": tool_call_id}
        command = parse(AnswerApproval, {**_object(request), **named})
        return Response(approvals.answer_approval(conversation_id, me(request), command))


class MessageRegenerate(ConversationView):
    """Another answer to the same question."""

    @extend_schema(
        operation_id="messages_regenerate", request=takes(RestartBody), responses=STARTED
    )
    def post(self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Have the question of an answer answered once more, beside it."""
        command = parse(Regenerate, {**_object(request), "message_id": str(message_id)})
        return _started(branches.regenerate(conversation_id, me(request), command))


class MessageBranches(ConversationView):
    """The alternatives to a message."""

    @extend_schema(operation_id="messages_branch", request=takes(BranchBody), responses=STARTED)
    def post(self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Ask otherwise: a new message beside mine, and its answer."""
        spend("message", me(request))
        command = parse(BranchMessage, {**_object(request), "message_id": str(message_id)})
        return _started(branches.branch_message(conversation_id, me(request), command))


class MessageSelect(ConversationView):
    """Which of the alternatives is shown."""

    @extend_schema(
        operation_id="messages_select",
        request=takes(SelectBody),
        responses={200: described(BranchSelected), **REFUSED_CHANGE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Show this one to everybody, or with `index` the one of that number among its alternatives."""
        spend("change", me(request))
        command = parse(SelectBranch, {**_object(request), "message_id": str(message_id)})
        return Response(branches.select_branch(conversation_id, me(request), command))


def _object(request: Request) -> dict[str, Any]:
    return dict(request.data) if isinstance(request.data, dict) else {}
