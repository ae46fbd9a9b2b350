"""The official npm `phoenix` client in a Node process of its own, driven by `tests/clients_js`."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.deadline import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = Path(__file__).resolve().parents[1] / "clients_js"
VERSIONS = ("phoenix1616", "phoenix1721", "phoenix1815", "phoenix1816")
Event = dict[str, Any]


def as_bytes(content: bytes) -> dict[str, str]:
    """`content` as the driver writes an ArrayBuffer."""
    return {"$bytes": base64.b64encode(content).decode()}


class PhoenixJs:
    """One Node process with one version of the client; any number of sockets and channels in it.

    Everything that happens is kept in `events`, in order; a test waits for what it expects.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.events: list[Event] = []
        self._process: asyncio.subprocess.Process | None = None
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            "driver.cjs",
            self.version,
            cwd=CLIENTS,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._reader is not None
        self._process.stdin.close()
        await self._process.stdin.wait_closed()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader

    async def open(self, socket: str, url: str, *, transport: str, **facts: Any) -> None:
        """Makes a Socket and connects it; `facts` are `params`, `authToken` and `options`."""
        await self._do("open", socket=socket, url=_ws(url), transport=transport, **facts)

    async def opened(self, socket: str, *, times: int = 1) -> Event:
        """Waits until the socket has opened for the `times`-th time."""
        return (await self.wait_for("socket_open", times=times, socket=socket))[-1]

    async def join(self, socket: str, channel: str, topic: str, **params: Any) -> Event:
        """Joins; returns the first answer, {status, response}."""
        return await self._do("join", socket=socket, channel=channel, topic=topic, params=params)

    async def present(self, socket: str, channel: str, topic: str) -> Event:
        """Joins with the client's own Presence class on the channel; returns the answer, {status, response}."""
        return await self._do("present", socket=socket, channel=channel, topic=topic)

    async def shown(self, channel: str, people: int, **of_one: Any) -> list[str]:
        """Waits until Presence shows so many keys, one of them with a meta like `of_one`; returns the keys."""

        def last() -> dict[str, list[dict[str, Any]]]:
            lists = self.heard("presence_list", channel=channel)
            return lists[-1]["shown"] if lists else {}

        def is_so() -> bool:
            metas = [meta for each in last().values() for meta in each]
            return len(last()) == people and (
                not of_one or any(of_one.items() <= meta.items() for meta in metas)
            )

        await self._until(is_so, f"{people} people with {of_one}")
        return sorted(last())

    async def start_joining(
        self, socket: str, channel: str, topic: str, **params: Any
    ) -> asyncio.Task[Event]:
        """Joins without waiting for the answer, which is what the returned task ends with."""
        joining = asyncio.create_task(self.join(socket, channel, topic, **params))
        await self.ping(socket)  # the driver works in order: the join is sent by now
        return joining

    async def push(self, channel: str, event: str, payload: Any) -> Event:
        """Pushes and returns the reply, {status, response}."""
        return await self._do("push", channel=channel, event=event, payload=payload)

    async def push_without_waiting(self, channel: str, event: str, payload: Any) -> None:
        """Pushes what gets no reply."""
        await self._send({"id": 0, "do": "push", "channel": channel, "event": event,
                          "payload": payload})  # fmt: skip

    async def leave(self, channel: str) -> Event:
        """Leaves and returns the reply."""
        return await self._do("leave", channel=channel)

    async def ping(self, socket: str) -> float | None:
        """Sends an explicit heartbeat; the round trip in ms, None when the socket is not open."""
        rtt: float | None = (await self._do("ping", socket=socket))["rtt"]
        return rtt

    async def is_healthy(self, socket: str) -> bool:
        """Whether the client has found its first transport good, so that it will fall back to no other."""
        found: bool = await self._do("healthy", socket=socket)
        return found

    async def cut(self, socket: str) -> None:
        """Breaks the WebSocket without a close frame."""
        await self._do("cut", socket=socket)

    async def close(self, socket: str) -> None:
        """Closes the socket for good."""
        await self._do("close", socket=socket)

    def heard(self, event: str, **facts: Any) -> list[Event]:
        """What has happened so far of this kind, in order."""
        return [e for e in self.events if e["event"] == event and facts.items() <= e.items()]

    def messages(self, channel: str, name: str) -> list[Any]:
        """The payloads of one event that a channel got so far, in order."""
        return [e["payload"] for e in self.heard("message", channel=channel, name=name)]

    async def wait_for(self, event: str, *, times: int = 1, **facts: Any) -> list[Event]:
        """Waits until this has happened `times` times; returns all of them."""
        await self._until(lambda: len(self.heard(event, **facts)) >= times, f"{event} {facts}")
        return self.heard(event, **facts)

    async def wait_for_messages(self, channel: str, name: str, count: int) -> list[Any]:
        """Waits until the channel has got `count` of these; returns all their payloads."""
        await self.wait_for("message", times=count, channel=channel, name=name)
        return self.messages(channel, name)

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                await self._news.wait_for(is_so)
        except TimeoutError:
            tail = "\n".join(json.dumps(event)[:300] for event in self.events[-30:])
            raise AssertionError(f"{self.version} never saw {what}; it saw:\n{tail}") from None

    async def _do(self, verb: str, **facts: Any) -> Any:
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._send({"id": number, "do": verb, **facts})
        try:
            return await asyncio.wait_for(answer, PATIENCE_S)
        except TimeoutError:
            tail = "\n".join(json.dumps(event)[:300] for event in self.events[-30:])
            raise AssertionError(f"no answer to {verb} {facts}; it saw:\n{tail}") from None

    async def _send(self, command: Event) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            await self._take(json.loads(line))

    async def _take(self, said: Event) -> None:
        if "event" in said:
            async with self._news:
                self.events.append(said)
                self._news.notify_all()
            return
        answer = self._answers.pop(said["id"], None)
        if answer is None or answer.done():
            return
        if "error" in said:
            answer.set_exception(RuntimeError(said["error"]))
        else:
            answer.set_result(said["result"])


def _ws(url: str) -> str:
    return url.replace("http", "ws", 1)
