"""The plain upgrade is answered by us, everything else by the library, and a client sees no difference."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from commsite.server.uvicorn_transport import TransportProtocol
from commsite.server.uvicorn_upgrade import UpgradeProtocol, plain_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = base64.b64encode(b"k" * 16)
PLAIN = {
    b"upgrade": b"WebSocket",
    b"connection": b"keep-alive, Upgrade",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": KEY,
}


def scope(headers: dict[bytes, bytes], method: str = "GET") -> dict[str, Any]:
    return {"method": method, "headers": list(headers.items())}


def test_a_plain_request_is_recognised() -> None:
    assert plain_key(scope(PLAIN)) == KEY.decode()


@pytest.mark.parametrize(
    "other",
    [
        {b"sec-websocket-version": b"8"},
        {b"sec-websocket-key": b"short"},
        {b"sec-websocket-key": b"*" * 24},
        {b"connection": b"keep-alive"},
        {b"upgrade": b"h2c"},
    ],
    ids=str,
)
def test_whatever_is_unusual_is_left_to_the_library(other: dict[bytes, bytes]) -> None:
    assert plain_key(scope(PLAIN | other)) is None


def test_a_header_that_comes_twice_is_left_to_the_library() -> None:
    twice = scope(PLAIN)
    twice["headers"].append((b"sec-websocket-key", KEY))

    assert plain_key(twice) is None
    assert plain_key(scope(PLAIN, "POST")) is None


async def application(
    started: asyncio.Event, scope: dict[str, Any], receive: Any, send: Any
) -> None:
    await receive()
    started.set()
    if scope["path"] == "/refused":
        await send({"type": "websocket.close"})
        return
    if scope["path"] == "/busy":
        headers = [(b"retry-after", b"5")]
        await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"busy"})
        return
    if scope["path"] == "/later":
        protocol = scope["extensions"]["commsite.transport"]._protocol
        while not protocol.early:  # noqa: ASYNC110  until the client was hasty
            await asyncio.sleep(0)
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
    await send(
        {"type": "websocket.send", "text": f"{scope['path']}?{scope['query_string'].decode()}"}
    )
    message = await receive()
    while message["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
        message = await receive()


@pytest.fixture
async def started() -> asyncio.Event:
    """Set once the application serves a connection."""
    return asyncio.Event()


@pytest.fixture
async def port(started: asyncio.Event) -> AsyncIterator[int]:
    server = uvicorn.Server(
        uvicorn.Config(
            partial(application, started),
            port=0,
            interface="asgi3",
            http=UpgradeProtocol,
            ws=TransportProtocol,
            log_config=None,
            lifespan="off",
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def test_a_client_talks_as_with_the_library(port: int) -> None:
    async with connect(
        f"ws://127.0.0.1:{port}/a%20b?c=d&&",
        subprotocols=[Subprotocol("phoenix")],
        proxy=None,
    ) as client:
        assert client.subprotocol == "phoenix"
        assert await client.recv() == "/a b?c=d&&"
        await client.send("x" * 100_000)
        assert await client.recv() == "x" * 100_000


async def test_a_refusal_is_http(port: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{port}/refused", proxy=None)
    assert refused.value.response.status_code == 403

    with pytest.raises(InvalidStatus) as busy:
        await connect(f"ws://127.0.0.1:{port}/busy", proxy=None)
    assert (busy.value.response.status_code, busy.value.response.headers["retry-after"]) == (
        503,
        "5",
    )


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def test_what_a_hasty_client_sends_before_the_answer_is_not_lost(
    port: int, started: asyncio.Event
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [
        b"GET /later HTTP/1.1",
        b"Host: x",
        *(b"%b: %b" % each for each in PLAIN.items()),
        b"",
        b"",
    ]
    masked = bytes((0x81, 0x82, 0, 0, 0, 0)) + b"hi"

    writer.write(b"\r\n".join(lines))
    await started.wait()
    writer.write(masked)
    answer = await reader.readuntil(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 101 ")
    assert await reader.readexactly(13) == b"\x81\x07/later?" + b"\x81\x02hi"
    await hang_up(writer)


async def test_an_old_version_gets_the_library_s_answer(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = PLAIN | {b"sec-websocket-version": b"8"}
    lines = [
        b"GET / HTTP/1.1",
        b"Host: x",
        *(b"%b: %b" % each for each in headers.items()),
        b"",
        b"",
    ]

    writer.write(b"\r\n".join(lines))

    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    await hang_up(writer)
