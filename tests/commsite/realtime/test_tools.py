"""The registry of the assistant's tools."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from commsite.realtime import tools
from commsite.realtime.errors import PushError


class Place(msgspec.Struct):
    line: int


class Words(msgspec.Struct):
    """Words to look for."""

    query: Annotated[str, msgspec.Meta(min_length=1, description="All must occur.")]
    limit: int = 10
    near: Place | None = None


class Nothing(msgspec.Struct):
    """No parameters."""


def tool(name: str, **fields: Any) -> tools.Tool:
    defaults: dict[str, Any] = {
        "title": "Look",
        "description": "Looks.",
        "parameters": Words,
        "run": lambda context, parameters: "",
    }
    return tools.Tool(name=name, **defaults | fields)


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_tools", {})


def test_a_tool_is_found_by_its_name_and_by_its_command() -> None:
    look = tool("look_around", slash="look")
    tools.register(look)

    assert tools.find("look_around") is look
    assert tools.find_slash("look") is look
    assert tools.find("look") is None
    assert tools.find_slash("") is None


def test_tools_come_in_the_order_of_their_names_whoever_was_first() -> None:
    for name in ("c", "a", "b"):
        tools.register(tool(name))

    assert [each.name for each in tools.tools()] == ["a", "b", "c"]


@pytest.mark.parametrize("other", [tool("look"), tool("stare", slash="l")], ids=["name", "slash"])
def test_two_tools_share_neither_a_name_nor_a_command(other: tools.Tool) -> None:
    tools.register(tool("look", slash="l"))

    with pytest.raises(ValueError, match="already"):
        tools.register(other)


def test_registering_the_same_tool_again_changes_nothing() -> None:
    look = tool("look", slash="l")
    tools.register(look)
    tools.register(look)

    assert tools.tools() == [look]


def test_the_schema_is_an_object_that_a_model_can_read() -> None:
    schema = tool("look").schema()

    assert schema["type"] == "object"
    assert schema["required"] == ["query"]
    assert schema["properties"]["query"] == {
        "type": "string",
        "minLength": 1,
        "description": "All must occur.",
    }
    assert schema["$defs"]["Place"]["required"] == ["line"]
    assert "$ref" not in schema


def test_a_tool_without_parameters_has_an_empty_object() -> None:
    schema = tool("look", parameters=Nothing).schema()

    assert (schema["type"], schema["properties"]) == ("object", {})


def test_parameters_are_read_from_what_a_model_sends() -> None:
    assert tool("look").parse(b'{"query": "deploy"}') == Words(query="deploy")


@pytest.mark.parametrize("sent", [b"{}", b'{"query": ""}', b'{"query": 7}', b"deploy", b"[]"])
def test_parameters_that_do_not_fit_are_refused_with_what_is_expected(sent: bytes) -> None:
    with pytest.raises(PushError) as caught:
        tool("look").parse(sent)

    assert caught.value.reason == "invalid_payload"
    assert "query" in caught.value.details["expected"]


def test_the_usage_shows_how_people_type_it() -> None:
    assert tool("look", slash="look", slash_parameter="query").usage() == "/look <query>"
    assert tool("who", slash="who").usage() == "/who"
