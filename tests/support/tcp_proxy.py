"""A TCP relay before a server: the wire between the two can be cut, go dead without a word, and heal.

It has a thread and an event loop of its own, so that it relays while a test waits for something.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Literal, Self

from tests.support.deadline import PATIENCE_S
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

Direction = Literal["there", "back"]
BOTH: tuple[Direction, Direction] = ("there", "back")
RESET = struct.pack("ii", 1, 0)
CHUNK = 65_536


class _Wire:
    """One connection through the relay. Bytes pass where its gate is open; else they wait, and nobody is told."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.ends = (near, far)
        self.gates = {direction: asyncio.Event() for direction in BOTH}
        self.is_dead = False

    def open(self, directions: Iterable[Direction]) -> None:
        for direction, gate in self.gates.items():
            if direction in directions and not self.is_dead:
                gate.set()
            else:
                gate.clear()

    async def carry(
        self, direction: Direction, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                await self.gates[direction].wait()
                sink.write(data)
                await sink.drain()
        await self.gates[direction].wait()  # an end is news, too
        self.end()

    def end(self, *, with_reset: bool = False) -> None:
        for writer in self.ends:
            link: socket.socket | None = writer.get_extra_info("socket")
            if with_reset and link is not None and link.fileno() >= 0:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class TcpProxy:
    """Relays `port` to `target_port` on this machine. Use as a context manager; its verbs are for any thread."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._wires: dict[_Wire, list[asyncio.Task[None]]] = {}
        self._passing: tuple[Direction, ...] = BOTH

    def cut(self) -> None:
        """Every connection is reset, new ones are refused."""
        self._do(self._close())

    def hold(self, *directions: Direction) -> None:
        """A black hole, in both directions or the given ones: nothing passes, nothing is refused, nobody is told."""
        held = directions or BOTH
        self._do(self._let(tuple(each for each in BOTH if each not in held)))

    def heal(self) -> None:
        """Everything passes again; what was held arrives late."""
        self._do(self._open())

    def heal_for_new(self) -> None:
        """New connections pass. Those that were held stay dead and are never told, as after a failover."""
        self._do(self._forget())

    # -- on the loop

    async def _let(self, directions: tuple[Direction, ...]) -> None:
        self._passing = directions
        for wire in self._wires:
            wire.open(directions)

    async def _forget(self) -> None:
        for wire in self._wires:
            wire.is_dead = True
        await self._let(BOTH)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for wire in list(self._wires):
            wire.end(with_reset=True)

    async def _open(self) -> None:
        await self._let(BOTH)
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        wire = _Wire(writer, far_writer)
        wire.open(self._passing)
        self._wires[wire] = [
            self._loop.create_task(wire.carry("there", reader, far_writer)),
            self._loop.create_task(wire.carry("back", far_reader, writer)),
        ]

    # -- the thread

    def _do(self, work: Coroutine[None, None, None]) -> None:
        """Runs it on the loop and waits until it is done."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def __enter__(self) -> Self:
        self._thread.start()
        self.heal()
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            await self._close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
