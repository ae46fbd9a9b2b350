"""Waiting for something outside this process: look, wait a moment, look again, until a deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Found = TypeVar("Found")
PAUSE_S = 0.02
PATIENCE_S = 60.0
"""So long a test waits for what must come; it goes on once it is there, so this costs only where something is wrong."""


def wait_for(look: Callable[[], Found], what: str, *, timeout_s: float = PATIENCE_S) -> Found:
    """Returns the first truthy answer of `look`; TimeoutError names `what` when none comes."""
    until = time.monotonic() + timeout_s
    while not (found := look()):
        if time.monotonic() > until:
            raise TimeoutError(f"no {what} within {timeout_s} s")
        time.sleep(PAUSE_S)
    return found


async def eventually(
    look: Callable[[], Awaitable[Found]], what: str, *, timeout_s: float = PATIENCE_S
) -> Found:
    """The same for a coroutine function, without holding the event loop."""
    until = time.monotonic() + timeout_s
    while not (found := await look()):
        if time.monotonic() > until:
            raise TimeoutError(f"no {what} within {timeout_s} s")
        await asyncio.sleep(PAUSE_S)
    return found
