"""The assistant of a site without a model: honest about it, and of some use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from commsite.realtime import tools
from conversation.assistant.backend import configured_backend
from conversation.assistant.commands import known_command, slash_commands
from conversation.assistant.job import Turn
from conversation.assistant.workspace_assistant import NO_MODEL, WorkspaceAssistant
from tests.support.assistant import backend, events_of, job, text_of
from tests.support.model_server import ModelServer, content, finish, hangs, says

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

    from conversation.assistant.job import Event


class Words(msgspec.Struct):
    """Words to look for."""

    query: str


class Nothing(msgspec.Struct):
    """No parameters."""


SAID = {"1": "the deploy key is on the server", "2": "a talk about deployment", "3": "lunch?"}


@pytest.fixture(autouse=True)
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The searches, in order, over three messages that were said."""
    asked: list[str] = []

    def search(context: tools.ToolContext, words: Words) -> str:
        asked.append(words.query)
        parts = words.query.strip('"').lower().split()
        found = [
            f"- [#{seq}](/#message-{seq}): {body}"
            for seq, body in SAID.items()
            if all(part in body for part in parts)
        ]
        if not found:
            return f"No message holds {words.query}."
        return "\n".join([f"{len(found)} with {words.query}:", "", *found])

    monkeypatch.setattr(tools, "_tools", {})
    shared: dict[str, Any] = {"description": "…"}
    tools.register(
        tools.Tool(
            name="search_messages",
            title="Search messages",
            parameters=Words,
            run=search,
            slash="search",
            slash_parameter="query",
            **shared,
        )
    )
    tools.register(
        tools.Tool(
            name="list_people",
            title="See who is here",
            parameters=Nothing,
            run=lambda context, nothing: "- ada",
            slash="who",
            **shared,
        )
    )
    return asked


async def say(text: str, **fields: Any) -> list[Event]:
    return await events_of(WorkspaceAssistant(), job(Turn(role="user", content=text), **fields))


async def answer_to(text: str, **fields: Any) -> str:
    return text_of(await say(text, **fields))


async def test_it_answers_where_no_model_is_configured(settings: Settings) -> None:
    settings.ASSISTANT_BASE_URL = ""
    chosen = configured_backend()

    assert (chosen.kind, chosen.model) == ("workspace", None)


@pytest.mark.parametrize("question", ["/help", "/who", "/nonsense", "where is the deploy key?", ""])
async def test_every_answer_begins_by_saying_that_no_model_wrote_it(question: str) -> None:
    said = await answer_to(question)

    assert said.startswith(NO_MODEL)
    assert "ASSISTANT_BASE_URL" in NO_MODEL


async def test_a_command_tells_the_same_events_as_a_model() -> None:
    events = await say("@assistant /search deploy")

    assert [event["type"] for event in events] == [
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
    ]
    assert events[0]["toolCallName"] == "search_messages"
    assert events[1]["delta"] == '{"query":"deploy"}'
    assert "[#1](/#message-1): the deploy key is on the server" in text_of(events)


async def test_a_command_without_words_needs_none() -> None:
    assert "- ada" in await answer_to("/who")


async def test_a_command_that_needs_words_says_which() -> None:
    events = await say("/search")

    assert "`/search <query>`" in text_of(events)
    assert all(event["type"].startswith("TEXT") for event in events)


async def test_help_lists_the_commands_there_are() -> None:
    said = await answer_to("/help")

    assert "`/search <query>`: Search messages" in said
    assert "`/who`: See who is here" in said


@pytest.mark.parametrize(
    ("typed", "hint"), [("/serach deploy", "Did you mean `/search`?"), ("/xyzzy", "`/help`")]
)
async def test_an_unknown_command_is_told_what_there_is(typed: str, hint: str) -> None:
    said = await answer_to(typed)

    assert f"There is no command `{typed.split(maxsplit=1)[0]}`." in said
    assert hint in said


async def test_what_is_quoted_is_looked_for_first_and_alone(searched: list[str]) -> None:
    await answer_to('who wrote "deploy key" and deploy_now about lunch?')

    assert searched == ['"deploy key"', "deploy_now"]


async def test_other_words_are_looked_for_together(searched: list[str]) -> None:
    said = await answer_to("Where is the deploy key?")

    assert searched == ["deploy key"]
    assert "#message-1" in said


async def test_words_that_stand_nowhere_together_are_looked_for_one_by_one(
    searched: list[str],
) -> None:
    said = await answer_to("Was lunch before the deployment?")

    assert searched == ["lunch deployment", "deployment", "lunch"]
    assert "#message-2" in said
    assert "#message-3" in said


async def test_a_message_is_listed_once() -> None:
    said = await answer_to('"deploy key" or `server`')

    assert said.count("#message-1") == 1


async def test_what_is_found_nowhere_is_said_so() -> None:
    assert "No message holds xylophone." in await answer_to("xylophone")


async def test_words_that_stand_nowhere_are_named_in_one_line() -> None:
    assert (await answer_to("xylophone and zither")).count("No message holds") == 1
    said = await answer_to("deployment of xylophones on zithers")

    assert "#message-2" in said
    assert "No message holds xylophones or zithers." in said
    assert said.count("No message holds") == 1


async def test_a_question_without_words_to_look_for_is_said_so(searched: list[str]) -> None:
    assert "nothing in this to search for" in await answer_to("is it so?")
    assert searched == []


async def test_an_address_alone_gets_help() -> None:
    assert "`/search <query>`" in await answer_to("@assistant")


async def test_an_interrupted_answer_goes_on_where_it_stopped() -> None:
    whole = await answer_to("/who")
    begun = whole[:40]

    assert begun + await answer_to("/who", text_so_far=begun) == whole


async def test_an_answer_that_would_be_another_now_is_given_anew() -> None:
    rest = await answer_to("/who", text_so_far="Something else")

    assert rest.startswith(f"\n\n{NO_MODEL}")


async def test_with_a_model_too_a_command_is_carried_out_as_it_stands() -> None:
    async with ModelServer(hangs) as server:
        events = await events_of(
            backend(server), job(Turn(role="user", content="@assistant /search lunch"))
        )

    said = text_of(events)
    assert "[#3](/#message-3): lunch?" in said
    assert NO_MODEL not in said
    assert server.exchanges == []
    assert [event for event in events if event["type"] == "USAGE"] != []


async def test_with_a_model_only_known_commands_are_commands() -> None:
    async with ModelServer(says(content("That file is …"), finish())) as server:
        events = await events_of(
            backend(server), job(Turn(role="user", content="/tmp is full, what now?"))
        )

    assert text_of(events) == "That file is …"


def test_the_page_is_told_which_commands_there_are() -> None:
    assert slash_commands() == [
        {"name": "help", "usage": "/help", "description": "List the commands"},
        {"name": "search", "usage": "/search <query>", "description": "Search messages"},
        {"name": "who", "usage": "/who", "description": "See who is here"},
    ]


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("/who", True),
        ("@assistant /who", True),
        ("/help", True),
        ("/tmp is full", False),
        ("who?", False),
    ],
)
def test_a_message_is_a_command_if_there_is_one_of_that_name(text: str, is_known: bool) -> None:
    assert (known_command(text) is not None) == is_known
