"""A model's answer that a test lets out, word by word, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.support.deadline import PATIENCE_S
from tests.support.model_server import content, finish

if TYPE_CHECKING:
    from tests.support.model_server import Exchange


class Tap:
    """A script for ModelServer; each request is answered with what `say` lets out from then on."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[str | None] = asyncio.Queue()
        self.exchanges: asyncio.Queue[Exchange] = asyncio.Queue()

    async def __call__(self, exchange: Exchange) -> None:
        """One answer."""
        await exchange.begin()
        self.exchanges.put_nowait(exchange)
        gone = asyncio.ensure_future(exchange.gone.wait())
        while not exchange.gone.is_set():
            word = asyncio.ensure_future(self._words.get())
            await asyncio.wait({word, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not word.done():
                word.cancel()
                break
            if (text := word.result()) is None:
                await exchange.say(finish(), "[DONE]")
                await exchange.end()
                break
            await exchange.say(content(text))
        gone.cancel()

    def say(self, *words: str) -> None:
        """Lets them out, each as an event of its own."""
        for word in words:
            self._words.put_nowait(word)

    def end(self) -> None:
        """The good end."""
        self._words.put_nowait(None)

    async def asked(self) -> Exchange:
        """The next request."""
        return await asyncio.wait_for(self.exchanges.get(), PATIENCE_S)
