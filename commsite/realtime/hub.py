"""The registry of this process: its sockets, their limits and deadlines, its link to the others, its end.

One `hub` per process. It starts with the server (or with the first socket), ticks once a second for all deadlines
together, and drains at the end.
"""

import asyncio
import logging
import os
import random
import secrets
import socket as network
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings

from commsite.realtime import telemetry
from commsite.realtime.admission import Admission
from commsite.realtime.announcement import Announcement
from commsite.realtime.auth import Identity
from commsite.realtime.backplane import Backplane
from commsite.realtime.census import Census
from commsite.realtime.deadlines import TICK_S, Deadlines
from commsite.realtime.envelope import encode_payload
from commsite.realtime.errors import CloseCode
from commsite.realtime.fanout import Fanout
from commsite.realtime.limits import Limits, limits
from commsite.realtime.packet import CONTROL
from commsite.realtime.registry import Fact, delivery_of, history_of
from commsite.realtime.threads import in_thread
from commsite.realtime.topic import Topic, shard_of
from commsite.realtime.wheel import Wheel

if TYPE_CHECKING:
    from commsite.realtime.user_socket import UserSocket

logger = logging.getLogger(__name__)

CENSUS_EVERY = 10
"""Ticks between full reports of this process's users."""
HISTORY_MAX = 1 << 62
FREEZE_S = 5.0
"""A tick that is this late means that the whole process stood still."""
START_PATIENCE_S = 5.0
"""How long a start waits for the other processes; without them it serves, but is not ready."""
LAG_LIMIT_S = 2.0
"""An event loop that is this late is overloaded; readiness says so."""

ControlHandler = Callable[[dict[str, Any]], None]
control_handlers: dict[str, list[ControlHandler]] = {}
gap_handlers: list[Callable[[], None]] = []
stop_handlers: list[Callable[[], Coroutine[Any, Any, None]]] = []
announced_handlers: dict[str, list[Callable[[str, int | None], None]]] = {}
heard_handlers: dict[str, list[Callable[[Announcement], None]]] = {}


def node_name() -> str:
    """A name that no other process has: host, process id, and chance."""
    return f"{network.gethostname()}.{os.getpid()}.{secrets.token_hex(3)}"


async def fill_from_history(topic: str, after: int, upto: int | None) -> list[Announcement] | None:
    """Reads must events of a topic from the database, as announcements; None when it cannot be read now."""
    parsed = Topic.parse(topic)
    reader = history_of(parsed.kind)
    if reader is None:
        return []
    try:
        facts = await in_thread(reader, parsed.id, after, HISTORY_MAX if upto is None else upto)
    except Exception:
        logger.exception("history of %s could not be read", topic)
        return None
    return [as_announcement(topic, fact) for fact in facts]


def as_announcement(topic: str, fact: Fact) -> Announcement:
    """A stored fact as it was announced."""
    return Announcement(
        topic, fact.event, encode_payload(fact.payload), delivery_of(fact.event), fact.seq
    )


class Hub:
    """All that is alive in this process. Event loop only, but for the constructor."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.node = ""
        self._reset()

    def _reset(self) -> None:
        self.wheel = Wheel()
        self.deadlines = Deadlines(self.wheel)
        self.census = Census()
        self.fanout = Fanout(
            lambda topic: history_of(Topic.parse(topic).kind) is not None, fill_from_history
        )
        self.by_id: dict[str, UserSocket] = {}
        self._by_user: dict[int, dict[str, UserSocket]] = {}
        self.admission = Admission()
        self._changed_users: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.lag_s = 0.0
        self._is_stopping = False
        self._starting: asyncio.Task[None] | None = None

    @property
    def is_draining(self) -> bool:
        """True once this process is on its way out."""
        return self.admission.is_draining

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return limits()

    # -- start and stop

    async def start(self) -> None:
        """Starts once per event loop; later calls wait for the first. Apps start themselves on "hub_started"."""
        loop = asyncio.get_running_loop()
        if self.loop is not loop:
            self._reset()
            self.loop = loop
            self.node = settings.REALTIME.get("NODE") or node_name()
            self.backplane = Backplane(self.node, int(time.time() * 1000), self)
            self._starting = loop.create_task(self._start())
        if self._starting is not None and not self._starting.done():
            await asyncio.shield(self._starting)

    async def _start(self) -> None:
        self.spawn(self._tick_forever())
        joining = self.spawn(self._join_others())
        await asyncio.wait({joining}, timeout=START_PATIENCE_S)
        for name, read in self._gauges().items():
            telemetry.gauge(name, read)
        telemetry.emit("hub_started", hub=self)

    async def _join_others(self) -> None:
        await self.backplane.start()
        self._report_users(is_full=True)

    def _gauges(self) -> dict[str, Callable[[], float]]:
        return {
            "sockets": lambda: len(self.by_id),
            "users": lambda: len(self._by_user),
            "topics": lambda: len(self.fanout.topics),
            "handshakes": lambda: self.admission.handshakes,
            "outbox_bytes": lambda: sum(
                socket.outbox.queued_bytes for socket in self.by_id.values()
            ),
            "event_loop_lag_seconds": lambda: self.lag_s,
            "draining": lambda: float(self.is_draining),
            "redis_links": lambda: self.backplane.links,
            "peers": lambda: len(self.census.nodes),
        }

    async def stop(self) -> None:
        """Ends everything that runs here. Sockets should have been drained before."""
        if self.loop is not asyncio.get_running_loop():
            return
        telemetry.emit("hub_stopping", hub=self)
        self._is_stopping = True
        for handler in stop_handlers:  # while the others can still be told
            await asyncio.wait({self.spawn(handler())})
        self.control("census_gone", {"node": self.node})
        await self.backplane.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.loop = None

    async def drain(self) -> None:
        """Leaves in good order: no new sockets, `closing` to each, close 1012 in jittered batches within `drain_s`."""
        if self.is_draining:
            return
        self.admission.is_draining = True
        sockets = list(self.by_id.values())
        random.shuffle(sockets)
        size = max(1, self.limits.drain_batch)
        batches = [sockets[at : at + size] for at in range(0, len(sockets), size)]
        pause_s = self.limits.drain_s / max(1, len(batches))
        for number, batch in enumerate(batches, 1):
            for socket in batch:
                socket.close(CloseCode.RESTARTING, "restarting", random.randint(100, 2000))  # noqa: S311  jitter
            if number < len(batches):
                await asyncio.sleep(random.uniform(0.5, 1.0) * pause_s)  # noqa: S311  jitter
        logger.info("drained %s sockets", len(sockets))

    def readiness(self) -> str | None:
        """None when this process should get new clients, else the reason why not."""
        if self.is_draining:
            return "draining"
        if len(self.by_id) >= self.limits.sockets_per_process and not self.limits.bench:
            return "connection_limit"
        if self.lag_s > LAG_LIMIT_S or (self.loop is not None and not self.backplane.is_ready):
            return "overloaded"
        return None

    # -- sockets

    def admit(self, identity: Identity, address: str) -> None:
        """Raises Refused when one more socket of this user, address or process is too many, or comes too early."""
        mine = len(self._by_user.get(identity.user_id, ())) + self.census.elsewhere(
            identity.user_id
        )
        self.admission.admit(identity, address, of_user=mine, of_process=len(self.by_id))

    def add(self, socket: "UserSocket") -> None:
        """Takes a socket that was accepted."""
        self.by_id[socket.id] = socket
        self._by_user.setdefault(socket.identity.user_id, {})[socket.id] = socket
        self.admission.came(socket.context.address)
        self._user_changed(socket.identity.user_id)
        self.deadlines.watch_expiry(socket)
        telemetry.emit("socket_opened", socket=socket)

    def remove(self, socket: "UserSocket", code: int) -> None:
        """Forgets a socket that is gone; harmless when it was forgotten before."""
        if self.by_id.pop(socket.id, None) is None:
            return
        socket.end()
        socket.outbox.discard()
        mine = self._by_user.get(socket.identity.user_id, {})
        mine.pop(socket.id, None)
        if not mine:
            self._by_user.pop(socket.identity.user_id, None)
        self.admission.went(socket.context.address)
        self._user_changed(socket.identity.user_id)
        telemetry.emit("socket_closed", socket=socket, code=code)

    def sockets(self) -> Iterable["UserSocket"]:
        """The live sockets of this process."""
        return list(self.by_id.values())

    def sockets_of(self, user_id: int) -> list["UserSocket"]:
        """The live sockets of one user in this process."""
        return list(self._by_user.get(user_id, {}).values())

    def disconnect(
        self,
        *,
        session_id: str | None = None,
        user_id: int | None = None,
        connection_id: str | None = None,
        code: CloseCode,
        reason: str,
    ) -> int:
        """Closes the sockets here that match everything given; returns how many."""
        candidates = self.sockets() if user_id is None else self.sockets_of(user_id)
        closed = 0
        for socket in candidates:
            if session_id is not None and socket.identity.session_id != session_id:
                continue
            if connection_id is not None and socket.id != connection_id:
                continue
            socket.close(code, reason)
            closed += 1
        return closed

    def eject(
        self,
        topic: str,
        user_id: int,
        event: str | None = None,
        payload: dict[str, Any] | None = None,
    ) -> int:
        """Takes a topic from a user's sockets here: an optional last event, then `phx_close`.

        Returns how many lost it.
        """
        return sum(socket.stop_topic(topic, event, payload) for socket in self.sockets_of(user_id))

    # -- time

    async def _tick_forever(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + TICK_S
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.lag_s = max(0.0, loop.time() - due)
            if self.lag_s > FREEZE_S:  # we were stopped, not the clients: their time does not count
                due = loop.time()
            while due <= loop.time():
                due += TICK_S
                for action in self.wheel.advance():
                    self._run(action)
            telemetry.emit("ticked")
            self._run(self._housekeep)

    @staticmethod
    def _run(action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            logger.exception("a deadline could not be kept")

    def _housekeep(self) -> None:
        if self.wheel.tick % CENSUS_EVERY:
            return
        now = time.monotonic()
        self.admission.forget_past()
        self._report_users(is_full=True)
        for node in self.census.expire(now):
            self.backplane.forget(node)
            telemetry.emit("node_lost", node=node)
        self.backplane.tend({shard_of(topic) for topic in self.fanout.topics})

    # -- other processes

    def is_subscribed(self, topic: str) -> bool:
        """True when announcements of other processes on this topic reach this one."""
        return self.backplane.is_subscribed(shard_of(topic))

    async def subscribe(self, topic: str) -> None:
        """Waits until they do."""
        await self.backplane.subscribe(shard_of(topic))

    def announce(self, announcement: Announcement) -> None:
        """Delivers here and sends to the others."""
        self.fanout.accept(announcement)
        self.backplane.announce(announcement)
        for handler in announced_handlers.get(announcement.event, ()):
            self._run(partial(handler, announcement.topic, announcement.seq))

    def control(self, kind: str, payload: dict[str, Any]) -> None:
        """Handles a control message here and sends it to the others."""
        self.on_control_message(kind, payload)
        self.backplane.control(kind, payload)

    def on_announcement(self, announcement: Announcement) -> None:
        """From another process."""
        self.fanout.accept(announcement)
        for handler in heard_handlers.get(announcement.event, ()):
            self._run(partial(handler, announcement))

    def on_control_message(self, kind: str, payload: dict[str, Any]) -> None:
        """From this process or another."""
        if kind.startswith("census"):
            self._on_census(kind, payload)
            return
        for handler in control_handlers.get(kind, ()):
            self._run(partial(handler, payload))

    def on_missed(self, shard: int) -> None:
        """Something of another process was lost: must events and revocations are read again."""
        if shard == CONTROL:
            for handler in gap_handlers:
                self._run(handler)
        else:
            self.fanout.resync(lambda topic: shard_of(topic) == shard)

    def _on_census(self, kind: str, payload: dict[str, Any]) -> None:
        node = payload["node"]
        if node == self.node:
            return
        if kind == "census_gone":
            self.census.forget(node)
            self.backplane.forget(node)
            return
        is_new = node not in self.census.nodes
        counts = {int(user_id): number for user_id, number in payload["counts"].items()}
        self.census.report(node, counts, time.monotonic(), is_full=payload["full"])
        if is_new:
            self._report_users(is_full=True)

    def _user_changed(self, user_id: int) -> None:
        if self.backplane.is_alone:
            return
        if not self._changed_users:
            asyncio.get_running_loop().call_soon(self._report_users)
        self._changed_users.add(user_id)

    def _report_users(self, *, is_full: bool = False) -> None:
        if self.backplane.is_alone or self._is_stopping:  # "gone" is the last word
            return
        users = self._by_user if is_full else self._changed_users
        counts = {str(user_id): len(self._by_user.get(user_id, ())) for user_id in users}
        self._changed_users = set()
        self.backplane.control("census", {"node": self.node, "counts": counts, "full": is_full})

    # -- tasks

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Runs `work` in a task that this hub keeps and ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the hub failed", exc_info=task.exception())


hub = Hub()
