"""The one HTTP client of this process: connections to the model's server are kept and used again."""

import asyncio
import weakref

import httpx2

from commsite.realtime.hub import hub

MOST_CONNECTIONS = 200

_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx2.AsyncClient]" = (
    weakref.WeakKeyDictionary()
)


async def model_client() -> httpx2.AsyncClient:
    """The client of the running loop; it is closed when the hub stops."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        client = await asyncio.to_thread(_make)  # reads certificates from the disk
        if loop in _clients:  # somebody was quicker meanwhile
            await client.aclose()
        else:
            _clients[loop] = client
            hub.spawn(_close_at_the_end(loop, client))
            await asyncio.sleep(0)  # a task that has not begun would be cancelled without its end
            return client
    return _clients[loop]


def _make() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        # The time limits are ours (patience.py): one read limit cannot tell the first byte from the others.
        timeout=httpx2.Timeout(None),
        limits=httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=20),
        follow_redirects=False,  # a redirect would carry the conversation to a server that nobody configured
    )


async def _close_at_the_end(loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        _clients.pop(loop, None)
        await client.aclose()
