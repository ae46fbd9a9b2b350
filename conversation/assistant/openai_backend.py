"""A model behind the chat completions of OpenAI's HTTP interface, which nearly every server of models speaks."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from django.conf import settings

from commsite.realtime import telemetry, tools
from conversation.assistant.beat import on_the_beat
from conversation.assistant.commands import Findings, known_command, text_events
from conversation.assistant.completion import Completion
from conversation.assistant.job import BackendError, Event, Job, Kind, ToolCall, Turn
from conversation.assistant.loop import ToolLoop
from conversation.assistant.model_server import ModelServer, ask
from conversation.assistant.patience import Deadline, Patience, configured_patience
from conversation.assistant.question import Command

CHARS_PER_TOKEN = 4
BAD_ENDS = frozenset(("cut_off", "timed_out"))
"""How a connection may end, other than well."""
LAST_WORDS_S = 3.0
"""How long after the end of the answer its usage may come."""
CONTINUE = (
    "Your answer above was cut off. Continue it exactly where it stops; repeat nothing of it."
)


class OpenAIBackend:
    """Asks a model, carries out the tools that it calls, and asks again with their results."""

    kind: Kind = "openai"

    def __init__(self, server: ModelServer, model: str, patience: Patience | None = None) -> None:
        self.model = model
        self._server = server
        self._patience = patience or configured_patience()

    async def answer(self, job: Job) -> AsyncGenerator[Event]:
        """The events of one answer. Raises BackendError, whose message holds no secret of the server.

        A slash command is carried out as it stands; no model is asked about it.
        """
        command = known_command(job.turns[-1].content) if job.turns else None
        events = _commanded(command, job, self._patience) if command else self._asked(job)
        async with aclosing(events):
            async for event in events:
                yield event

    async def _asked(self, job: Job) -> AsyncGenerator[Event]:
        try:
            async with aclosing(
                _Answer(self._server, self.model, self._patience, job).events()
            ) as events:
                async for event in events:
                    yield event
        except BackendError as error:
            raise BackendError(error.code, self._server.scrubbed(error.message)) from None


class _Answer:
    """One answer under way."""

    def __init__(self, server: ModelServer, model: str, patience: Patience, job: Job) -> None:
        self._server = server
        self._model = model
        self._patience = patience
        self._job = job
        self._deadline = Deadline(patience.run_s)
        self._tools = ToolLoop(job, patience, self._deadline)
        self._messages = messages_of(job, patience.context_chars)
        self._input_tokens = 0
        self._output_tokens = 0
        self._is_estimated = False
        self._chars = 0

    async def events(self) -> AsyncGenerator[Event]:
        for number in range(self._patience.rounds + 1):
            completion = Completion()
            may_call = number < self._patience.rounds
            async with aclosing(self._round(completion, may_call=may_call)) as events:
                async for event in events:
                    yield event
            self._account(completion)
            if not completion.calls:
                yield self._usage()
                self._check_end(completion)
                return
            if not may_call:
                break
            async with aclosing(self._carry_out(completion)) as events:
                async for event in events:
                    yield event
        yield self._usage()
        raise BackendError(
            "too_many_rounds",
            f"The model called tools {self._patience.rounds} times over and came to no answer.",
        )

    async def _round(self, completion: Completion, *, may_call: bool) -> AsyncGenerator[Event]:
        is_first_of_round = True
        async with aclosing(self._said(completion, self._body(may_call=may_call))) as deltas:
            async for text in deltas:
                # What it said before it called a tool stands for itself.
                delta = f"\n\n{text}" if is_first_of_round and self._chars else text
                is_first_of_round = False
                self._chars += len(delta)
                yield {
                    "type": "TEXT_MESSAGE_CONTENT",
                    "messageId": self._job.message_id,
                    "delta": delta,
                }
        if not completion.is_done:
            raise BackendError(
                "cut_off", "The model's server ended the answer before it was complete."
            )

    async def _said(self, completion: Completion, body: bytes) -> AsyncGenerator[str]:
        """What one request adds to the text.

        How the connection ends is no matter once the server has said that this was all.
        """
        try:
            async with (
                aclosing(ask(self._server, body, self._patience, self._deadline)) as blocks,
                aclosing(on_the_beat(blocks, lambda: completion.chars > 0)) as paced,
                aclosing(_to_the_end(paced, completion)) as all_of_it,
            ):
                async for data in all_of_it:
                    delta = self._bounded(completion, data)
                    if delta:
                        yield delta
        except BackendError as error:
            if error.code not in BAD_ENDS or not completion.is_done:
                raise

    def _bounded(self, completion: Completion, data: list[bytes]) -> str:
        delta = completion.read(data)
        if completion.chars > self._patience.answer_chars:
            raise BackendError("too_long", "The answer became too long and was ended.")
        return delta

    async def _carry_out(self, completion: Completion) -> AsyncGenerator[Event]:
        calls = [(self._tools.call(asked), asked) for asked in completion.calls]
        self._messages.append(_assistant(completion.text, [call for call, _ in calls]))
        for call, asked in calls:
            for event in self._tools.announced(call):
                yield event
            outcome = await self._tools.carry_out(call, asked)
            self._messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": outcome.content}
            )
            yield self._tools.told(call, outcome)

    def _body(self, *, may_call: bool) -> bytes:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": self._messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        offered = offered_tools() if settings.ASSISTANT_TOOLS else []
        if offered:
            body["tools"] = offered
            body["tool_choice"] = "auto" if may_call else "none"
        return msgspec.json.encode(body)

    def _account(self, completion: Completion) -> None:
        is_estimated = completion.usage is None
        read = sum(len(str(message["content"] or "")) for message in self._messages)
        given, made = completion.usage or (
            read // CHARS_PER_TOKEN,
            -(-completion.chars // CHARS_PER_TOKEN),
        )
        self._input_tokens += given
        self._output_tokens += made
        self._is_estimated |= is_estimated
        estimated = "yes" if is_estimated else "no"
        telemetry.count("assistant_tokens_total", given, direction="in", estimated=estimated)
        telemetry.count("assistant_tokens_total", made, direction="out", estimated=estimated)

    def _usage(self) -> Event:
        return {
            "type": "USAGE",
            "input_tokens": self._input_tokens,
            "output_tokens": self._output_tokens,
            "is_estimated": self._is_estimated,
        }

    def _check_end(self, completion: Completion) -> None:
        if completion.finish_reason == "length":
            raise BackendError("length", "The model stopped at its limit; continue for the rest.")
        if completion.finish_reason == "content_filter":
            raise BackendError("filtered", "The model's server withheld the answer (or the rest).")
        if not self._chars:
            raise BackendError("bad_response", "The model answered with nothing.")


async def _to_the_end(
    blocks: AsyncGenerator[list[bytes]], completion: Completion
) -> AsyncGenerator[list[bytes]]:
    """The same blocks. After the server has said that this was all, nobody waits long for its last words."""
    while True:
        try:
            async with asyncio.timeout(LAST_WORDS_S if completion.is_done else None):
                block = await anext(blocks)
        except (StopAsyncIteration, TimeoutError):
            return
        yield block


async def _commanded(command: Command, job: Job, patience: Patience) -> AsyncGenerator[Event]:
    findings = Findings(job, patience)
    async with aclosing(findings.carry_out(command)) as events:
        async for event in events:
            yield event
    for event in text_events(job, "\n\n".join(findings.said)):
        yield event
    yield {"type": "USAGE", "input_tokens": 0, "output_tokens": 0, "is_estimated": False}


# --- What a model is given -----------------------------------------------------------------------
def offered_tools() -> list[dict[str, Any]]:
    """The tools of the registry as chat completions describe them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema(),
            },
        }
        for tool in tools.tools()
    ]


def messages_of(job: Job, most_chars: int) -> list[dict[str, Any]]:
    """The conversation as chat completions take it: the instructions, then the newest turns that fit."""
    instructions = settings.ASSISTANT_INSTRUCTIONS
    messages: list[dict[str, Any]] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    messages += [_message(turn) for turn in _newest(job.turns, most_chars)]
    if job.text_so_far:
        messages.append({"role": "assistant", "content": job.text_so_far})
        messages.append({"role": "user", "content": CONTINUE})
    return messages


def _newest(turns: Sequence[Turn], most_chars: int) -> Sequence[Turn]:
    first = len(turns)
    room = most_chars
    while first and (room >= len(turns[first - 1].content) or first == len(turns)):
        room -= len(turns[first - 1].content)
        first -= 1
    while first < len(turns) - 1 and turns[first].role == "tool":  # its call was left out
        first += 1
    return turns[first:]


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.tool_call_id, "content": turn.content}
    if turn.role == "assistant":
        return _assistant(turn.content, turn.tool_calls)
    if turn.role == "user" and turn.name:  # templates of many models leave `name` out
        return {"role": "user", "content": f"{turn.name}: {turn.content}"}
    return {"role": turn.role, "content": turn.content}


def _assistant(content: str, calls: Sequence[ToolCall]) -> dict[str, Any]:
    if not calls:
        return {"role": "assistant", "content": content}
    return {
        "role": "assistant",
        "content": content or None,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": msgspec.json.encode(call.arguments).decode(),
                },
            }
            for call in calls
        ],
    }
