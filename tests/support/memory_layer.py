"""A channel layer in memory that several processes (hubs) share: it can lose, fail and heal."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from typing import Any


class MemoryLayer:
    """What the backplane needs of a layer. One for all hubs of a test."""

    def __init__(self) -> None:
        self.groups: dict[str, set[str]] = defaultdict(set)
        self.mailboxes: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self.is_down = False
        self.is_hanging = False
        self.lose_next = 0
        self.refuse_receives = 0
        """So many mailboxes more are taken for open and are not, as channels_redis does when Redis refuses."""
        self.dead: set[str] = set()
        """Mailboxes whose link is dead without a word: nothing arrives until it is made anew."""
        self.sent = 0
        self._names = itertools.count(1)

    async def _work(self) -> None:
        if self.is_hanging:
            await asyncio.Event().wait()
        if self.is_down:
            raise ConnectionError("the layer is down")

    async def new_channel(self) -> str:
        await self._work()
        name = f"mailbox{next(self._names)}"
        self.mailboxes[name] = asyncio.Queue()
        return name

    async def receive(self, mailbox: str) -> dict[str, Any]:
        if self.refuse_receives and mailbox not in self.mailboxes:
            self.refuse_receives -= 1
            raise ConnectionError("the mailbox could not be opened")
        return await self.mailboxes.setdefault(mailbox, asyncio.Queue()).get()

    def renewed(self) -> MemoryLayer:
        """The same with links made anew: what was dead is gone, with its places in groups."""
        for mailbox in self.dead:
            del self.mailboxes[mailbox]
            for members in self.groups.values():
                members.discard(mailbox)
        self.dead.clear()
        return self

    async def send(self, mailbox: str, message: dict[str, Any]) -> None:
        await self._work()
        if mailbox not in self.dead and mailbox in self.mailboxes:
            self.mailboxes[mailbox].put_nowait(message)

    async def group_add(self, group: str, mailbox: str) -> None:
        await self._work()
        self.groups[group].add(mailbox)

    async def group_discard(self, group: str, mailbox: str) -> None:
        await self._work()
        self.groups[group].discard(mailbox)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await self._work()
        self.sent += 1
        if self.lose_next:
            self.lose_next -= 1
            return
        for mailbox in self.groups[group] & self.mailboxes.keys() - self.dead:
            self.mailboxes[mailbox].put_nowait(message)
