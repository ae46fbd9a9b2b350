"""The assistant of a site without a model: it says so, and does by plain rules what can be done without one.

It runs the same tools and tells the same events as a model's answer. It never writes prose as if it had understood.
"""

from collections.abc import AsyncGenerator
from difflib import get_close_matches

import msgspec

from commsite.realtime import tools
from conversation.assistant.completion import Asked
from conversation.assistant.job import Event, Job, Kind
from conversation.assistant.loop import Outcome, ToolLoop
from conversation.assistant.patience import Deadline, configured_patience
from conversation.assistant.question import Command, command_of, wanted, without_address

NO_MODEL = (
    "**No model is configured**, so nothing here was written by one: I search this conversation and run commands. "
    "(An operator can set `ASSISTANT_BASE_URL` and `ASSISTANT_MODEL`.)"
)
SEARCH = "search_messages"
MOST_SINGLE_WORDS = 3
NOTHING_TO_SEARCH = "There is nothing in this to search for: put a word or a name into it."
HELP_HINT = "`/help` lists the commands."


class WorkspaceAssistant:
    """Slash commands, and searches for what a question names."""

    kind: Kind = "workspace"
    model: str | None = None

    async def answer(self, job: Job) -> AsyncGenerator[Event]:
        """The events of one answer: its tool calls, then its text."""
        patience = configured_patience()
        loop = ToolLoop(job, patience, Deadline(patience.run_s))
        findings = _Findings(job, loop)
        question = without_address(job.turns[-1].content if job.turns else "")
        command = command_of(question)
        steps = self._command(command, findings) if command else self._search(question, findings)
        async for event in steps:
            yield event
        text = "\n\n".join([NO_MODEL, *findings.said])
        if job.text_so_far:
            is_same = text.startswith(job.text_so_far)
            text = text.removeprefix(job.text_so_far) if is_same else f"\n\n{text}"
        if text:
            yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": job.message_id, "delta": text}

    async def _command(self, command: Command, findings: "_Findings") -> AsyncGenerator[Event]:
        tool = tools.find_slash(command.name)
        if command.name == "help":
            findings.said.append(help_text())
        elif tool is None:
            findings.said.append(_unknown(command.name))
        elif tool.slash_parameter and not command.words:
            findings.said.append(f"`/{tool.slash}` needs words after it: `{tool.usage()}`.")
        else:
            arguments = {tool.slash_parameter: command.words} if tool.slash_parameter else {}
            async for event in findings.call(tool.name, arguments):
                yield event

    async def _search(self, question: str, findings: "_Findings") -> AsyncGenerator[Event]:
        sought = wanted(question)
        together = " ".join(sought.words)
        queries = sought.exact or ([together] if together else [])
        for query in queries:
            async for event in findings.call(SEARCH, {"query": query}):
                yield event
        if not queries:
            findings.said.append(NOTHING_TO_SEARCH if question else help_text())
        elif not findings.has_found and len(sought.words) > 1:
            for word in sorted(sought.words, key=len, reverse=True)[:MOST_SINGLE_WORDS]:
                async for event in findings.call(SEARCH, {"query": word}):
                    yield event
        if question:
            findings.said.append(HELP_HINT)


class _Findings:
    """What the tools brought, as it will be said."""

    def __init__(self, job: Job, loop: ToolLoop) -> None:
        self.said: list[str] = []
        self.has_found = False
        self._job = job
        self._loop = loop
        self._told: set[str] = set()

    async def call(self, name: str, arguments: dict[str, str]) -> AsyncGenerator[Event]:
        asked = Asked(name=name, arguments=msgspec.json.encode(arguments).decode())
        call = self._loop.call(asked)
        for event in self._loop.announced(call):
            yield event
        outcome = await self._loop.carry_out(call, asked)
        yield self._loop.told(call, outcome)
        self.said.append(self._once(outcome))

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


def help_text() -> str:
    """The slash commands there are, as a list."""
    rows = [f"- `{tool.usage()}`: {tool.title}" for tool in tools.tools() if tool.slash]
    return "\n".join(
        [
            "Commands:",
            "",
            *rows,
            "- `/help`: This list",
            "",
            "Anything else is searched for: words in quotes first, then names, then the other words.",
        ]
    )


def _unknown(name: str) -> str:
    known = [*(tool.slash for tool in tools.tools() if tool.slash), "help"]
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean `/{close[0]}`?" if close else ""
    return f"There is no command `/{name}`.{hint} {HELP_HINT}"
