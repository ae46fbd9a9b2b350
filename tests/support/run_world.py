"""Two processes, a database and readers, one step at a time in an order that a seed decides.

The engines, the writer and the actions are the real ones on the real database. What is pretended is
everything between them: a database call waits until its turn comes, an announcement waits in the
queue from one process to another, a process can die between any two steps, and then nothing of it
happens any more. Readers keep their screens as docs/protocol.md tells clients to.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import uuid
from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import transaction

from commsite.realtime.threads import in_thread
from conversation import facts, queries
from conversation.assistant import actions, approvals, beat, engine, runs, shapes, store, writer
from conversation.assistant.models import ACTIVE, Run
from conversation.assistant.schema import StartRun
from tests.support.run_viewer import Viewer
from tests.support.scripted_backend import ScriptedBackend
from tests.support.socket_client import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.scripted_backend import Writing

HERE: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
NODES = ("a", "b")
STEPS = 2_000


class Process:
    """One process: an engine, and who reads there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine = engine.Engine()
        self.is_alive = True
        self.readers: list[Reader] = []

    def inside(self, call: Callable[[], Any]) -> Any:
        """Does something in this process: whatever it sets going belongs to it."""
        context = contextvars.copy_context()
        context.run(HERE.set, self)
        return context.run(call)


class Reader:
    """One person's screen on one process; joins, reads, and fetches what it has missed."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.screens: list[Viewer] = []
        self.join()

    def join(self) -> None:
        """Subscribes; what comes is held until history was read."""
        self.viewer: Viewer | None = None
        self.held: list[tuple[str, dict[str, Any], int | None]] = []
        self.seq = 0
        self.waiting: dict[int, tuple[str, dict[str, Any]]] = {}
        self.versions: dict[str, int] = {}
        if self not in self.process.readers:
            self.process.readers.append(self)

    def drop(self) -> None:
        """The connection is lost."""
        if self in self.process.readers:
            self.process.readers.remove(self)

    async def read(self) -> None:
        """History, and what runs have said, in that order; then what was held and is not in them."""
        seq, reply = await in_thread(self._read)
        self.viewer, self.seq = Viewer(reply), seq
        self.screens.append(self.viewer)
        self.versions = {run["id"]: run["seq"] for run in reply["runs"]}
        held, self.held = self.held, []
        for event in held:
            self.take(*event)

    def _read(self) -> tuple[int, dict[str, Any]]:
        seq = queries.last_seq(self.world.room)
        return seq, {"runs": shapes.active_shapes(self.world.room)}

    def take(self, event: str, payload: dict[str, Any], seq: int | None) -> None:
        """One announcement that has come to this process."""
        if self.viewer is None:
            self.held.append((event, payload, seq))
        elif seq is not None:
            self.waiting[seq] = (event, payload)
            self._in_order()
        elif payload["seq"] > self.versions.get(payload["run_id"], -1):
            self.viewer.see(event, payload)

    def _in_order(self) -> None:
        assert self.viewer is not None
        for seq in sorted(self.waiting):
            if seq > self.seq + 1:
                return
            fact = self.waiting.pop(seq)
            if seq == self.seq + 1:
                self.seq = seq
                self.viewer.see(*fact)

    async def catch_up(self) -> None:
        """The hub fills holes from history; the client fetches runs of which it has missed events."""
        if self.viewer is None:
            return
        last = await in_thread(queries.last_seq, self.world.room)
        for fact in await in_thread(queries.facts, self.world.room, self.seq, last):
            self.waiting[fact.seq] = (fact.event, fact.payload)
        self._in_order()
        for run_id in list(self.viewer.gaps):
            fetch = partial(actions.fetch_run, self.world.room, self.world.user_id)
            run = await in_thread(fetch, uuid.UUID(run_id))
            if run["status"] in ACTIVE:
                self.viewer.load(run)
            self.viewer.gaps.discard(run_id)


class World:
    """Everything, and whose turn it is."""

    def __init__(self, room: uuid.UUID, user_id: int, seed: int) -> None:
        self.room = room
        self.user_id = user_id
        self.random = random.Random(seed)
        self.processes = [Process(name) for name in NODES]
        self.backend = ScriptedBackend()
        self.calls: list[tuple[Process, Callable[[], Any], asyncio.Future[Any]]] = []
        self.queues: dict[tuple[str, str], deque[Callable[[], None]]] = defaultdict(deque)
        self.speaker = self.processes[0]
        self.readers = [Reader(self, self.random.choice(self.processes)) for _ in range(4)]
        self.verdicts: list[Any] = []

    # -- what is pretended

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Puts the pretence in place of threads, announcements and control messages."""
        self.backend.install(monkeypatch)
        for module in (engine, writer, approvals):
            monkeypatch.setattr(module, "in_thread", self.call)
        monkeypatch.setattr(beat, "left_s", lambda *_: 0.0)
        monkeypatch.setattr(writer, "CHECKPOINT_S", self.random.choice([0.0, 1e9]))
        monkeypatch.setattr(store, "announce", self.announce)
        monkeypatch.setattr(facts, "announce_on_commit", self.announce_on_commit)
        monkeypatch.setattr(runs, "control_on_commit", self.control_on_commit)
        monkeypatch.setattr(runs, "_hosts", [runs.Host(self.node, self.launch)])

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A database call of a process: it waits for its turn, for ever when the process is dead."""
        process = HERE.get()
        assert process is not None
        turn: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.calls.append((process, partial(function, *arguments), turn))
        return await turn

    def announce(self, topic: str, event: str, payload: Any, **how: Any) -> None:
        """Told by the process that speaks; on its way to each process."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        told = msgspec.json.decode(body)
        for process in self.processes:
            take = partial(self._reach, process, event, told, how.get("seq"))
            self.queues[self.speaker.name, process.name].append(take)

    def announce_on_commit(self, *given: Any, **how: Any) -> None:
        transaction.on_commit(partial(self.announce, *given, **how))

    def control_on_commit(self, kind: str, payload: dict[str, Any]) -> None:
        assert kind == runs.RUN_ENDED_CONTROL
        transaction.on_commit(partial(self._send_stop, uuid.UUID(payload["run_id"])))

    def _send_stop(self, run_id: uuid.UUID) -> None:
        for process in self.processes:
            stop = partial(process.inside, partial(process.engine.stop, run_id))
            self.queues[self.speaker.name, process.name].append(stop)

    def _reach(
        self, process: Process, event: str, payload: dict[str, Any], seq: int | None
    ) -> None:
        for reader in process.readers:
            reader.take(event, payload, seq)

    def node(self) -> str | None:
        return self.speaker.name

    def launch(self, claim: store.Claim) -> None:
        process, loop = self.speaker, self.loop
        loop.call_soon_threadsafe(process.inside, partial(process.engine.launch, claim))

    # -- steps

    async def begin(self) -> str:
        """A run, started by way of the first process. Returns its id."""
        self.loop = asyncio.get_running_loop()
        command = StartRun(body="Why?", client_id=str(uuid.uuid4()))
        started = await self._in(
            self.processes[0], partial(actions.start_run, self.room, self.user_id, command)
        )
        self.run_id = str(started.run["id"])
        return self.run_id

    async def _in(self, process: Process, call: Callable[[], Any]) -> Any:
        """A database call whose turn it is."""
        self.speaker = process
        result = await in_thread(call)
        await settle()
        return result

    async def take_turn(self, number: int) -> None:
        """One waiting database call is made, and its process learns of the result if it lives."""
        process, call, turn = self.calls.pop(number)
        if turn.cancelled() or not process.is_alive:
            return
        self.speaker = process
        try:
            result = await in_thread(call)
        except Exception as error:
            if not turn.done():
                turn.set_exception(error)
        else:
            if not turn.done():
                turn.set_result(result)
        await settle()

    async def deliver(self, route: tuple[str, str]) -> None:
        """What waits longest on the way from one process to another arrives."""
        arrive = self.queues[route].popleft()
        if self._process(route[1]).is_alive:
            arrive()
        await settle()

    def kill(self, process: Process) -> None:
        """`kill -9`: what it has not sent is lost, what it waits for never comes, its readers drop."""
        process.is_alive = False
        for route in list(self.queues):
            if process.name in route:
                self.queues.pop(route)
        for reader in list(process.readers):
            reader.drop()

    async def cancel(self, process: Process) -> None:
        """Somebody stops the run by way of this process."""
        cancel = partial(actions.cancel_run, self.room, self.user_id, uuid.UUID(self.run_id))
        self.verdicts.append(await self._in(process, cancel))

    async def expire(self) -> None:
        """Time goes by: the lease of the run is over, whether its process is dead or only slow."""
        past = partial(Run.objects.filter(status="running").update, lease_until="2020-01-01T00:00Z")
        await in_thread(past)

    def sweep(self, process: Process) -> None:
        """A process looks for runs whose process is dead."""
        process.inside(lambda: asyncio.ensure_future(process.engine._sweep()))

    def renew(self, process: Process) -> None:
        """A process says that it lives."""
        if process.engine._claims:
            process.inside(lambda: asyncio.ensure_future(process.engine._renew()))

    def _process(self, name: str) -> Process:
        return next(process for process in self.processes if process.name == name)

    @property
    def alive(self) -> list[Process]:
        """The processes that live."""
        return [process for process in self.processes if process.is_alive]

    @property
    def routes(self) -> list[tuple[str, str]]:
        """On which something is on its way."""
        return [route for route, queue in self.queues.items() if queue]

    async def step(self) -> bool:
        """Anything that can happen by itself; False when nothing can."""
        calls = [
            number
            for number, (process, _, turn) in enumerate(self.calls)
            if process.is_alive and not turn.cancelled()
        ]
        reads = [reader for reader in self.readers if reader.viewer is None and self._is_in(reader)]
        routes = self.routes
        what = self.random.choice(
            [*["call"] * len(calls), *["read"] * len(reads), *["go"] * len(routes), ""]
        )
        if what == "call":
            await self.take_turn(self.random.choice(calls))
        elif what == "read":
            await self.random.choice(reads).read()
        elif what == "go":
            await self.deliver(self.random.choice(routes))
        return bool(calls or reads or routes)

    def _is_in(self, reader: Reader) -> bool:
        return reader in reader.process.readers

    async def quiet(self) -> None:
        """Lets everything happen that can."""
        await settle()
        for _ in range(STEPS):
            if not await self.step():
                return
        raise AssertionError("it never comes to rest")

    def move(self, reader: Reader) -> None:
        """A reader comes back, to a process that lives."""
        reader.drop()
        reader.process = self.random.choice(self.alive)
        reader.join()

    @property
    def writing(self) -> Writing | None:
        """What the backend writes, once it was asked."""
        return self.backend.writings[-1] if self.backend.writings else None
