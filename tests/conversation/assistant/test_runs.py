"""Runs through the real socket: started, watched, joined in the middle, stopped, queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from ag_ui.core import Event as AgUiEvent
from pydantic import TypeAdapter

from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from conversation import actions as conversation_actions
from conversation.assistant import actions as run_actions
from conversation.assistant.engine import engine
from conversation.assistant.models import Run, RunEvent
from conversation.schema import AddMember, SetAssistant
from tests.support.phoenix_client import ErrorReply
from tests.support.scripted_backend import tool_call, tool_result
from tests.support.socket_client import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.support.run_viewer import Watcher
    from tests.support.scripted_backend import ScriptedBackend, Writing

    Mode = Literal["off", "mention", "always"]
    Enter = Callable[..., Awaitable[Watcher]]

pytestmark = pytest.mark.django_db(transaction=True)

AG_UI: TypeAdapter[Any] = TypeAdapter(AgUiEvent)


async def ask(watcher: Watcher, body: str = "Why?", **more: Any) -> str:
    """Starts a run and returns its id."""
    started = await watcher.call("start_run", body=body, client_id=body, **more)
    return str(started["run"]["id"])


async def answering(
    watcher: Watcher, scripted: ScriptedBackend, *words: str
) -> tuple[str, Writing]:
    """Has a question answered up to these words, which the watcher sees; the id of the run, and who writes it."""
    run_id = await ask(watcher)
    writing = await scripted.asked()
    for word in words:
        writing.say(word)
    await watcher.until_shown(run_id, "".join(words))
    return run_id, writing


async def test_an_answer_streams_to_everybody_and_becomes_the_message(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker, reader = await enter(ada), await enter(grace)

    run_id, writing = await answering(asker, scripted)
    writing.say("Because ")
    writing.say("it **is**.")
    writing.end()

    for watcher in (asker, reader):
        message = await watcher.completed(run_id)
        assert message["body"] == watcher.viewer.texts[run_id] == "Because it **is**."
        assert message["html"] == "<p>Because it <strong>is</strong>.</p>\n"
        assert message["run"]["status"] == "finished"
        assert (watcher.viewer.gaps, watcher.viewer.repeats) == (set(), 0)
    assert await in_thread(RunEvent.objects.count) == 0


async def test_a_run_goes_on_while_nobody_watches(
    enter: Enter, scripted: ScriptedBackend, ada: User
) -> None:
    asker = await enter(ada)
    run_id, writing = await answering(asker, scripted, "One. ")
    await asker.client.close()

    writing.say("Two.")
    writing.say("")
    back = await enter(ada)
    writing.end()

    assert (await back.completed(run_id))["body"] == "One. Two."
    back.viewer.assert_lost_nothing(run_id)


async def test_a_joiner_in_the_middle_gets_one_snapshot_and_then_the_tail(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker = await enter(ada)
    run_id, writing = await answering(asker, scripted, "Once upon 🕰️ ")

    late = await enter(grace)
    writing.say("a time.")
    writing.end()
    await late.completed(run_id)

    (run,) = late.reply["runs"]
    assert (run["text"], run["status"]) == ("Once upon 🕰️ ", "running")
    assert late.viewer.texts[run_id] == "Once upon 🕰️ a time."
    assert (late.viewer.gaps, late.viewer.repeats) == (set(), 0)


async def test_stopping_answers_with_how_far_it_came_and_closes_the_request(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker, reader = await enter(ada), await enter(grace)
    run_id, writing = await answering(asker, scripted, "Half 🌓")

    verdict = await asker.call("cancel_run", run_id=run_id)
    await writing.closed.wait()

    assert verdict == {"run_id": run_id, "verdict": "stopped", "status": "cancelled", "offset": 7}
    message = await reader.completed(run_id)
    assert (message["body"], message["run"]["cancelled_by"]["username"]) == ("Half 🌓", "ada")
    assert message["run"]["usage"]["is_estimated"]
    again = await asker.call("cancel_run", run_id=run_id)
    assert again == {**verdict, "verdict": "already_finished"}


@pytest.mark.parametrize("end", ["success", "cancelled", "error"])
async def test_everything_that_is_told_of_a_run_is_an_event_of_ag_ui(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User, end: str
) -> None:
    asker, reader = await enter(ada), await enter(grace)
    told: list[dict[str, Any]] = []
    run_id = await ask(asker)
    writing = await scripted.asked()
    for event in (*tool_call("t1", "search", "{}"), tool_result("t1", "found")):
        writing.do(event)
    writing.say("Half")
    while reader.viewer.texts.get(run_id) != "Half":
        told.append(await reader.until("run_event"))
    if end == "cancelled":
        await asker.call("cancel_run", run_id=run_id)
    elif end == "error":
        writing.fail("unreachable", "Nobody there.")
    else:
        writing.end()
    while told[-1]["type"] not in {"RUN_FINISHED", "RUN_ERROR"}:
        told.append(await reader.until("run_event"))

    events = [AG_UI.validate_python(event) for event in told]
    assert {event.model_extra["run_id"] for event in events} == {run_id}
    if end != "error":
        assert events[-1].outcome.type == end


async def test_only_who_started_a_run_and_owners_may_stop_it(
    enter: Enter, scripted: ScriptedBackend, room: Conversation, ada: User, grace: User, linus: User
) -> None:
    await in_thread(
        conversation_actions.add_member, room.id, ada.pk, AddMember(username=linus.username)
    )
    owner, asker, other = await enter(ada), await enter(grace), await enter(linus)
    run_id, _ = await answering(asker, scripted)

    with pytest.raises(ErrorReply) as refused:
        await other.call("cancel_run", run_id=run_id)

    assert refused.value.reason == "forbidden"
    assert (await owner.call("cancel_run", run_id=run_id))["verdict"] == "stopped"


async def test_a_second_run_is_refused_or_waits_and_messages_do_not(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker, other = await enter(ada), await enter(grace)
    first, writing = await answering(asker, scripted)

    with pytest.raises(ErrorReply) as refused:
        await ask(other, "Me too?")
    second = await ask(other, "Me too?", queue=True)
    said = await other.call("send_message", body="hello", client_id="m1")

    assert (refused.value.reason, refused.value.response["run_id"]) == ("run_active", first)
    assert said["message"]["body"] == "hello"
    assert (await in_thread(Run.objects.get, pk=second)).status == "queued"
    writing.say("First.")
    writing.end()
    (await scripted.asked()).end()
    assert (await asker.completed(second))["run"]["status"] == "finished"
    assert asker.viewer.outcome(first) == ("finished", "First.")


async def test_a_queued_run_can_be_taken_back(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker, other = await enter(ada), await enter(grace)
    await answering(asker, scripted)
    waiting = await ask(other, "Me too?", queue=True)

    verdict = await other.call("cancel_run", run_id=waiting)

    assert (verdict["verdict"], verdict["offset"]) == ("dequeued", 0)
    assert (await asker.completed(waiting))["run"]["status"] == "cancelled"


async def test_a_queued_question_that_is_deleted_is_not_answered(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker, other = await enter(ada), await enter(grace)
    _, writing = await answering(asker, scripted)
    waiting = await ask(other, "My password is 1234", queue=True)
    run = await in_thread(Run.objects.get, pk=waiting)

    await other.call("delete_message", message_id=str(run.request_id))
    writing.end()
    message = await asker.completed(waiting)

    assert (message["run"]["status"], message["run"]["error"]["code"]) == ("error", "withdrawn")
    assert len(scripted.writings) == 1


async def test_the_queued_question_of_somebody_who_was_removed_is_not_answered(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker, other = await enter(ada), await enter(grace)
    _, writing = await answering(asker, scripted)
    waiting = await ask(other, "Me too?", queue=True)

    await asker.call("remove_member", user_id=grace.pk)
    writing.end()
    message = await asker.completed(waiting)

    assert (message["run"]["status"], message["run"]["error"]["code"]) == ("error", "withdrawn")
    assert len(scripted.writings) == 1


async def test_one_client_id_is_one_run(enter: Enter, scripted: ScriptedBackend, ada: User) -> None:
    asker = await enter(ada)

    first, second = await ask(asker), await ask(asker)

    assert first == second
    assert await in_thread(Run.objects.count) == 1


@pytest.mark.parametrize("mode", ["always", "mention"])
async def test_a_question_that_is_asked_by_a_command_is_answered_and_paid_for_once(
    enter: Enter,
    scripted: ScriptedBackend,
    room: Conversation,
    ada: User,
    mode: Mode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spent: list[str] = []
    monkeypatch.setattr(run_actions, "spend", lambda kind, user_id: spent.append(kind))
    await in_thread(
        conversation_actions.set_assistant, room.id, ada.pk, SetAssistant(assistant=mode)
    )
    asker = await enter(ada)

    run_id = await ask(asker, "@assistant, why?")
    assert await ask(asker, "@assistant, why?") == run_id

    assert spent == ["assistant"]
    assert [str(run.pk) async for run in Run.objects.all()] == [run_id]


async def test_a_client_id_that_somebody_else_has_used_is_nobodys_but_their_own(
    enter: Enter, scripted: ScriptedBackend, room: Conversation, ada: User, grace: User
) -> None:
    asker, other = await enter(ada), await enter(grace)
    said = await other.call("send_message", body="@assistant, why?", client_id="1")
    (await scripted.asked()).end()
    hers = await Run.objects.aget()
    await asker.completed(str(hers.pk))

    started = await asker.call("start_run", message_id=said["message"]["id"], client_id="1")

    assert started["run"]["id"] != str(hers.pk)
    assert started["run"]["started_by"]["id"] == ada.pk


async def test_a_process_whose_run_was_taken_away_asks_the_model_no_more_than_one_more_word(
    enter: Enter, scripted: ScriptedBackend, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "stop", lambda run_id: None)  # the message of the end was lost
    asker = await enter(ada)
    run_id, writing = await answering(asker, scripted, "Half")
    await asker.call("cancel_run", run_id=run_id)

    while not writing.closed.is_set():
        writing.say(" and more")
        await settle()

    assert (await asker.completed(run_id))["body"] == "Half"


async def test_a_mention_is_answered_and_what_may_not_run_says_why(
    enter: Enter, scripted: ScriptedBackend, ada: User, settings: Any
) -> None:
    settings.REALTIME = settings.REALTIME | {"ASSISTANT_QUEUED_PER_USER": 1}
    asker = await enter(ada)

    for n in range(3):
        await asker.call("send_message", body=f"@assistant, {n}?", client_id=f"m{n}")
    writing = await scripted.asked()
    writing.say("Yes.")
    writing.end()
    (await scripted.asked()).end()

    runs = [run async for run in Run.objects.order_by("id")]
    outcomes = [(await asker.completed(str(run.id)))["run"] for run in runs]
    assert [run["status"] for run in outcomes] == ["finished", "finished", "error"]
    assert outcomes[2]["error"]["code"] == "run_active"


async def test_a_conversation_may_have_everything_answered_or_nothing(
    enter: Enter, scripted: ScriptedBackend, room: Conversation, ada: User
) -> None:
    asker = await enter(ada)

    modes: dict[Mode, str] = {"off": "@assistant?", "mention": "hm", "always": "and now?"}
    for mode, body in modes.items():
        await in_thread(
            conversation_actions.set_assistant, room.id, ada.pk, SetAssistant(assistant=mode)
        )
        await asker.call("send_message", body=body, client_id=mode)

    (run,) = [run async for run in Run.objects.select_related("request")]
    assert run.request is not None
    assert run.request.body == "and now?"


async def test_a_failure_keeps_the_text_and_says_why(
    enter: Enter, scripted: ScriptedBackend, ada: User
) -> None:
    asker = await enter(ada)
    run_id, writing = await answering(asker, scripted)
    writing.say("It was a dark")
    writing.fail("unreachable", "The model's server cannot be reached.")

    message = await asker.completed(run_id)

    assert (message["body"], message["run"]["status"]) == ("It was a dark", "error")
    assert message["run"]["error"] == {
        "code": "unreachable",
        "message": "The model's server cannot be reached.",
    }


async def test_tool_calls_are_parts_of_the_run(
    enter: Enter, scripted: ScriptedBackend, ada: User, grace: User
) -> None:
    asker = await enter(ada)
    run_id, writing = await answering(asker, scripted)
    writing.say("Look: ")
    for event in tool_call("t1", "search", '{"query": "x"}'):
        writing.do(event)
    await asker.until("run_event", type="TOOL_CALL_END")
    (running,) = (await enter(grace)).reply["runs"]
    writing.do(tool_result("t1", "2 found"))
    writing.end()

    (part,) = (await asker.completed(run_id))["run"]["parts"]
    assert (running["parts"][0]["status"], running["parts"][0]["offset"]) == ("running", 6)
    assert (part["arguments"], part["status"], part["result"]) == (
        {"query": "x"},
        "done",
        "2 found",
    )


async def test_a_process_that_leaves_interrupts_what_does_not_end_and_keeps_the_text(
    enter: Enter, scripted: ScriptedBackend, ada: User
) -> None:
    asker = await enter(ada)
    run_id, _writing = await answering(asker, scripted, "Half")

    await hub.stop()

    run = await Run.objects.select_related("message").aget(pk=run_id)
    assert (run.status, run.message.body, run.error_code) == (
        "interrupted",
        "Half",
        "server_restarted",
    )
