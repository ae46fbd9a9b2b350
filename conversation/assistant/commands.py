"""Slash commands: the tools that people call by name, carried out as typed, whether or not there is a model."""

from collections.abc import AsyncGenerator
from difflib import get_close_matches
from typing import TypedDict

import msgspec

from commsite.realtime import tools
from conversation.assistant.completion import Asked
from conversation.assistant.job import Event, Job
from conversation.assistant.loop import Outcome, ToolLoop
from conversation.assistant.patience import Deadline, Patience
from conversation.assistant.question import Command, command_of, without_address

HELP = "help"
HELP_HINT = "`/help` lists the commands."


class CommandShape(TypedDict):
    """A slash command as the page suggests it."""

    name: str
    usage: str
    description: str


class Findings:
    """What tools brought, as it will be said."""

    def __init__(self, job: Job, patience: Patience) -> None:
        self.said: list[str] = []
        self.has_found = False
        self._loop = ToolLoop(job, patience, Deadline(patience.run_s))
        self._told: set[str] = set()

    async def call(self, name: str, arguments: dict[str, str]) -> AsyncGenerator[Event]:
        """Runs a tool and keeps its result; the events are those of a model's tool call."""
        asked = Asked(name=name, arguments=msgspec.json.encode(arguments).decode())
        call = self._loop.call(asked)
        for event in self._loop.announced(call):
            yield event
        outcome = await self._loop.carry_out(call, asked)
        yield self._loop.told(call, outcome)
        self.said.append(self._once(outcome))

    async def carry_out(self, command: Command) -> AsyncGenerator[Event]:
        """Does what a command says, or says what is wrong with it."""
        tool = tools.find_slash(command.name)
        if command.name == HELP:
            self.said.append(help_text())
        elif tool is None:
            self.said.append(_unknown(command.name))
        elif tool.slash_parameter and not command.words:
            self.said.append(f"`/{tool.slash}` needs words after it: `{tool.usage()}`.")
        else:
            arguments = {tool.slash_parameter: command.words} if tool.slash_parameter else {}
            async for event in self.call(tool.name, arguments):
                yield event

    def _once(self, outcome: Outcome) -> str:
        """The result without the lines that an earlier one had."""
        lines = outcome.content.splitlines()
        items = [line for line in lines if line.startswith("- ")]
        self.has_found = self.has_found or bool(items)
        if items and all(line in self._told for line in items):
            return f"{lines[0].rstrip(':')}, listed above."
        kept = [line for line in lines if line not in self._told or not line.startswith("- ")]
        self._told.update(items)
        return "\n".join(kept)


def text_events(job: Job, text: str) -> list[Event]:
    """The text of a whole answer as events: of one that was interrupted, what is missing, or all of it anew."""
    if job.text_so_far:
        is_same = text.startswith(job.text_so_far)
        text = text.removeprefix(job.text_so_far) if is_same else f"\n\n{text}"
    content = {"type": "TEXT_MESSAGE_CONTENT", "messageId": job.message_id, "delta": text}
    return [content] if text else []


def known_command(text: str) -> Command | None:
    """The command that a message is, with or without `@assistant` before it, if there is such a command."""
    command = command_of(without_address(text))
    if command is None or not (command.name == HELP or tools.find_slash(command.name)):
        return None
    return command


def slash_commands() -> list[CommandShape]:
    """All commands there are, in the order of their names."""
    found: list[CommandShape] = [
        {"name": tool.slash, "usage": tool.usage(), "description": tool.title}
        for tool in tools.tools()
        if tool.slash
    ]
    found.append({"name": HELP, "usage": f"/{HELP}", "description": "List the commands"})
    return sorted(found, key=lambda command: command["name"])


def help_text() -> str:
    """The commands as a list."""
    rows = [f"- `{each['usage']}`: {each['description']}" for each in slash_commands()]
    return "\n".join(["Commands:", "", *rows])


def _unknown(name: str) -> str:
    close = get_close_matches(name, [each["name"] for each in slash_commands()], n=1)
    hint = f" Did you mean `/{close[0]}`?" if close else ""
    return f"There is no command `/{name}`.{hint} {HELP_HINT}"
