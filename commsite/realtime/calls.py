"""Questions to one process over its mailbox, and their answers."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from commsite.realtime.packet import Call

logger = logging.getLogger(__name__)

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Send = Callable[[str, Call], Awaitable[None]]


class Unreachable(Exception):
    """The process called did not answer in time."""


class Calls:
    """Who was asked and has not answered yet; and what this process answers, by kind."""

    def __init__(self, node: str, send: Send) -> None:
        self.answers: dict[str, Answer] = {}
        self._node = node
        self._send = send
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._ids = itertools.count(1)

    async def ask(
        self, mailbox: str, reply_to: str, kind: str, payload: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Asks the process behind `mailbox`; raises Unreachable when it does not answer in time."""
        call_id = f"{self._node}.{next(self._ids)}"
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[call_id] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(mailbox, Call(call_id, reply_to, kind, payload))
                return await answer
        except Exception as error:  # the layer's own errors differ; all mean the same
            raise Unreachable(mailbox) from error
        finally:
            del self._waiting[call_id]

    def on_answer(self, call: Call) -> None:
        """Takes the answer to one of our own questions; one that comes too late changes nothing."""
        answer = self._waiting.get(call.id)
        if answer is not None and not answer.done():
            answer.set_result(call.payload)

    async def answer(self, call: Call, kind: str, mailbox: str) -> None:
        """Answers the question of another process, from `mailbox`; a failure here is its silence."""
        try:
            payload = await self.answers[kind](call.payload)
        except Exception:
            logger.exception("backplane: a call could not be answered", extra={"kind": kind})
            return
        try:
            await self._send(call.reply_to, Call(call.id, mailbox, None, payload))
        except Exception as error:  # the link is broken, of which its owner tells
            logger.info("backplane: an answer could not be sent: %r", error)
