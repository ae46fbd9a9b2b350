"""Tools that a model calls: checked, approved, run, told."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pytest
from ag_ui.core import Event as AgUiEvent
from pydantic import TypeAdapter

from commsite.realtime import tools
from commsite.realtime.errors import PushError
from conversation.assistant.completion import Asked
from conversation.assistant.job import Event, Job, ToolCall, Verdict
from conversation.assistant.loop import Outcome, ToolLoop
from conversation.assistant.patience import Deadline, Patience
from tests.support.assistant import RUN_ID, backend, events_of, failure_of, job, text_of
from tests.support.model_server import (
    Exchange,
    ModelServer,
    call,
    content,
    finish,
    says,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import Settings

    from tests.support.model_server import Script


class Words(msgspec.Struct):
    """Words to look for."""

    query: Annotated[str, msgspec.Meta(min_length=1)]


done = [finish("tool_calls"), usage(10, 4)]
answered = says(content("Found it."), finish(), usage(20, 5))


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, tools.Tool]:
    """A registry of this test's own."""
    mine: dict[str, tools.Tool] = {}
    monkeypatch.setattr(tools, "_tools", mine)
    return mine


def offer(run: Callable[[tools.ToolContext, Any], str], **fields: Any) -> None:
    tools.register(
        tools.Tool(
            name="look",
            title="Look around",
            description="Looks for words.",
            parameters=Words,
            run=run,
            **fields,
        )
    )


def asks(arguments: str = '{"query": "x"}', name: str = "look") -> Script:
    return says(call(0, id="a", name=name, arguments=arguments), *done)


def results(events: list[Event]) -> list[tuple[str, str]]:
    return [
        (event["status"], event["content"])
        for event in events
        if event["type"] == "TOOL_CALL_RESULT"
    ]


def told_to_model(exchange: Exchange) -> list[str]:
    return [turn["content"] for turn in exchange.messages if turn["role"] == "tool"]


async def answer_with(
    *scripts: Script, by: Job | None = None, **limits: Any
) -> tuple[list[Event], list[Exchange]]:
    async with ModelServer(*scripts) as server:
        events = await events_of(backend(server, **limits), by or job())
    return events, server.exchanges


# ---- One call ------------------------------------------------------------------------------------


async def test_the_model_calls_a_tool_and_answers_with_its_result() -> None:
    offer(lambda context, words: f"{context.username} looked for {words.query}")
    first = says(
        content("Let me see."), call(0, id="a", name="look", arguments='{"que'),
        call(0, arguments='ry": "x"}'), *done,
    )  # fmt: skip
    events, (asked, told) = await answer_with(first, answered)

    assert [event["type"] for event in events] == [
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_CONTENT",
        "USAGE",
        "TEXT_MESSAGE_END",
    ]
    assert text_of(events) == "Let me see.\n\nFound it."
    assert results(events) == [("done", "ada looked for x")]
    (offered,) = asked.body["tools"]
    assert offered["function"]["name"] == "look"
    assert offered["function"]["parameters"]["required"] == ["query"]
    assert told.messages[-2:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"query":"x"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "ada looked for x"},
    ]


async def test_the_usage_of_all_rounds_is_added_up() -> None:
    offer(lambda context, words: "nothing")
    events, _ = await answer_with(asks(), answered)

    (told,) = [event for event in events if event["type"] == "USAGE"]
    assert (told["input_tokens"], told["output_tokens"], told["is_estimated"]) == (30, 9, False)


async def test_one_round_without_usage_makes_the_sum_an_estimate() -> None:
    offer(lambda context, words: "nothing")
    silent = says(call(0, id="a", name="look", arguments='{"query": "x"}'), finish("tool_calls"))
    events, _ = await answer_with(silent, answered)

    (told,) = [event for event in events if event["type"] == "USAGE"]
    assert told["is_estimated"] is True


async def test_events_are_those_of_ag_ui() -> None:
    offer(lambda context, words: "here")
    events, _ = await answer_with(asks(), answered)
    known: TypeAdapter[Any] = TypeAdapter(AgUiEvent)

    for event in events:
        if event["type"] != "USAGE":
            parsed = known.validate_python(event)
            assert set(parsed.model_extra or {}) <= {"title", "status"}
            assert parsed.type == event["type"]


async def test_a_tool_runs_in_a_thread_as_the_user_who_asked() -> None:
    seen: list[tools.ToolContext] = []

    def run(context: tools.ToolContext, words: Words) -> str:
        assert threading.current_thread() is not threading.main_thread()
        seen.append(context)
        return "ok"

    offer(run)
    events, _ = await answer_with(asks(), answered, by=job(request_id="m-7"))

    assert results(events) == [("done", "ok")]
    (context,) = seen
    assert (context.user_id, context.username, context.run_id) == (7, "ada", RUN_ID)
    assert context.request_id == "m-7"


# ---- What goes wrong costs its call only ------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["", "{}", '{"query": ""}', '{"query": 7}', "{", "[]"])
async def test_arguments_that_do_not_fit_are_answered_with_what_is_expected(arguments: str) -> None:
    offer(lambda context, words: "never")
    events, (_, told) = await answer_with(asks(arguments), answered)

    ((status, content),) = results(events)
    assert status == "error"
    assert '"query":"string' in content
    assert told_to_model(told) == [content]
    (sent,) = [event["delta"] for event in events if event["type"] == "TOOL_CALL_ARGS"]
    assert isinstance(json.loads(sent), dict)


async def test_a_tool_that_does_not_exist_is_answered_with_those_that_do() -> None:
    offer(lambda context, words: "never")
    events, _ = await answer_with(asks(name="lok"), answered)

    assert results(events) == [("error", "There is no tool called 'lok'. There are: look.")]


async def test_a_tool_that_crashes_costs_its_call_and_tells_nothing_of_ours() -> None:
    def run(context: tools.ToolContext, words: Words) -> str:
        raise RuntimeError("the password is swordfish")

    offer(run)
    events, _ = await answer_with(asks(), answered)

    ((status, said),) = results(events)
    assert status == "error"
    assert "swordfish" not in said
    assert text_of(events) == "Found it."


async def test_what_a_user_may_not_do_the_tool_may_not_do() -> None:
    def run(context: tools.ToolContext, words: Words) -> str:
        raise PushError("forbidden", "Only an owner may do that.")

    offer(run)
    events, _ = await answer_with(asks(), answered)

    assert results(events) == [("error", "Only an owner may do that.")]


async def test_a_tool_that_takes_too_long_is_given_up() -> None:
    end = threading.Event()

    def run(context: tools.ToolContext, words: Words) -> str:
        end.wait()
        return "late"

    offer(run)
    try:
        events, _ = await answer_with(asks(), answered, tool_s=0.05)
    finally:
        end.set()

    assert results(events) == [("error", "The tool took longer than 0.05 s.")]


async def test_a_long_result_is_cut_and_says_so() -> None:
    offer(lambda context, words: "x" * 5000)
    events, _ = await answer_with(asks(), answered, tool_chars=100)

    ((status, said),) = results(events)
    assert status == "done"
    assert said.startswith("x" * 100 + "\n\n…")
    assert "5,000 characters" in said


# ---- Approval ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "status", "said"),
    [
        (Verdict(approved=True, by="grace"), "done", "changed"),
        (
            Verdict(approved=False, by="grace", reason="denied"),
            "denied",
            "grace did not approve it; it was not done.",
        ),
        (
            Verdict(approved=False, reason="expired"),
            "denied",
            "Nobody approved it in time; it was not done.",
        ),
    ],
    ids=["approved", "denied", "expired"],
)
async def test_what_changes_something_waits_for_people(
    verdict: Verdict, status: str, said: str
) -> None:
    asked: list[ToolCall] = []
    ran: list[str] = []

    async def approve(call: ToolCall) -> Verdict:
        asked.append(call)
        return verdict

    def run(context: tools.ToolContext, words: Words) -> str:
        ran.append(words.query)
        return "changed"

    offer(run, changes_something=True)
    events, (_, told) = await answer_with(asks(), answered, by=job(approve=approve))

    assert asked == [ToolCall(id="a", name="look", title="Look around", arguments={"query": "x"})]
    assert results(events) == [(status, said)]
    assert told_to_model(told) == [said]
    assert ran == (["x"] if verdict.approved else [])


async def test_nobody_is_asked_about_arguments_that_do_not_fit() -> None:
    offer(lambda context, words: "never", changes_something=True)
    events, _ = await answer_with(asks("{}"), answered)  # whose approval would fail the test

    assert results(events)[0][0] == "error"


async def test_the_time_in_which_people_think_is_not_the_models() -> None:
    now = 0.0

    async def approve(call: ToolCall) -> Verdict:
        nonlocal now
        now += 3600
        return Verdict(approved=True, by="grace")

    offer(lambda context, words: "changed", changes_something=True)
    deadline = Deadline(600, clock=lambda: now)
    loop = ToolLoop(job(approve=approve), Patience(), deadline)
    asked = Asked(id="a", name="look", arguments='{"query": "x"}')

    assert await loop.carry_out(loop.call(asked), asked) == Outcome("done", "changed")
    assert deadline.left() == 600


# ---- Several calls -------------------------------------------------------------------------------


async def test_several_calls_of_a_round_are_carried_out_in_order() -> None:
    offer(lambda context, words: words.query.upper())
    both = says(
        call(0, id="a", name="look", arguments='{"query": "one"}'),
        call(1, id="b", name="look", arguments='{"query": "two"}'),
        *done,
    )
    events, (_, told) = await answer_with(both, answered)

    assert results(events) == [("done", "ONE"), ("done", "TWO")]
    assert told_to_model(told) == ["ONE", "TWO"]


async def test_ids_that_are_missing_or_repeated_are_made_unique() -> None:
    offer(lambda context, words: "ok")
    nameless = says(call(0, name="look", arguments='{"query": "x"}'), *done)
    events, exchanges = await answer_with(nameless, asks(), asks(), answered)

    ids = [event["toolCallId"] for event in events if event["type"] == "TOOL_CALL_START"]
    assert len(set(ids)) == 3
    given = [turn["tool_call_id"] for turn in exchanges[-1].messages if turn["role"] == "tool"]
    assert given == ids


async def test_what_runs_is_what_people_were_shown_and_can_be_stored() -> None:
    offer(lambda context, words: repr(words.query))
    twice = '{"query": "good", "query": "ev\\u0000il"}'
    loop = ToolLoop(job(), Patience(), Deadline(600))
    asked = Asked(id="a", name="look", arguments=twice)
    call = loop.call(asked)

    assert call.arguments == {"query": "ev\ufffdil"}
    assert await loop.carry_out(call, asked) == Outcome("done", repr("ev\ufffdil"))


@pytest.mark.parametrize("depth", [100, 10_000])
async def test_arguments_that_are_nested_without_end_cost_no_more_than_their_call(
    depth: int,
) -> None:
    offer(lambda context, words: "never")
    arguments = '{"query": ' + '{"a":' * depth + "1" + "}" * depth + "}"
    events, _ = await answer_with(asks(arguments), answered)

    ((status, said),) = results(events)
    assert (status, text_of(events)) == ("error", "Found it.")
    assert "Expected" in said


async def test_after_the_last_round_the_model_must_answer() -> None:
    offer(lambda context, words: "more")
    _, exchanges = await answer_with(asks(), asks(), answered, rounds=2)

    assert [each.body["tool_choice"] for each in exchanges] == ["auto", "auto", "none"]


async def test_a_model_that_never_answers_is_ended() -> None:
    offer(lambda context, words: "more")
    async with ModelServer(asks()) as server:
        error, events = await failure_of(backend(server, rounds=2), job())

    assert error.code == "too_many_rounds"
    assert len(server.exchanges) == 3
    assert len(results(events)) == 2


async def test_a_model_that_knows_no_tools_is_offered_none(settings: Settings) -> None:
    offer(lambda context, words: "never")
    settings.ASSISTANT_TOOLS = False
    _, (exchange,) = await answer_with(answered)

    assert "tools" not in exchange.body
    assert "tool_choice" not in exchange.body
