"""A tool call, from being asked for to its result: checked, approved, run, told.

No failure of a tool costs more than its call.
"""

import asyncio
import itertools
import logging
import re
from typing import Literal

import msgspec

from commsite.realtime import telemetry, tools
from commsite.realtime.errors import PushError
from commsite.realtime.threads import in_thread
from conversation.assistant.completion import Asked
from conversation.assistant.job import Event, Job, ToolCall
from conversation.assistant.patience import Deadline, Patience
from conversation.assistant.transcript import storable

logger = logging.getLogger(__name__)

OUR_FAULT = "The tool failed by our fault; it was logged. Do not call it again in the same way."
DEEPEST = 64
"""Arguments that are nested more deeply are none."""
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
SHORTENED = "\n\n… shortened: this is the beginning of {chars} characters."


class Outcome(msgspec.Struct, frozen=True):
    """What came of a call, as the model and the people are told."""

    status: Literal["done", "error", "denied"]
    content: str


class ToolLoop:
    """The tool calls of one answer."""

    def __init__(self, job: Job, patience: Patience, deadline: Deadline) -> None:
        self._job = job
        self._patience = patience
        self._deadline = deadline
        self._ids: set[str] = set()

    def call(self, asked: Asked) -> ToolCall:
        """The call with an id that no other call of this run has, and that can be stored and stand in an address.

        What is no JSON object counts as no arguments.
        """
        call_id = asked.id
        if not _ID.fullmatch(call_id) or call_id in self._ids:
            call_id = self._fresh_id()
        self._ids.add(call_id)
        tool = tools.find(asked.name)
        title = asked.name if tool is None else tool.title
        return ToolCall(
            id=call_id, name=asked.name, title=title, arguments=_object(asked.arguments) or {}
        )

    def _fresh_id(self) -> str:
        """Nine letters and digits: some servers insist."""
        numbered = (f"call{number:05d}" for number in itertools.count(len(self._ids) + 1))
        return next(call_id for call_id in numbered if call_id not in self._ids)

    def announced(self, call: ToolCall) -> list[Event]:
        """The events that show a call before it runs."""
        arguments = msgspec.json.encode(call.arguments).decode()
        return [
            {
                "type": "TOOL_CALL_START",
                "toolCallId": call.id,
                "toolCallName": call.name,
                "title": call.title,
                "parentMessageId": self._job.message_id,
            },
            {"type": "TOOL_CALL_ARGS", "toolCallId": call.id, "delta": arguments},
            {"type": "TOOL_CALL_END", "toolCallId": call.id},
        ]

    def told(self, call: ToolCall, outcome: Outcome) -> Event:
        """The event that shows what came of it."""
        return {
            "type": "TOOL_CALL_RESULT",
            "messageId": f"{self._job.message_id}.{call.id}",
            "toolCallId": call.id,
            "content": outcome.content,
            "role": "tool",
            "status": outcome.status,
        }

    async def carry_out(self, call: ToolCall, asked: Asked) -> Outcome:
        """Runs the tool, after people have approved it if it changes something; every failure is an outcome."""
        tool = tools.find(call.name)
        if tool is None:
            outcome = Outcome("error", _no_such_tool(call.name))
        else:
            outcome = await self._checked(tool, call, asked)
        name = "unknown" if tool is None else tool.name
        telemetry.count("assistant_tool_calls_total", tool=name, outcome=outcome.status)
        return outcome

    async def _checked(self, tool: tools.Tool, call: ToolCall, asked: Asked) -> Outcome:
        try:
            parameters = tool.parse(_shown(call, asked))
        except PushError as error:
            expected = msgspec.json.encode(error.details.get("expected", {})).decode()
            return Outcome("error", f"{error.message} Expected: {expected}")
        if tool.changes_something:
            refusal = await self._refusal(call)
            if refusal is not None:
                return refusal
        return await self._run(tool, parameters)

    async def _refusal(self, call: ToolCall) -> Outcome | None:
        with self._deadline.paused():
            verdict = await self._job.approve(call)
        if verdict.approved:
            return None
        if verdict.by is None:
            return Outcome("denied", "Nobody approved it in time; it was not done.")
        return Outcome("denied", f"{verdict.by} did not approve it; it was not done.")

    async def _run(self, tool: tools.Tool, parameters: msgspec.Struct) -> Outcome:
        job = self._job
        context = tools.ToolContext(
            user_id=job.user_id,
            username=job.username,
            conversation_id=job.conversation_id,
            run_id=job.run_id,
            request_id=job.request_id,
        )
        limit_s = min(self._patience.tool_s, self._deadline.left())
        try:
            async with asyncio.timeout(limit_s):
                content = await in_thread(tool.run, context, parameters)
        except TimeoutError:
            return Outcome("error", f"The tool took longer than {limit_s:g} s.")
        except PushError as error:
            return Outcome("error", error.message)
        except Exception:
            logger.exception("the tool %s failed in run %s", tool.name, job.run_id)
            return Outcome("error", OUR_FAULT)
        return Outcome("done", self._shortened(content.replace("\x00", "\ufffd")))

    def _shortened(self, content: str) -> str:
        most = self._patience.tool_chars
        if len(content) <= most:
            return content
        return content[:most] + SHORTENED.format(chars=f"{len(content):,}")


def _shown(call: ToolCall, asked: Asked) -> bytes:
    """The arguments as JSON: to the letter those that people were shown; what was no object, for its error."""
    if not asked.arguments.strip() or _object(asked.arguments) is not None:
        return msgspec.json.encode(call.arguments)
    return asked.arguments.encode("utf-8", "replace")


def _object(text: str) -> dict[str, object] | None:
    try:
        found = msgspec.json.decode(text.encode("utf-8", "replace"), type=dict[str, object])
        return {storable(key): _storable(value, DEEPEST) for key, value in found.items()}
    except (ValueError, RecursionError):
        return None


def _storable(value: object, room: int) -> object:
    """The same without what no database can hold. Raises ValueError for what is nested too deeply."""
    if not room:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(each, room - 1) for each in value]
    if isinstance(value, dict):
        return {storable(key): _storable(each, room - 1) for key, each in value.items()}
    return value


def _no_such_tool(name: str) -> str:
    known = ", ".join(tool.name for tool in tools.tools()) or "none"
    return f"There is no tool called {name[:100]!r}. There are: {known}."
