"""How much CPU an answer of 10,000 chunks costs between the model's server and the run, beside other clients; and how
soon the server of a cancelled answer sees its connection closed.

    python -m bench.assistant [--chunks 10000] [--rounds 5] [--pace 0] [--cancels 50] [--write]

The server is a process of its own, pinned to another core, and writes each chunk by itself. What is counted is the CPU
of the client's process: user and system, sockets included. Clients take turns. `--pace` puts microseconds between
two chunks, so that each comes alone and costs a turn of the loop; the claim is about an answer at full speed.

- `commsite`: the backend as runs use it, `answer(OpenAIBackend(...))`, to AG-UI events
- `httpx2-sse`: httpx2's EventSource and `json.loads`: what one would write without us
- `httpx2-lines`: httpx2's `aiter_lines` and `json.loads`
- `openai`: the client of that name, if it is there:
  `pip install --target .state/openai openai==3.54.0`, then with `PYTHONPATH=.state/openai`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import django
import httpx2
import uvloop

from bench import dated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from multiprocessing.connection import Connection

    Client = Callable[[str], Awaitable[int]]

WORDS = ("The ", "quick ", "brown ", "fox ", "jümps ", "over ", "the ", "lazy ", "dog. ", "🙂 ")
CLAIM_S = 0.3
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY: dict[str, Any] = {
    "model": "bench",
    "messages": [{"role": "user", "content": "Go."}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


# ---- The server: its own process ------------------------------------------------------------------


def frames(chunks: int) -> list[bytes]:
    """The answer as OpenAI's own server frames it, with all the fields that nobody reads."""
    base = {"id": "chatcmpl-0123456789", "object": "chat.completion.chunk", "created": 1767225600}
    base |= {"model": "bench", "system_fingerprint": "fp_0123456789"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": WORDS[number % len(WORDS)]} for number in range(chunks)]
    choices: list[list[dict[str, Any]]] = [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}] for delta in deltas
    ]
    choices.append([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}])
    events = [json.dumps(base | {"choices": choice, "usage": None}) for choice in choices]
    tokens = {"prompt_tokens": 9, "completion_tokens": chunks, "total_tokens": chunks + 9}
    events.append(json.dumps(base | {"choices": [], "usage": tokens}))
    events.append("[DONE]")
    data = [f"data: {event}\n\n".encode() for event in events]
    return [b"%x\r\n%b\r\n" % (len(part), part) for part in data]


def serve(chunks: int, pace_us: int, told: Connection, core: int | None) -> None:
    """Answers every request with the same stream, until the process is ended."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    parts = frames(chunks)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                if b'"endless"' in await take_request(reader):
                    told.send(await stream_until_gone(reader, writer, parts))
                else:
                    await stream(writer, parts, pace_us)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def take_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    return await reader.readexactly(length)


async def stream_until_gone(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parts: list[bytes]
) -> int:
    """50 tokens a second for as long as somebody listens; returns when nobody did any more, in monotonic ns."""

    async def until_gone() -> int:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        return time.monotonic_ns()

    gone = asyncio.ensure_future(until_gone())
    writer.write(HEAD)
    for part in itertools.cycle(parts[1:9]):
        writer.write(part)
        if (await asyncio.wait({gone}, timeout=0.02))[0]:
            break
    return gone.result()


async def stream(writer: asyncio.StreamWriter, parts: list[bytes], pace_us: int) -> None:
    writer.write(HEAD)
    for part in parts:
        writer.write(part)
        await writer.drain()
        end = time.perf_counter_ns() + pace_us * 1000
        while pace_us and time.perf_counter_ns() < end:
            pass
    writer.write(b"0\r\n\r\n")
    await writer.drain()


# ---- The clients: each returns how many characters it got -----------------------------------------


async def commsite(url: str) -> int:
    async with aclosing(answer_from(url, "bench")) as events:
        return sum([len(event["delta"]) async for event in events if "delta" in event])


def answer_from(url: str, model: str) -> AsyncGenerator[dict[str, Any]]:
    """The events that a run would get."""
    from conversation.assistant.backend import answer  # noqa: PLC0415  Django must be set up
    from conversation.assistant.job import Job, ToolCall, Turn, Verdict  # noqa: PLC0415
    from conversation.assistant.model_server import server_of  # noqa: PLC0415
    from conversation.assistant.openai_backend import OpenAIBackend  # noqa: PLC0415

    async def approve(call: ToolCall) -> Verdict:
        return Verdict(approved=False)

    job = Job(
        run_id="1",
        message_id="1",
        conversation_id="1",
        user_id=1,
        username="bench",
        turns=[Turn(role="user", content="Go.")],
        approve=approve,
    )
    return answer(OpenAIBackend(server_of(url, ""), model), job)


async def httpx2_sse(url: str) -> int:
    chars = 0
    async with (
        httpx2.AsyncClient() as client,
        client.stream("POST", f"{url}/chat/completions", json=BODY) as response,
    ):
        async for event in httpx2.EventSource(response):
            chars += _chars(event.data)
    return chars


async def httpx2_lines(url: str) -> int:
    chars = 0
    async with (
        httpx2.AsyncClient() as client,
        client.stream("POST", f"{url}/chat/completions", json=BODY) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                chars += _chars(line[6:])
    return chars


async def openai(url: str) -> int:
    from openai import AsyncOpenAI  # noqa: PLC0415  may not be installed

    chars = 0
    async with AsyncOpenAI(base_url=url, api_key="none") as client:
        stream = await client.chat.completions.create(**BODY)
        async for chunk in stream:
            if chunk.choices:
                chars += len(chunk.choices[0].delta.content or "")
    return chars


def _chars(data: str) -> int:
    if data == "[DONE]":
        return 0
    choices = json.loads(data)["choices"]
    return len(choices[0]["delta"].get("content") or "") if choices else 0


# ---- The run --------------------------------------------------------------------------------------


async def measure(client: Client, url: str, expected: int) -> tuple[float, float]:
    """CPU and wall seconds of one answer. Raises RuntimeError when a character is missing."""
    cpu, start = time.process_time(), time.perf_counter()
    chars = await client(url)
    took = time.process_time() - cpu, time.perf_counter() - start
    if chars != expected:
        raise RuntimeError(f"{client.__name__} got {chars} characters of {expected}")
    return took


async def run(options: argparse.Namespace, url: str) -> dict[str, list[tuple[float, float]]]:
    """Rounds in which the clients take turns, after one that warms up."""
    clients: list[Client] = [commsite, httpx2_sse, httpx2_lines]
    if importlib.util.find_spec("openai") is not None:
        clients.append(openai)
    words = "".join(WORDS[number % len(WORDS)] for number in range(options.chunks))
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(options.rounds + 1):
        for client in clients if number % 2 else reversed(clients):
            sample = await measure(client, url, len(words))
            if number:
                found.setdefault(client.__name__.replace("_", "-"), []).append(sample)
    return found


async def cancel_often(url: str, times: int, told: Connection) -> list[float]:
    """Milliseconds from the cancel of an answer under way to the end of its connection at the server, each time."""
    found = []
    for _ in range(times):
        has_begun = asyncio.Event()

        async def read(has_begun: asyncio.Event = has_begun) -> None:
            async with aclosing(answer_from(url, "endless")) as events:
                async for event in events:
                    if event["type"] == "TEXT_MESSAGE_CONTENT":
                        has_begun.set()

        reading = asyncio.create_task(read())
        await has_begun.wait()
        cancelled_at = time.monotonic_ns()
        reading.cancel()
        await asyncio.wait({reading})
        found.append((await asyncio.to_thread(told.recv) - cancelled_at) / 1e6)
    return sorted(found)


def main() -> int:
    """Prints a section; returns 1 when the claim is missed."""
    parser = argparse.ArgumentParser(description="CPU of a streamed answer, beside other clients")
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pace", type=int, default=0, help="microseconds between two chunks")
    parser.add_argument("--cancels", type=int, default=50)
    parser.add_argument("--write", action="store_true", help="put it into bench/results/<date>.md")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "commsite.settings")
    django.setup()
    cores = sorted(os.sched_getaffinity(0))
    ours, told = multiprocessing.Pipe()
    other = cores[-1] if len(cores) > 1 else None
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(options.chunks, options.pace, told, other), daemon=True
    )
    server.start()
    os.sched_setaffinity(0, {cores[0]})
    try:
        url = f"http://127.0.0.1:{ours.recv()}/v1"
        found = uvloop.run(run(options, url))
        closed = uvloop.run(cancel_often(url, options.cancels, ours))
    finally:
        server.terminate()
        server.join()
    lines, is_reached = section(found, closed, options)
    print("\n".join(lines))
    if options.write:
        dated.put(dated.path_of_today(), lines)
    return 0 if is_reached else 1


def section(
    found: dict[str, list[tuple[float, float]]], closed: list[float], options: argparse.Namespace
) -> tuple[list[str], bool]:
    """The medians, the least CPU first, and whether the claim is reached (with a pace there is none)."""
    medians = {
        name: tuple(map(statistics.median, zip(*samples, strict=True)))
        for name, samples in found.items()
    }
    own = medians["commsite"][0]
    lines = [
        "## The assistant's HTTP backend",
        "",
        f"{options.chunks:,} chunks, {options.pace} µs between two; {options.rounds} rounds.",
        "",
        "| | CPU s | wall s | µs a chunk | ÷ ours |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, (cpu, wall) in sorted(medians.items(), key=lambda item: item[1]):
        per_chunk = cpu / options.chunks * 1e6
        lines.append(f"| {name} | {cpu:.3f} | {wall:.3f} | {per_chunk:.1f} | {cpu / own:.2f} |")
    most = CLAIM_S * options.chunks / 10_000
    is_reached = options.pace > 0 or own <= most
    if not options.pace:
        verdict = "reached" if is_reached else "**not reached**"
        lines += ["", f"At most {most:.2f} s CPU: {verdict} ({own:.3f})."]
    if closed:
        p50, p99 = closed[len(closed) // 2], closed[int(len(closed) * 0.99)]
        lines += [
            "",
            f"From a cancel to the closed connection at the server: p50 {p50:.2f} ms, p99 {p99:.2f} ms.",
        ]
    return lines, is_reached


if __name__ == "__main__":
    sys.exit(main())
