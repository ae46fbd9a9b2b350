"""The writer of runs: one group commit for all runs of this process, and only then is anything told.

The first words of a run go out at once, later ones together on the beat. Whatever a run says in
between is one event. A database that does not answer holds the runs back, and through them the
model's server; it never makes a viewer see what is not stored.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from commsite.realtime import telemetry
from commsite.realtime.errors import PushError
from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from conversation.assistant import beat, store
from conversation.assistant.store import Batch, Checkpoint, Claim
from conversation.assistant.transcript import Transcript, storable

logger = logging.getLogger(__name__)

CHECKPOINT_S = 0.5
RETRY_S = 0.25
MOST_WAITING = 65_536
"""Characters of one run that wait to be stored; its backend waits then."""

Store = Callable[[Sequence[Batch]], Awaitable[set[uuid.UUID]]]


class Stream:
    """One running run's way out: what it has said and is not stored yet, and what it said so far."""

    __slots__ = (
        "_checkpointed_at",
        "_waiting",
        "_waiting_chars",
        "claim",
        "is_lost",
        "message_id",
        "said",
        "settled",
    )

    def __init__(self, claim: Claim, message_id: uuid.UUID, said: Transcript, now: float) -> None:
        self.claim = claim
        self.message_id = message_id
        self.said = said
        self.is_lost = False
        self.settled = asyncio.Event()
        self.settled.set()
        self._waiting: list[dict[str, Any]] = []
        self._waiting_chars = 0
        self._checkpointed_at = now

    @property
    def is_full(self) -> bool:
        """True while its backend should wait."""
        return self._waiting_chars > MOST_WAITING

    @property
    def is_waiting(self) -> bool:
        """True while something is to be stored."""
        return bool(self._waiting)

    def add(self, event: dict[str, Any]) -> None:
        """Takes one more event; deltas in a row become one."""
        event = {
            key: storable(value) if isinstance(value, str) else value
            for key, value in event.items()
        }
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            self._waiting_chars += len(event["delta"])
            last = self._waiting[-1] if self._waiting else None
            if last is not None and last["type"] == "TEXT_MESSAGE_CONTENT":
                last["delta"] += event["delta"]
                return
        self._waiting.append(event)

    def take(self, now: float) -> Batch:
        """What is to be stored now, numbered; everything that was said before it is stored."""
        taken, self._waiting, self._waiting_chars = self._waiting, [], 0
        events = [self._numbered(event) for event in taken]
        if now - self._checkpointed_at < CHECKPOINT_S:
            return Batch(self.claim, events)
        self._checkpointed_at = now
        return Batch(self.claim, events, checkpoint_of(self.said))

    def _numbered(self, event: dict[str, Any]) -> dict[str, Any]:
        numbered = {
            "run_id": str(self.claim.run_id),
            "message_id": str(self.message_id),
            "seq": self.said.seq + 1,
            "offset": self.said.offset,
            **event,
        }
        self.said.apply(numbered)
        return numbered


def checkpoint_of(said: Transcript) -> Checkpoint:
    """Everything said so far, as it is stored."""
    return Checkpoint(said.seq, said.offset, said.text, [dict(part) for part in said.parts])


class Writer:
    """Of one process. Event loop only."""

    def __init__(self, keep: Store | None = None) -> None:
        self._keep = keep or _keep
        self._dirty: dict[Stream, None] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushed_at = float("-inf")
        self._is_urgent = False

    def add(self, stream: Stream, event: dict[str, Any], *, is_urgent: bool = False) -> None:
        """Takes an event of a run: stored and told on the beat at the latest; an urgent one at once."""
        stream.add(event)
        stream.settled.clear()
        self._dirty[stream] = None
        self._schedule(is_urgent=is_urgent)

    async def settle(self, stream: Stream) -> bool:
        """Waits until all that was added is stored; False when the run is ours no more."""
        if stream.is_waiting:
            self._schedule(is_urgent=True)
        await stream.settled.wait()
        return not stream.is_lost

    def _schedule(self, *, is_urgent: bool) -> None:
        if self._flushing is not None:
            self._is_urgent |= is_urgent
            return  # what comes meanwhile goes with the next one
        loop = asyncio.get_running_loop()
        wait_s = 0.0 if is_urgent else beat.left_s(loop.time(), self._flushed_at)
        if self._timer is not None:
            if wait_s:
                return
            self._timer.cancel()
        self._timer = loop.call_later(wait_s, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._flushing = hub.spawn(self._flush())

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        self._flushed_at = loop.time()
        streams, self._dirty = list(self._dirty), {}
        batches = [stream.take(self._flushed_at) for stream in streams]
        ours = await self._kept(batches)
        self._flushing = None
        for stream in streams:
            stream.is_lost = stream.is_lost or stream.claim.run_id not in ours
            if stream.is_lost or not stream.is_waiting:
                self._dirty.pop(stream, None)
                stream.settled.set()
        if self._dirty:
            self._schedule(is_urgent=self._is_urgent)
        self._is_urgent = False

    async def _kept(self, batches: Sequence[Batch]) -> set[uuid.UUID]:
        """Stores all together; where that cannot be, each by itself, so that one run's fault is its own."""
        try:
            return await self._keep(batches)
        except Exception:
            logger.exception("events of %s runs could not be stored together", len(batches))
        ours: set[uuid.UUID] = set()
        for batch in batches:
            try:
                ours |= await self._keep([batch])
            except Exception:
                logger.exception("events of run %s could not be stored", batch.claim.run_id)
        return ours


async def _keep(batches: Sequence[Batch]) -> set[uuid.UUID]:
    while True:
        try:
            return await in_thread(store.store, batches)
        except PushError as error:  # the database is locked or away: nothing was told yet
            telemetry.count("assistant_store_retries_total")
            logger.warning("events of runs could not be stored yet: %s", error)
            await asyncio.sleep(RETRY_S)
