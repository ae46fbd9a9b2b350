"""A server of models, as far as a client can tell: real TCP, HTTP/1.1, chunked events, and every bad habit."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    Script = Callable[["Exchange"], Awaitable[None]]

EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


def content(text: str, **choice: Any) -> dict[str, Any]:
    """A chunk that adds text."""
    return {"choices": [{"index": 0, "delta": {"content": text}, **choice}]}


def finish(reason: str = "stop") -> dict[str, Any]:
    """The chunk that says why it ends."""
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def usage(given: int, made: int) -> dict[str, Any]:
    """The last chunk, as `include_usage` brings it."""
    return {"choices": [], "usage": {"prompt_tokens": given, "completion_tokens": made}}


def call(index: int | None = 0, **function: Any) -> dict[str, Any]:
    """A piece of a tool call; `id` belongs to the call, all else to its function."""
    piece: dict[str, Any] = {"type": "function"}
    if index is not None:
        piece["index"] = index
    if "id" in function:
        piece["id"] = function.pop("id")
    piece["function"] = function
    return {"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]}


class Exchange:
    """One request, and how it is answered; without a reader, not the last one of its connection."""

    def __init__(
        self,
        head: str,
        body: bytes,
        reader: asyncio.StreamReader | None,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.head = head
        self.body: dict[str, Any] = json.loads(body)
        self.gone = asyncio.Event()
        """Set when the client has closed the connection."""
        self._writer = writer
        self._watch = None if reader is None else asyncio.ensure_future(self._until_gone(reader))

    async def _until_gone(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            await reader.read()
        self.gone.set()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What the model is given."""
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    async def begin(self, status: str = "200 OK", **headers: str) -> None:
        """The head of a chunked answer; `Retry_After="1"` is a header too."""
        lines = {"Transfer-Encoding": "chunked", **EVENT_STREAM}
        lines["Connection"] = "keep-alive" if self._watch is None else "close"
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode())
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        """One chunk of the body, as it is."""
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def say(self, *chunks: dict[str, Any] | str) -> None:
        """Each chunk as one event in a TCP write of its own."""
        for chunk in chunks:
            data = chunk if isinstance(chunk, str) else json.dumps(chunk)
            await self.send(f"data: {data}\n\n".encode())

    async def end(self) -> None:
        """The body's good end."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def refuse(self, status: str, body: Any = None, **headers: str) -> None:
        """An answer that is no stream."""
        await self.begin(status, Content_Type="application/json", **headers)
        await self.send(json.dumps(body).encode())
        await self.end()

    async def close(self) -> None:
        """The connection goes away, whatever was promised."""
        if self._watch is not None:
            self._watch.cancel()
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class ModelServer:
    """`async with ModelServer(script, script)`: each request gets the next script, the last one all further.

    `port` is one that is free, for sites that live longer than this. With `keeps_alive` a connection carries any
    number of requests, and nobody sees it go.
    """

    def __init__(self, *scripts: Script, keeps_alive: bool = False, port: int = 0) -> None:
        self.port = port
        self._scripts = list(scripts)
        self._keeps_alive = keeps_alive
        self.connections = 0
        self.exchanges: list[Exchange] = []
        self.was_asked = asyncio.Event()
        """Set when the first request is there."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> ModelServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:  # also those that nobody came to serve
            writer.close()
        if error is None and self._failures:
            raise self._failures[0]

    @property
    def url(self) -> str:
        """What ASSISTANT_BASE_URL would be."""
        return f"http://127.0.0.1:{self.port}/v1"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._serve_one(reader, writer):
                pass
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        length = next(
            int(line.partition(":")[2])
            for line in head.lower().splitlines()
            if line.startswith("content-length:")
        )
        body = await reader.readexactly(length)
        exchange = Exchange(head, body, None if self._keeps_alive else reader, writer)
        script = self._scripts[min(len(self.exchanges), len(self._scripts) - 1)]
        self.exchanges.append(exchange)
        self.was_asked.set()
        try:
            await script(exchange)
        except ConnectionError:
            exchange.gone.set()  # the client went away in the middle
        except AssertionError as error:
            self._failures.append(error)
        finally:
            if not self._keeps_alive:
                await exchange.close()
        return self._keeps_alive


def says(*chunks: dict[str, Any] | str, done: bool = True) -> Script:
    """Answers with these chunks, and with [DONE] and a good end."""

    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say(*chunks)
        if done:
            await exchange.say("[DONE]")
        await exchange.end()

    return script


def refuses(status: str, body: Any = None, **headers: str) -> Script:
    """Answers with an error."""

    async def script(exchange: Exchange) -> None:
        await exchange.refuse(status, body, **headers)

    return script


async def hangs(exchange: Exchange) -> None:
    """Takes the request and says nothing."""
    await exchange.gone.wait()


def falls_silent_after(*chunks: dict[str, Any]) -> Script:
    """Begins well, then says nothing more."""

    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say(*chunks)
        await exchange.gone.wait()

    return script


def drops_after(*chunks: dict[str, Any]) -> Script:
    """Begins well, then cuts the connection without the end of the body."""

    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say(*chunks)

    return script
