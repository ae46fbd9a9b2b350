"""The beat of this process, just under every 40 ms: what models have said since is read, stored and told together.

Whoever had to wait for a model's server reads on with the next beat, and then all that has come by then. So all runs
wake the process together, and about as often however fast their models are.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

T = TypeVar("T")

BEAT_S = 0.038
BURST_S = 0.005
"""What comes this soon after a beat belongs to it."""
EARLY_S = 0.002
"""Timers may fire this much early."""
AFTER_S = 0.002
"""Those who read on the beat come first: what waits for it is told so much later, if nobody comes."""
INSTANT_S = 0.001
"""What takes no longer was there already."""


def left_s(now: float, before: float) -> float:
    """How long what comes `now` waits to be told, when something was told last at `before`: at most 40 ms."""
    beat, since = divmod(now + EARLY_S, BEAT_S)
    if since < BURST_S + EARLY_S or before + EARLY_S < beat * BEAT_S:
        return 0.0
    return BEAT_S - since + EARLY_S + AFTER_S


async def next_beat() -> None:
    """Waits for the next beat."""
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(BEAT_S - (now + EARLY_S) % BEAT_S + EARLY_S)


async def on_the_beat(
    blocks: AsyncGenerator[T], has_begun: Callable[[], bool]
) -> AsyncGenerator[T]:
    """The same blocks. Once it has begun, one that had to be waited for is the last before the next beat."""
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    async for block in blocks:
        has_waited = loop.time() - asked_at > INSTANT_S
        yield block
        if has_waited and has_begun():
            await next_beat()
        asked_at = loop.time()
