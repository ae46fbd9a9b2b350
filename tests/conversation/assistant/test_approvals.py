"""Leave for tool calls: asked of the people, answered once, told to all, never for ever."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from commsite.realtime.threads import in_thread
from conversation import actions as conversation_actions
from conversation.assistant import actions as run_actions
from conversation.assistant import approvals
from conversation.assistant.engine import engine
from conversation.assistant.job import ToolCall
from conversation.assistant.models import Approval, Run
from conversation.schema import AddMember
from tests.support.phoenix_client import ErrorReply
from tests.support.scripted_backend import tool_call, tool_result

if TYPE_CHECKING:
    import uuid
    from collections.abc import Awaitable, Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.assistant.job import Verdict
    from conversation.models import Conversation
    from tests.support.run_viewer import Watcher
    from tests.support.scripted_backend import ScriptedBackend, Writing

    Enter = Callable[..., Awaitable[Watcher]]

pytestmark = pytest.mark.django_db(transaction=True)

CALL = ToolCall(id="t1", name="rename", title="Rename", arguments={"title": "New"})


class Asked:
    """A run that waits for leave."""

    def __init__(self, run_id: str, writing: Writing, verdict: asyncio.Task[Verdict]) -> None:
        self.run_id = run_id
        self.writing = writing
        self.verdict = verdict


async def asks(watcher: Watcher, scripted: ScriptedBackend) -> Asked:
    """Starts a run whose backend asks for leave, and waits until the watcher sees the question."""
    started = await watcher.call("start_run", body="Rename it", client_id="r1")
    writing = await scripted.asked()
    for event in tool_call("t1", "rename", '{"title": "New"}'):
        writing.do(event)
    await watcher.until("run_event", type="TOOL_CALL_END")
    verdict = asyncio.ensure_future(writing.job.approve(CALL))
    await watcher.until("run_event", type="CUSTOM", name="approval_requested")
    return Asked(str(started["run"]["id"]), writing, verdict)


def answer(watcher: Watcher, asked: Asked, *, approve: bool) -> Awaitable[Any]:
    return watcher.call("answer_approval", run_id=asked.run_id, tool_call_id="t1", approve=approve)


async def test_leave_is_given_and_everybody_is_told_who_gave_it(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    owner, asker = await enter(ada), await enter(grace)
    asked = await asks(asker, scripted)

    said = await answer(owner, asked, approve=True)
    verdict = await asked.verdict
    told = await asker.until("run_event", type="CUSTOM", name="approval_answered")
    asked.writing.do(tool_result("t1", "Renamed."))
    asked.writing.end()

    assert said == {"run_id": asked.run_id, "tool_call_id": "t1", "state": "approved"}
    assert (verdict.approved, verdict.by) == (True, "ada")
    assert told["value"]["approval"]["by"] == {"id": ada.pk, "username": "ada"}
    (part,) = (await owner.completed(asked.run_id))["run"]["parts"]
    assert (part["status"], part["approval"]["state"]) == ("done", "approved")


async def test_the_first_answer_counts_and_the_second_is_told_whose_it_was(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    owner, asker = await enter(ada), await enter(grace)
    asked = await asks(asker, scripted)

    await answer(asker, asked, approve=False)
    with pytest.raises(ErrorReply) as late:
        await answer(owner, asked, approve=True)
    again = await answer(asker, asked, approve=False)

    assert late.value.reason == "conflict"
    assert late.value.response["by"] == {"id": grace.pk, "username": "grace"}
    assert late.value.response["state"] == again["state"] == "denied"
    verdict = await asked.verdict
    assert (verdict.approved, verdict.reason) == (False, "denied")


async def test_other_members_may_answer_only_where_the_site_says_so(
    enter: Enter,
    scripted: ScriptedBackend,
    room: Conversation,
    ada: User,
    linus: User,
    settings: Settings,
) -> None:
    add = AddMember(username=linus.username)
    await in_thread(conversation_actions.add_member, room.id, ada.pk, add)
    asker, other = await enter(ada), await enter(linus)
    asked = await asks(asker, scripted)

    with pytest.raises(ErrorReply) as refused:
        await answer(other, asked, approve=True)
    settings.ASSISTANT_APPROVERS = "members"
    await answer(other, asked, approve=True)

    assert refused.value.reason == "forbidden"
    assert (await asked.verdict).by == "linus"


async def test_nobodys_answer_is_a_no_and_told(
    enter: Enter, scripted: ScriptedBackend, ada: User, settings: Settings
) -> None:
    settings.REALTIME = settings.REALTIME | {"ASSISTANT_APPROVAL_S": 0.0}
    asker = await enter(ada)
    asked = await asks(asker, scripted)

    verdict = await asked.verdict
    told = await asker.until("run_event", type="CUSTOM", name="approval_answered")

    assert (verdict.approved, verdict.by, verdict.reason) == (False, None, "expired")
    assert told["value"]["approval"]["state"] == "expired"
    with pytest.raises(ErrorReply) as late:
        await answer(asker, asked, approve=True)
    assert (late.value.reason, late.value.response["by"]) == ("conflict", None)


async def test_an_answer_that_comes_too_late_is_told_so_though_the_run_has_not_looked_yet(
    enter: Enter, scripted: ScriptedBackend, ada: User
) -> None:
    asker = await enter(ada)
    asked = await asks(asker, scripted)
    await Approval.objects.aupdate(expires_at=timezone.now())

    with pytest.raises(ErrorReply) as late:
        await answer(asker, asked, approve=True)

    assert (late.value.reason, late.value.response["state"]) == ("conflict", "expired")
    assert late.value.response["by"] is None
    asked.verdict.cancel()


async def test_leave_that_was_given_counts_no_more_once_the_run_was_stopped(
    enter: Enter, scripted: ScriptedBackend, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(engine, "stop", lambda run_id: None)  # the message of the end was lost
    looked, look = threading.Event(), approvals._look

    def stopped_just_then(approval_id: uuid.UUID) -> approvals.Answer:
        found = look(approval_id)
        if found.state == Approval.State.APPROVED and not looked.is_set():
            looked.set()
            run = Run.objects.get(approvals=approval_id)
            run_actions.cancel_run(run.conversation_id, ada.pk, run.pk)
        return found

    monkeypatch.setattr(approvals, "_look", stopped_just_then)
    asker = await enter(ada)
    asked = await asks(asker, scripted)
    await answer(asker, asked, approve=True)

    verdict = await asked.verdict

    assert looked.is_set()
    assert not verdict.approved
    (part,) = (await asker.completed(asked.run_id))["run"]["parts"]
    assert part["status"] == "error"


async def test_a_run_that_has_ended_asks_nobody(
    enter: Enter, scripted: ScriptedBackend, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "stop", lambda run_id: None)
    asker = await enter(ada)
    started = await asker.call("start_run", body="Rename it", client_id="r1")
    writing = await scripted.asked()
    await asker.call("cancel_run", run_id=started["run"]["id"])

    verdict = await writing.job.approve(CALL)

    assert not verdict.approved
    assert not await Approval.objects.aexists()


async def test_the_question_survives_that_nobody_watches(
    enter: Enter, scripted: ScriptedBackend, ada: User
) -> None:
    asker = await enter(ada)
    asked = await asks(asker, scripted)
    await asker.client.close()

    back = await enter(ada)
    (run,) = back.reply["runs"]
    await answer(back, asked, approve=True)

    assert run["parts"][0]["status"] == "waiting_approval"
    assert run["parts"][0]["approval"]["state"] == "waiting"
    assert (await asked.verdict).approved


async def test_a_run_that_is_stopped_asks_no_more(
    enter: Enter, scripted: ScriptedBackend, ada: User
) -> None:
    asker = await enter(ada)
    asked = await asks(asker, scripted)

    await asker.call("cancel_run", run_id=asked.run_id)
    with pytest.raises(ErrorReply) as late:
        await answer(asker, asked, approve=True)

    (part,) = (await asker.completed(asked.run_id))["run"]["parts"]
    assert (part["status"], part["approval"]["state"]) == ("error", "expired")
    assert (late.value.reason, late.value.response["state"]) == ("conflict", "expired")
    asked.verdict.cancel()


async def test_an_answer_whose_message_was_lost_is_found_in_the_database(
    enter: Enter, scripted: ScriptedBackend, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "LOOK_AGAIN_S", 0.01)
    asker = await enter(ada)
    asked = await asks(asker, scripted)

    await Approval.objects.aupdate(state=Approval.State.APPROVED, answered_by=ada)

    assert (await asked.verdict).by == "ada"
