"""A handshake that is not decided in time is refused, and takes nothing with it."""

from __future__ import annotations

import asyncio
from typing import Any

from commsite.realtime.consumer import Handshakes
from commsite.realtime.hub import hub
from commsite.realtime.limits import limits


async def test_a_handshake_that_takes_too_long_is_refused_and_no_longer_counted() -> None:
    sent: list[dict[str, Any]] = []
    asked = asyncio.Event()

    async def never_decides(scope: dict[str, Any], receive: Any, send: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [], "client": ("127.0.0.1", 1)}
    serving = asyncio.ensure_future(Handshakes(never_decides)(scope, None, send))  # type: ignore[arg-type]
    await asked.wait()
    under_way = hub.admission.handshakes
    for _ in range(int(limits().handshake_s)):
        for action in hub.wheel.advance():
            action()
    await serving

    assert under_way == 1
    assert hub.admission.handshakes == 0
    assert sent == [{"type": "websocket.close"}]
