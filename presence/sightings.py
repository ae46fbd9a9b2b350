"""When people were last here: kept in memory and written behind, in batches. Event loop only.

Whoever leaves is written within `LEAVES_S`, whoever stays every COMMSITE_PRESENCE_SEEN_S, everybody when the process
ends in good order. So a process that is killed loses at most that much of its people's time: they are shown as last
seen a little too early, never as never.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from django.conf import settings

from commsite.realtime.telemetry import count
from commsite.realtime.threads import in_thread
from presence import actions

logger = logging.getLogger(__name__)

LEAVES_S = 5.0
BATCH = 500
"""People in one transaction: other writers wait no longer than for these."""


class Sightings:
    """What this process has to write. `here` tells who is here and may be remembered, by user id."""

    def __init__(self, here: Callable[[], Iterable[int]]) -> None:
        self._here = here
        self._seen: dict[int, int] = {}
        self._forgotten: set[int] = set()
        self._is_writing = False
        self._is_failing = False

    def note(self, user_id: int) -> None:
        """The person is here now, and may be gone in a moment."""
        self._seen[user_id] = int(time.time())

    def forget(self, user_id: int) -> None:
        """The person does not want to be remembered; what is being written of them just now goes as well."""
        self._seen.pop(user_id, None)
        if self._is_writing:
            self._forgotten.add(user_id)

    async def forever(self) -> None:
        """Writes while the process lives, and once more at its end."""
        noted_s = 0.0
        try:
            while True:
                every_s: float = settings.REALTIME["PRESENCE_SEEN_S"]
                pause_s = min(LEAVES_S, every_s)
                await asyncio.sleep(pause_s)
                noted_s += pause_s
                if noted_s >= every_s:
                    noted_s = 0.0
                    self._note_all()
                await self.write()
        finally:
            self._note_all()
            await self.write()

    async def write(self) -> None:
        """Writes what is known; what cannot be written now is kept for the next time."""
        seen, self._seen = self._seen, {}
        self._is_writing = True
        try:
            await self._write(seen)
        except Exception:
            if not self._is_failing:
                logger.exception("when people were last seen could not be written")
            self._is_failing = True
            for user_id, at in seen.items():
                if user_id not in self._forgotten:
                    self._seen.setdefault(user_id, at)
        else:
            self._is_failing = False
        finally:
            self._is_writing = False

    async def _write(self, seen: dict[int, int]) -> None:
        people = sorted(seen)
        for start in range(0, len(people), BATCH):
            batch = {user_id: seen[user_id] for user_id in people[start : start + BATCH]}
            await in_thread(actions.store_last_seen, batch)
            count("last_seen_written_total", len(batch))
        while self._forgotten:
            forgotten = set(self._forgotten)
            await in_thread(actions.forget_opted_out, forgotten)
            self._forgotten -= forgotten

    def _note_all(self) -> None:
        now = int(time.time())
        self._seen.update(dict.fromkeys(self._here(), now))
