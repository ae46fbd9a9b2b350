"""The engine: every run of this process is a task of the process, never of a socket.

It takes what the backend says to the writer, keeps the lease, and ends the run. A run that someone
else has ended (stopped, taken for dead) loses its lease: its task is cancelled, which closes the
request to the model's server.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings

from commsite.realtime import telemetry
from commsite.realtime.errors import PushError
from commsite.realtime.hub import Hub, hub
from commsite.realtime.threads import in_thread
from conversation.assistant import approvals, runs, store
from conversation.assistant.backend import BackendError, answer, configured_backend
from conversation.assistant.context import Opening, open_run
from conversation.assistant.runs import INTERRUPTED, Outcome
from conversation.assistant.store import Claim
from conversation.assistant.writer import Stream, Writer

if TYPE_CHECKING:
    from conversation.assistant.job import Job

T = TypeVar("T")
logger = logging.getLogger(__name__)

SWEEP_EVERY = 2
"""Ticks (seconds) between looks for what dead processes have left, and for what waits. With the lease it must stay
below 15 s: that is how long a dead process's run may look as if it went on."""
RETRY_S = 0.5
LOST = Outcome("error", "internal_error", "The answer failed by our fault; it was logged.")


class Engine:
    """Of one process. Event loop only, but for `launch` and `stop`."""

    def __init__(self) -> None:
        self._tasks: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._claims: dict[uuid.UUID, Claim] = {}
        self._writer = Writer()
        self._is_leaving = False
        self._draining_since: float | None = None
        self._ticks = 0

    # -- with the hub

    def started(self, hub: Hub) -> None:
        """Begins with the process: nothing runs yet."""
        self.__init__()  # type: ignore[misc]  # one engine for all lives of the hub
        telemetry.gauge("assistant_runs_active", lambda: len(self._tasks))
        hub.spawn(self._sweep())

    def ticked(self) -> None:
        """Once a second: leases are renewed, runs of dead processes are ended, queued ones begun."""
        self._ticks += 1
        if hub.is_draining and self._draining_since is None:
            self._draining_since = asyncio.get_running_loop().time()
        if self._ticks % _renew_every() == 0 and self._claims:
            hub.spawn(self._renew())
        if self._ticks % SWEEP_EVERY == 0 and not hub.is_draining:
            hub.spawn(self._sweep())

    async def leave(self) -> None:
        """Takes no more runs; what runs may end by itself for a while, then it is interrupted."""
        self._is_leaving = True
        tasks = list(self._tasks.values())
        since = self._draining_since
        gone_s = 0.0 if since is None else asyncio.get_running_loop().time() - since
        if tasks and gone_s < settings.REALTIME["DRAIN_S"]:
            await asyncio.wait(tasks, timeout=settings.REALTIME["DRAIN_S"] - gone_s)
        left = list(self._tasks.values())
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    # -- runs

    def launch(self, claim: Claim) -> None:
        """Begins a run that was claimed for this process."""
        if claim.run_id in self._tasks:
            return
        self._claims[claim.run_id] = claim
        task = self._tasks[claim.run_id] = hub.spawn(self._run(claim))
        task.add_done_callback(lambda _: self._forget(claim.run_id))

    def stop(self, run_id: uuid.UUID) -> None:
        """Someone else has ended the run: nothing more is wanted of its backend."""
        task = self._tasks.get(run_id)
        if task is not None and self._claims.pop(run_id, None) is not None:
            task.cancel()

    def _forget(self, run_id: uuid.UUID) -> None:
        self._tasks.pop(run_id, None)
        self._claims.pop(run_id, None)
        if not (self._is_leaving or hub.is_draining):
            hub.spawn(self._take_queued())

    async def _run(self, claim: Claim) -> None:
        stream: Stream | None = None
        try:
            opening = await self._open(claim)
            stream = Stream(
                claim, opening.message_id, opening.said, asyncio.get_running_loop().time()
            )
            outcome = await self._answer(stream, opening)
        except asyncio.CancelledError:
            if claim.run_id not in self._claims:
                raise  # ended by someone else
            outcome = INTERRUPTED
        except BackendError as error:  # it never began
            outcome = Outcome("error", error.code, error.message)
        except Exception:
            logger.exception("run %s failed", claim.run_id)
            outcome = LOST
        await self._end(claim, outcome, stream)

    async def _open(self, claim: Claim) -> Opening:
        return await self._persist(lambda: in_thread(open_run, claim, configured_backend()))

    async def _answer(self, stream: Stream, opening: Opening) -> Outcome:
        writer, usage = self._writer, None
        writer.add(stream, opening.started, is_urgent=True)
        job = self._job(stream, opening)
        is_first = True
        try:
            async with aclosing(answer(configured_backend(), job)) as events:
                async for event in events:
                    if event["type"] == "USAGE":
                        usage = {key: event[key] for key in event if key != "type"}
                        continue
                    is_first = is_first and event["type"] != "TEXT_MESSAGE_CONTENT"
                    writer.add(stream, event, is_urgent=is_first)
                    if stream.is_lost or (stream.is_full and not await writer.settle(stream)):
                        return LOST
        except BackendError as error:
            return Outcome("error", error.code, error.message, usage)
        return Outcome("finished", usage=usage)

    def _job(self, stream: Stream, opening: Opening) -> "Job":
        async def tell(event: dict[str, Any]) -> bool:
            self._writer.add(stream, event, is_urgent=True)
            return await self._writer.settle(stream)

        return opening.job(approvals.Asking(stream.claim, tell).ask)

    async def _end(self, claim: Claim, outcome: Outcome, stream: Stream | None) -> None:
        if stream is not None:
            await self._writer.settle(stream)
        said = None if stream is None else stream.said
        await self._persist(lambda: in_thread(runs.end, claim, outcome, said))

    async def _persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Tries until the database answers; the lease decides whether it still counts then."""
        while True:
            try:
                return await attempt()
            except PushError as error:
                if error.reason != "overloaded":
                    raise
                await asyncio.sleep(RETRY_S)

    # -- now and then

    async def _renew(self) -> None:
        claims = list(self._claims.values())
        try:
            ours = await in_thread(store.renew, claims, settings.REALTIME["ASSISTANT_LEASE_S"])
        except PushError:
            return  # the next tick tries again; a lease outlives two of them
        for claim in claims:
            if claim.run_id not in ours:
                self.stop(claim.run_id)

    async def _sweep(self) -> None:
        try:
            await in_thread(runs.interrupt_expired)
        except PushError:
            return
        await self._take_queued()

    async def _take_queued(self) -> None:
        """Begins what is queued and may begin; whichever process is first has it."""
        try:
            claims = await in_thread(runs.claim_queued, hub.node)
        except PushError:
            return
        for claim in claims:
            self.launch(claim)


def _renew_every() -> int:
    """Ticks (seconds) between renewals: one may be late, or lost, before a lease runs out."""
    return max(1, int(settings.REALTIME["ASSISTANT_LEASE_S"] // 3))


engine = Engine()
