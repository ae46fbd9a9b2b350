"""Jobs for the assistant, and what a backend makes of them."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from conversation.assistant.backend import answer
from conversation.assistant.job import BackendError, Job, ToolCall, Turn, Verdict
from conversation.assistant.model_server import server_of
from conversation.assistant.openai_backend import OpenAIBackend
from conversation.assistant.patience import Patience

if TYPE_CHECKING:
    from conversation.assistant.job import Backend, Event
    from tests.support.model_server import ModelServer

RUN_ID = "0192c5d0-7a11-7c3e-9a7b-5b1f0e6d2a01"
KEY = "sk-test-0123456789abcdefSECRET"


async def nobody_asks(call: ToolCall) -> Verdict:
    """The approval of tests in which nothing needs one."""
    raise AssertionError(f"nothing here needs an approval: {call}")


def job(*turns: Turn, **fields: Any) -> Job:
    """A request of ada's; without turns, that she says hello."""
    return Job(
        run_id=RUN_ID,
        message_id="message-1",
        conversation_id=fields.pop("conversation_id", "6c3ffb0e-39a6-4f5f-9a3b-0e9a3c4f8a11"),
        user_id=fields.pop("user_id", 7),
        username=fields.pop("username", "ada"),
        turns=list(turns) or [Turn(role="user", content="Hello?", name="ada")],
        approve=fields.pop("approve", nobody_asks),
        **fields,
    )


def backend(server: ModelServer, key: str = KEY, **limits: Any) -> OpenAIBackend:
    """A backend that asks this server."""
    return OpenAIBackend(server_of(server.url, key), "small-model", Patience(**limits))


async def events_of(backend: Backend, job: Job) -> list[Event]:
    """All events of an answer that comes to its good end."""
    async with aclosing(answer(backend, job)) as events:
        return [event async for event in events]


async def failure_of(backend: Backend, job: Job) -> tuple[BackendError, list[Event]]:
    """The error with which an answer ends, and the events before it."""
    seen: list[Event] = []
    try:
        async with aclosing(answer(backend, job)) as events:
            async for event in events:
                seen.append(event)  # noqa: PERF401  what came before the error counts
    except BackendError as error:
        return error, seen
    raise AssertionError(f"it did not fail but answered {text_of(seen)!r}")


async def error_of(backend: Backend) -> BackendError:
    """The error with which the answer to a hello ends."""
    error, _ = await failure_of(backend, job())
    return error


def text_of(events: list[Event]) -> str:
    """The text of an answer."""
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")
