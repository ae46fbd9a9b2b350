"""What a member may do with the assistant over the socket; each asks the database whether they may."""

from collections.abc import Mapping
from typing import Any

from commsite.realtime.channel import handles
from commsite.realtime.history_channel import HistoryChannel
from commsite.realtime.registry import State
from conversation.assistant import actions, approvals, branches, shapes
from conversation.assistant.folding import snapshot_of
from conversation.assistant.schema import (
    AnswerApproval,
    BranchMessage,
    ContinueRun,
    NameRun,
    Regenerate,
    SelectBranch,
    StartRun,
)
from conversation.assistant.store import RUN_EVENT
from conversation.message_shape import RunShape
from conversation.rates import spend
from conversation.seat import Seat


class AssistantEvents(Seat, HistoryChannel):
    """Start, stop and read runs; alternatives; leave for tools. Joiners are given the active runs."""

    _runs: list[RunShape]

    def states(self) -> list[State]:
        """The active runs with their texts: a joiner gets these, then what is told after them."""
        self._runs = shapes.active_shapes(self.conversation_id)
        return [State(RUN_EVENT, run["id"], run["seq"], snapshot_of(run)) for run in self._runs]

    def welcome(self) -> dict[str, Any]:
        """{"runs": [R with text]} beside what the rest of the channel says."""
        return {**super().welcome(), "runs": self._runs}

    @handles("start_run", StartRun)
    async def on_start_run(self, command: StartRun) -> Mapping[str, Any]:
        """{"run": R, "message": M}: the answer that will be written."""
        return _reply(await self.as_member(actions.start_run, command))

    @handles("cancel_run", NameRun)
    async def on_cancel_run(self, command: NameRun) -> Mapping[str, Any]:
        """{"run_id", "verdict", "status", "offset"}."""
        return dict(await self.as_member(actions.cancel_run, command.run_id))

    @handles("fetch_run", NameRun)
    async def on_fetch_run(self, command: NameRun) -> Mapping[str, Any]:
        """{"run": R with text}."""
        spend("history", self.identity.user_id)
        return {"run": await self.as_member(actions.fetch_run, command.run_id)}

    @handles("regenerate", Regenerate)
    async def on_regenerate(self, command: Regenerate) -> Mapping[str, Any]:
        """{"run": R, "message": M}: one more answer to the same question."""
        return _reply(await self.as_member(branches.regenerate, command))

    @handles("branch_message", BranchMessage)
    async def on_branch_message(self, command: BranchMessage) -> Mapping[str, Any]:
        """{"run": R, "message": M}: the answer to the question asked otherwise."""
        spend("message", self.identity.user_id)
        return _reply(await self.as_member(branches.branch_message, command))

    @handles("select_branch", SelectBranch)
    async def on_select_branch(self, command: SelectBranch) -> Mapping[str, Any]:
        """{"branch_of", "message_id"}."""
        spend("change", self.identity.user_id)
        return dict(await self.as_member(branches.select_branch, command))

    @handles("continue_run", ContinueRun)
    async def on_continue_run(self, command: ContinueRun) -> Mapping[str, Any]:
        """{"run": R, "message": M}: the answer that goes on."""
        return _reply(await self.as_member(branches.continue_run, command))

    @handles("answer_approval", AnswerApproval)
    async def on_answer_approval(self, command: AnswerApproval) -> Mapping[str, Any]:
        """{"run_id", "tool_call_id", "state"}."""
        spend("change", self.identity.user_id)
        return dict(await self.as_member(approvals.answer_approval, command))


def _reply(started: actions.Started) -> Mapping[str, Any]:
    return {"run": started.run, "message": started.message}
