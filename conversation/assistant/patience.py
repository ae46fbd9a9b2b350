"""How long an answer may take, in all and between its signs of life."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from django.conf import settings


class Patience(msgspec.Struct, frozen=True, rename=lambda name: f"ASSISTANT_{name.upper()}"):
    """The limits of one answer; times in seconds."""

    connect_s: float = 5
    first_byte_s: float = 60
    """From the request to the first byte of the answer's body."""
    chunk_s: float = 30
    """Between two blocks of bytes after that."""
    run_s: float = 600
    """The whole answer with its tools, without the time in which people think about an approval."""
    tool_s: float = 30
    retries: int = 2
    rounds: int = 10
    """Rounds of tool calls; in the one after them the model must answer."""
    event_bytes: int = 1 << 20
    context_chars: int = 120_000
    """What a model is given to read: of a longer conversation, the newest turns."""
    answer_chars: int = 200_000
    tool_chars: int = 16_000


def configured_patience() -> Patience:
    """As the settings say."""
    return msgspec.convert(settings.REALTIME, Patience)


class Deadline:
    """When the whole answer must be there."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock() + seconds

    def left(self) -> float:
        """Seconds that remain, 0 when none do."""
        return max(0.0, self._at - self._clock())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside takes none of the time: it waits for people, not for a model."""
        began = self._clock()
        try:
            yield
        finally:
            self._at += self._clock() - began
