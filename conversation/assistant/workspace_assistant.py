"""The assistant of a site without a model: it says so, and does by plain rules what can be done without one.

It runs the same tools and tells the same events as a model's answer. It never writes prose as if it had understood.
"""

from collections.abc import AsyncGenerator

from conversation.assistant.commands import HELP_HINT, Findings, help_text, text_events
from conversation.assistant.conversation_tools import NOTHING_FOUND
from conversation.assistant.job import Event, Job, Kind
from conversation.assistant.patience import configured_patience
from conversation.assistant.question import command_of, wanted, without_address

NO_MODEL = (
    "**No model is configured**, so nothing here was written by one: I search this conversation and run commands. "
    "(An operator can set `ASSISTANT_BASE_URL` and `ASSISTANT_MODEL`.)"
)
SEARCH = "search_messages"
MOST_SINGLE_WORDS = 3
NOTHING_TO_SEARCH = "There is nothing in this to search for: put a word or a name into it."
HOW_IT_SEARCHES = (
    "Anything else is searched for: words in quotes first, then names, then the other words."
)


class WorkspaceAssistant:
    """Slash commands, and searches for what a question names."""

    kind: Kind = "workspace"
    model: str | None = None

    async def answer(self, job: Job) -> AsyncGenerator[Event]:
        """The events of one answer: its tool calls, then its text."""
        findings = Findings(job, configured_patience())
        question = without_address(job.turns[-1].content if job.turns else "")
        command = command_of(question)
        steps = findings.carry_out(command) if command else _search(question, findings)
        async for event in steps:
            yield event
        for event in text_events(job, "\n\n".join([NO_MODEL, *findings.said])):
            yield event


async def _search(question: str, findings: Findings) -> AsyncGenerator[Event]:
    if not question:
        findings.said += [help_text(), HOW_IT_SEARCHES]
        return
    sought = wanted(question)
    together = " ".join(sought.words)
    queries = sought.exact or ([together] if together else [])
    for query in queries:
        async for event in findings.call(SEARCH, {"query": query}):
            yield event
    if not queries:
        findings.said.append(NOTHING_TO_SEARCH)
    elif not findings.has_found and (sought.exact or len(sought.words) > 1):
        if not sought.exact:
            findings.said.pop()  # what follows says it word by word
        words = sorted(sought.words, key=len, reverse=True)[:MOST_SINGLE_WORDS]
        async for event in _one_by_one(words, findings):
            yield event
    findings.said.append(HELP_HINT)


async def _one_by_one(words: list[str], findings: Findings) -> AsyncGenerator[Event]:
    """Searches for single words; those that nothing holds are named in one line."""
    nowhere = []
    for word in words:
        async for event in findings.call(SEARCH, {"query": word}):
            yield event
        if findings.said[-1].startswith(NOTHING_FOUND):
            nowhere.append(findings.said.pop().removeprefix(NOTHING_FOUND).removesuffix("."))
    if nowhere:
        named = " or ".join(filter(None, (", ".join(nowhere[:-1]), nowhere[-1])))
        findings.said.append(f"{NOTHING_FOUND}{named}.")
