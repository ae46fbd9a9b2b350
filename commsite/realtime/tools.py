"""The tools of the assistant: what a model, or a person with a slash command, may have done.

Rooms fill the registry in `ready()`. A tool runs in a database thread, as the user who asked and with that user's
rights: it proves them as any action or query does, and raises PushError where they do not reach.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from commsite.realtime.schema import parse


class ToolContext(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf and where a tool runs."""

    user_id: int
    username: str
    conversation_id: str
    run_id: str
    request_id: str = ""
    """The message that asks; empty where there is none."""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be done.

    `parameters` is a msgspec Struct: its fields, with their descriptions, are what a model is told, and
    what it sends is checked against them. `run(context, parameters)` returns what the model and the people
    are told, as Markdown.
    """

    name: str
    title: str
    """What people see while it runs: "Search messages"."""
    description: str
    """What a model reads to decide: what it does, when to use it, what comes back."""
    parameters: type[msgspec.Struct]
    run: Callable[[ToolContext, Any], str]
    changes_something: bool = False
    """Whether people must approve each call."""
    slash: str = ""
    """The command under which people call it, without the slash; empty: only models do."""
    slash_parameter: str = ""
    """The field that takes the words after the command; empty: it takes none."""

    def parse(self, arguments: Any) -> msgspec.Struct:
        """The parameters from what a model sent: JSON, or an object. Raises PushError("invalid_payload")."""
        return parse(self.parameters, arguments)

    def schema(self) -> dict[str, Any]:
        """The parameters as a JSON schema of type object, without references at its top."""
        (schema,), others = msgspec.json.schema_components(
            [self.parameters], ref_template="#/$defs/{name}"
        )
        name = str(schema["$ref"]).rpartition("/")[2]
        shape = {key: value for key, value in others.pop(name).items() if key != "title"}
        return {**shape, "$defs": others} if others else shape

    def usage(self) -> str:
        """The slash command as people type it: `/search <query>`."""
        words = f" <{self.slash_parameter}>" if self.slash_parameter else ""
        return f"/{self.slash}{words}"


_tools: dict[str, Tool] = {}


def register(tool: Tool) -> None:
    """Offers a tool. Raises ValueError when another one has its name or its slash command."""
    if any(
        other.name == tool.name or (tool.slash and other.slash == tool.slash)
        for other in _tools.values()
        if other is not tool
    ):
        raise ValueError(f"there is a tool with the name or command of {tool.name!r} already")
    _tools[tool.name] = tool


def tools() -> list[Tool]:
    """All of them, in the order of their names."""
    return [_tools[name] for name in sorted(_tools)]


def find(name: str) -> Tool | None:
    """The tool of this name."""
    return _tools.get(name)


def find_slash(command: str) -> Tool | None:
    """The tool that people call by this slash command."""
    return next((tool for tool in _tools.values() if command and tool.slash == command), None)
