"""Writes marks behind, and tells what follows, once a second and conversation. Event loop only.

What people have read is gathered here and written within a second: a process that is killed loses
at most that, and they read a moment again; one that ends in good order loses nothing.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence

from commsite.realtime import telemetry
from commsite.realtime.errors import PushError
from commsite.realtime.hub import Hub, hub
from commsite.realtime.threads import in_thread
from commsite.realtime.topic import Topic
from conversation import receipts
from conversation.marks import Mark, Marks, Place
from conversation.pacer import Pacer
from conversation.receipts import Work

logger = logging.getLogger(__name__)

PERIOD_S = 1.0
"""A conversation is written and told no more often."""
DELAY_S = 0.05
"""A message brings its author's mark along, and soon those of everybody who gets it."""

TOGETHER = 50
"""So many conversations are written in one transaction: other writers wait no longer than for these."""


def is_online(user_id: int) -> bool:
    """Whether a user has a socket in any process. Safe from any thread."""
    return bool(hub.sockets_of(user_id)) or hub.census.elsewhere(user_id) > 0


class MarkWriter:
    """What is to be written and told, as this process knows it."""

    def __init__(self) -> None:
        self._marks = Marks()
        self._news: dict[uuid.UUID, int] = {}
        self._due: dict[uuid.UUID, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._pacer: Pacer[uuid.UUID] | None = None

    def start(self, hub: Hub) -> None:
        """Begins with the hub."""
        self._marks, self._news, self._due, self._task = Marks(), {}, {}, None
        self._pacer = Pacer(PERIOD_S, self._write_soon, delay_s=DELAY_S)
        telemetry.gauge("receipts_waiting", lambda: len(self._marks))

    def note(self, conversation_id: uuid.UUID, place: Place, mark: Mark) -> None:
        """Somebody has got so far, unless they were further already. From any thread, or outside of a server."""
        loop = hub.loop
        if self._pacer is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._note, conversation_id, place, mark)

    def _note(self, conversation_id: uuid.UUID, place: Place, mark: Mark) -> None:
        self._marks.note(conversation_id, place, mark)
        if self._pacer is not None:
            self._pacer.want(conversation_id)

    def on_news(self, topic: str, seq: int | None) -> None:
        """This process has told of something that changes unread counts."""
        if self._pacer is not None:
            conversation_id = uuid.UUID(Topic.parse(topic).id)
            self._hear(conversation_id, seq or 0)
            self._pacer.want(conversation_id)

    async def finish(self) -> None:
        """Writes everything that is left; called before this process goes."""
        pacer, self._pacer = self._pacer, None
        if pacer is None:
            return
        pacer.stop()
        self._write_soon(pacer.take_all())
        if self._task is not None:
            await asyncio.wait({self._task})

    def _hear(self, conversation_id: uuid.UUID, seq: int) -> None:
        self._news[conversation_id] = min(seq, self._news.get(conversation_id, seq))

    def _write_soon(self, conversation_ids: Sequence[uuid.UUID]) -> None:
        self._due |= dict.fromkeys(conversation_ids)
        if self._task is None and self._due:
            self._task = hub.spawn(self._write())

    async def _write(self) -> None:
        """Writes some conversations after the other; what cannot be written now is tried again in a second."""
        while self._due:
            some = list(self._due)[:TOGETHER]
            for conversation_id in some:
                del self._due[conversation_id]
            await self._write_some(some)
        self._task = None

    async def _write_some(self, conversation_ids: Sequence[uuid.UUID]) -> None:
        work = {
            each: Work(self._marks.take(each), self._news.pop(each, None))
            for each in conversation_ids
        }
        try:
            await in_thread(receipts.write, work, is_online)
        except PushError:  # no database: what is read does not become unread
            telemetry.count("receipts_failed_total")
            self._keep(work)
        except Exception:
            telemetry.count("receipts_failed_total")
            logger.exception("receipts could not be written")
            if len(conversation_ids) > 1:  # one of them is at fault, and costs the others nothing
                self._hold(work)
                for each in conversation_ids:
                    await self._write_some([each])

    def _keep(self, work: Mapping[uuid.UUID, Work]) -> None:
        self._hold(work)
        for conversation_id in work:
            if self._pacer is not None:
                self._pacer.want(conversation_id)

    def _hold(self, work: Mapping[uuid.UUID, Work]) -> None:
        for conversation_id, its in work.items():
            self._marks.put_back(conversation_id, its.marks)
            if its.news_from is not None:
                self._hear(conversation_id, its.news_from)


writer = MarkWriter()
