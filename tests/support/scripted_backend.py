"""A backend that says what a test tells it to, when the test tells it to, and notes when it is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from conversation.assistant import actions, engine, registration
from conversation.assistant.job import BackendError
from tests.support.deadline import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest

    from conversation.assistant.job import Event, Job, Kind


class Writing:
    """One answer in the making."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.closed = asyncio.Event()
        self._steps: asyncio.Queue[Event | BackendError | None] = asyncio.Queue()

    def say(self, text: str) -> None:
        """More text."""
        self.do({"type": "TEXT_MESSAGE_CONTENT", "messageId": self.job.message_id, "delta": text})

    def do(self, event: Event) -> None:
        """Any event."""
        self._steps.put_nowait(event)

    def end(self) -> None:
        """The good end."""
        self._steps.put_nowait(None)

    def fail(self, code: str, message: str = "It broke.") -> None:
        """The bad one."""
        self._steps.put_nowait(BackendError(code, message))

    async def events(self) -> AsyncGenerator[Event]:
        """What the engine gets."""
        try:
            while (step := await self._steps.get()) is not None:
                if isinstance(step, BackendError):
                    raise step
                yield step
        finally:
            self.closed.set()


class ScriptedBackend:
    """Answers as its writings are told to."""

    kind: Kind = "openai"
    model = "scripted-1"

    def __init__(self) -> None:
        self.writings: list[Writing] = []
        self._asked: asyncio.Queue[Writing] = asyncio.Queue()

    def answer(self, job: Job) -> AsyncGenerator[Event]:
        """Begins the next writing."""
        writing = Writing(job)
        self.writings.append(writing)
        self._asked.put_nowait(writing)
        return writing.events()

    async def asked(self) -> Writing:
        """The next answer that is wanted."""
        return await asyncio.wait_for(self._asked.get(), PATIENCE_S)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes it the one that is configured."""
        for module in (actions, engine, registration):
            monkeypatch.setattr(module, "configured_backend", lambda: self)


def tool_call(call_id: str, name: str, arguments: str = "{}") -> list[dict[str, Any]]:
    """The events with which a tool call begins."""
    return [
        {
            "type": "TOOL_CALL_START",
            "toolCallId": call_id,
            "toolCallName": name,
            "title": name.title(),
        },
        {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": arguments},
        {"type": "TOOL_CALL_END", "toolCallId": call_id},
    ]


def tool_result(call_id: str, content: str, status: str = "done") -> dict[str, Any]:
    """The event with which it ends."""
    return {
        "type": "TOOL_CALL_RESULT",
        "toolCallId": call_id,
        "messageId": f"{call_id}-result",
        "content": content,
        "status": status,
    }
