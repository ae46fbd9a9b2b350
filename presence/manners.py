"""How people want to be seen, as the database has it: read for many at once, and never old. Event loop only."""

import asyncio
from itertools import islice

from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from presence import queries
from presence.schema import Manner

READ_AT_ONCE = 500


class _Question:
    """Somebody waits for the manner of one person."""

    __slots__ = ("answer", "is_stale")

    def __init__(self) -> None:
        self.answer: asyncio.Future[Manner] = asyncio.get_running_loop().create_future()
        self.is_stale = False
        """The person has changed something since this was asked."""


class Manners:
    """One read at a time; whoever is asked for meanwhile is in the next one, with all the others."""

    def __init__(self) -> None:
        self._open: dict[int, set[_Question]] = {}
        self._unread: dict[int, list[_Question]] = {}
        self._is_reading = False

    async def of(self, user_id: int) -> Manner:
        """How the person wants to be seen now. Raises PushError when the database does not say."""
        while True:
            question = _Question()
            self._open.setdefault(user_id, set()).add(question)
            self._unread.setdefault(user_id, []).append(question)
            if not self._is_reading:
                self._is_reading = True
                hub.spawn(self._read())
            try:
                manner = await question.answer
            finally:
                self._close(user_id, question)
            if not question.is_stale:
                return manner

    def changed(self, user_id: int) -> None:
        """What was read of this person and is not used yet may be old: it is read again."""
        for question in self._open.get(user_id, ()):
            question.is_stale = True

    def _close(self, user_id: int, question: _Question) -> None:
        self._open[user_id].discard(question)
        if not self._open[user_id]:
            del self._open[user_id]

    async def _read(self) -> None:
        batch: dict[int, list[_Question]] = {}
        try:
            while self._unread:
                batch = dict(islice(self._unread.items(), READ_AT_ONCE))
                for user_id in batch:
                    del self._unread[user_id]
                try:
                    manners = await in_thread(queries.manners_of, list(batch))
                except Exception as error:  # whatever it is, those who asked are told
                    _answer(batch, error)
                else:
                    _answer(batch, manners)
        finally:  # also where this process ends in the middle
            self._is_reading = False
            for questions in (*batch.values(), *self._unread.values()):
                for question in questions:
                    question.answer.cancel()
            self._unread.clear()


def _answer(batch: dict[int, list[_Question]], found: dict[int, Manner] | Exception) -> None:
    for user_id, questions in batch.items():
        for question in questions:
            if question.answer.done():
                continue  # nobody waits any more
            if isinstance(found, Exception):
                question.answer.set_exception(found)
            else:
                question.answer.set_result(found[user_id])
