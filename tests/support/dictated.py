"""A site whose assistant says what the test dictates, word by word."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.model_server import ModelServer, content, finish

if TYPE_CHECKING:
    from tests.support.model_server import Exchange
    from tests.support.server import Site


class Dictated:
    """A model that says what it is told to, until it is told to end."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[str | None] = asyncio.Queue()

    def say(self, *words: str) -> None:
        """What comes next."""
        for word in words:
            self._words.put_nowait(word)

    def end(self) -> None:
        """The answer is complete."""
        self._words.put_nowait(None)

    async def __call__(self, exchange: Exchange) -> None:
        """One answer; a client that goes away takes no word of the next one along."""
        await exchange.begin()
        gone = asyncio.ensure_future(exchange.gone.wait())
        while not gone.done():
            word = asyncio.ensure_future(self._words.get())
            await asyncio.wait({gone, word}, return_when=asyncio.FIRST_COMPLETED)
            if not word.done():
                word.cancel()
                return
            spoken = word.result()
            if spoken is None:
                break
            await exchange.say(content(spoken))
        await exchange.say(finish(), "[DONE]")
        await exchange.end()
        gone.cancel()


@dataclass
class DictatedSite:
    """A site, the model behind its assistant, and the server where that model is asked."""

    site: Site
    model: Dictated
    server: ModelServer
