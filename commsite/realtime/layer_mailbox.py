"""One process's place on the channel layer: what is sent to it, its way out, and the links under both.

The links may die without a word and hold locks for ever. Then they are made anew, under the same name.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from channels.layers import get_channel_layer

from commsite.realtime.layer import close_layer, fresh_layer, links_of
from commsite.realtime.telemetry import count

logger = logging.getLogger(__name__)

SEND_S = 5.0
"""What the layer has not taken by then goes to a peer that is gone: waiting on would hold up everything behind it."""
ALONE = "local"
"""The mailbox of a process that has none on the layer."""
STEP_S = 0.1
"""The step in which patience is counted."""

Message = dict[str, Any]


class Mailbox:
    """`on_message` gets what arrives; `on_broken` hears why nothing can arrive any more. Event loop only."""

    def __init__(
        self, on_message: Callable[[Message], None], on_broken: Callable[[object], None]
    ) -> None:
        self.name = ALONE
        self.renewals = 0
        self._layer = get_channel_layer()
        self._on_message = on_message
        self._on_broken = on_broken
        self._receiving: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._sending: set[asyncio.Timeout] = set()

    @property
    def is_alone(self) -> bool:
        """True with no channel layer: nothing travels."""
        return self._layer is None

    @property
    def links(self) -> int:
        """Connections to Redis that this process holds. From any thread."""
        return 0 if self._layer is None else links_of(self._layer)

    async def open(self) -> None:
        """Takes a name and listens. Raises when the layer does not answer in time; it is another one then."""
        try:
            async with asyncio.timeout(SEND_S):
                self.name = await self._layer.new_channel()
        except Exception:
            self._replace_layer()
            raise
        self._listen()

    async def send(self, name: str, message: Message) -> None:
        """Puts a message into the mailbox of one process. Raises when the layer does not take it in time."""
        if self._layer is None:
            raise ConnectionError("there is no other process")
        await self._in_time(self._layer.send(name, message))

    async def send_to_group(self, group: str, message: Message) -> None:
        """Puts a message into the mailboxes of all members. Raises when the layer does not take it in time."""
        await self._in_time(self._layer.group_send(group, message))

    async def _in_time(self, sending: Awaitable[None]) -> None:
        async with asyncio.timeout(SEND_S) as limit:
            self._sending.add(limit)
            try:
                await sending
            finally:
                self._sending.discard(limit)

    async def join(self, group: str) -> None:
        """Becomes a member of a group."""
        await self._layer.group_add(group, self.name)

    async def leave(self, group: str) -> None:
        """Ends the membership."""
        await self._in_time(self._layer.group_discard(group, self.name))

    def renew(self) -> None:
        """Begins anew with another layer: no link and no membership of the old one counts any more.

        What has not been taken by the old one never will be: those who wait for that are told at once.
        """
        count("backplane_reopened_total")
        self._replace_layer()
        for limit in self._sending:
            if not limit.expired():
                limit.reschedule(0.0)
        self._stop_listening()  # the old layer, already closing, does not say goodbye over links that may be dead
        self._listen()  # first of all: groups are joined by a mailbox that exists

    def _replace_layer(self) -> None:
        self.renewals += 1
        self._close_later(self._layer)
        self._layer = fresh_layer()

    def _close_later(self, layer: Any) -> None:
        closing = asyncio.ensure_future(close_layer(layer, SEND_S))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def listens_until(self, work: asyncio.Task[bool], patience_s: float) -> bool:
        """The result of `work`; False when it takes too long, and as soon as nothing can arrive any more.

        Time is counted in steps: an event loop that is late itself does not take its links for dead.
        """
        step_s = min(STEP_S, patience_s)
        ends = {work} if self._receiving is None else {work, self._receiving}
        for _ in range(round(patience_s / step_s)):
            done, _ = await asyncio.wait(ends, timeout=step_s, return_when=asyncio.FIRST_COMPLETED)
            if done:
                break
        if work.done():
            return work.result()
        work.cancel()
        return False

    async def close(self) -> None:
        """Stops listening and closes the links, for as long as a send may take."""
        self._close_later(self._layer)
        self._stop_listening()
        if self._receiving is not None:
            self._closing.add(self._receiving)
        await asyncio.wait(self._closing, timeout=SEND_S)

    def _listen(self) -> None:
        self._receiving = asyncio.ensure_future(self._receive_forever(self._layer))

    def _stop_listening(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()

    async def _receive_forever(self, layer: Any) -> None:
        while True:
            try:
                message = await layer.receive(self.name)
            except Exception as error:
                if layer is self._layer:
                    self._on_broken(error)
                return
            try:
                self._on_message(message)
            except Exception:
                logger.exception("mailbox: a message could not be handled")
