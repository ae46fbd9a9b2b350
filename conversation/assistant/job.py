"""What an answer is made from and what it is made of: the seam between runs and backends.

A run gives a `Job` to a `Backend` and gets AG-UI 1.0 events back, as dictionaries with the names and
camelCase fields of that protocol. It numbers, stores and tells them; a backend knows nothing of that.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Literal, Protocol

import msgspec

Kind = Literal["openai", "workspace"]

Event = dict[str, Any]
"""One AG-UI event. One type is not AG-UI's: `USAGE {input_tokens, output_tokens, is_estimated}`."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a tool that a model asks for; `id` is unique in its run."""

    id: str
    name: str
    title: str = ""
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What people said to a tool call that changes something."""

    approved: bool
    by: str | None = None
    """Who said so; None when nobody did."""
    reason: str = ""
    """What became of the question if not an approval: "denied" or "expired"."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the conversation so far, the oldest first."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    name: str | None = None
    """Who said it, for a user's turn."""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Job(msgspec.Struct, kw_only=True):
    """Everything a backend needs to answer one request. Tools run with the rights of `user_id`."""

    run_id: str
    message_id: str
    """The message that is being written; events carry it as `messageId`."""
    conversation_id: str
    user_id: int
    username: str
    turns: list[Turn]
    approve: Callable[[ToolCall], Awaitable[Verdict]]
    """Asks the people of the conversation and returns at the first answer, or when the time is over."""
    request_id: str = ""
    """The message that is answered; a search does not find it again."""
    text_so_far: str = ""
    """What is written already when an interrupted answer goes on; it is not repeated in the events."""


class Backend(Protocol):
    """Who answers."""

    @property
    def kind(self) -> Kind:
        """Which sort of backend it is."""

    @property
    def model(self) -> str | None:
        """The model that answers, None where none does."""

    def answer(self, job: Job) -> AsyncGenerator[Event]:
        """The events of one answer. Raises BackendError when there is none, or no more of it."""


class BackendError(Exception):
    """Why there is no answer, or no more of it. A reader is shown `code` and `message`: no secrets in either."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")
