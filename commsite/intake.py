"""What HTTP requests may cost before a view has judged them: bytes of a body, and threads.

Django writes a body to disk before it looks at the request, and gives each request that is under way a thread of its
own. Here a body ends at its limit (413), only so many requests are worked on at once, and a queue that is too long
answers 503. A slot is taken once the body is there and given back with the first line of the answer, so that neither
slow senders nor slow readers hold one. An address that takes more than others (uploads) has an allowance: its own
limit, more time, and only so many bodies on their way at once, for each takes its room on disk before anybody is asked
who sends it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from django.conf import settings

from commsite.realtime.errors import REASONS, PushError
from commsite.realtime.telemetry import count

Application = Callable[..., Awaitable[None]]

AT_ONCE = 32
WAITING = 512
RETRY_AFTER_MS = 2000
LINGER_S = 5.0
LINGER_BYTES = 67_108_864
MOST_DIGITS = 18


class Allowance(NamedTuple):
    """What an address may be sent that takes more than others; `at_once`: bodies on their way in one process."""

    body_bytes: int
    body_s: float
    at_once: int


def _nothing_more(_scope: dict[str, Any]) -> None:
    return None


class Intake:
    """Middleware around Django: bounded bodies, bounded threads. `allowance` names where more may be sent."""

    def __init__(
        self,
        app: Application,
        *,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
        allowance: Callable[[dict[str, Any]], Allowance | None] = _nothing_more,
    ) -> None:
        self.app = app
        self.waiting = waiting
        self.uploads = 0
        self._allowance = allowance
        self._slots = asyncio.Semaphore(at_once)
        self._queued = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serves one request, or refuses it."""
        allowed = self._allowance(scope)
        request = _Request(self, receive, send, allowed)
        try:
            request.begin(scope)
            await self.app(scope, request.receive, request.send)
        except _RefusedRequest as refused:
            count("requests_refused_total", reason=refused.error.reason)
            await request.refuse(refused.error)
        finally:
            request.release()

    async def enter(self) -> None:
        """Takes a slot, in the order of asking. Raises when too many wait already."""
        if self._slots.locked() and self._queued >= self.waiting:
            raise _RefusedRequest(PushError("overloaded", retry_after_ms=RETRY_AFTER_MS))
        self._queued += 1
        try:
            await self._slots.acquire()
        finally:
            self._queued -= 1

    def leave(self) -> None:
        """Gives a slot back."""
        self._slots.release()


class _RefusedRequest(Exception):
    def __init__(self, error: PushError) -> None:
        self.error = error
        super().__init__(error.reason)


class _Request:
    """One request on its way through: how much came, whether it holds a slot."""

    def __init__(self, intake: Intake, receive: Any, send: Any, allowed: Allowance | None) -> None:
        self._intake = intake
        self._allowed = allowed
        self._is_upload = False
        self._receive = receive
        self._send = send
        self._bytes = 0
        self._has_body = self._holds_slot = False

    def begin(self, scope: dict[str, Any]) -> None:
        """Refuses a body that says it is too large, and one upload too many; servers read how long it may take."""
        if self._allowed is not None:
            if self._intake.uploads >= self._allowed.at_once:
                raise _RefusedRequest(PushError("overloaded", retry_after_ms=RETRY_AFTER_MS))
            self._intake.uploads += 1
            self._is_upload = True
            scope["commsite.body_s"] = self._allowed.body_s
        self._check(_declared_bytes(scope))

    def _check(self, size: int) -> None:
        limit = self._allowed.body_bytes if self._allowed else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if limit is not None and size > limit:
            raise _RefusedRequest(
                PushError("too_large", f"A request may have {limit} bytes at most.")
            )

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._receive()
        if message["type"] != "http.request" or self._has_body:
            return message
        self._bytes += len(message.get("body", b""))
        self._has_body = not message.get("more_body")
        self._check(self._bytes)
        if self._has_body:
            await self._intake.enter()
            self._holds_slot = True
        return message

    async def send(self, message: dict[str, Any]) -> None:
        self.release()
        await self._send(message)

    async def refuse(self, error: PushError) -> None:
        """Answers with the error.

        A connection that is closed while its client still sends is reset, and the client never sees why: for a while
        what comes is thrown away.
        """
        for message in _answer(error):
            await self.send(message)
        if not self._has_body:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await _throw_away(self._receive)
        await self._send({"type": "http.response.body", "body": b""})

    def release(self) -> None:
        if self._is_upload:
            self._is_upload = False
            self._intake.uploads -= 1
        if self._holds_slot:
            self._holds_slot = False
            self._intake.leave()


def _declared_bytes(scope: dict[str, Any]) -> int:
    for name, value in scope.get("headers", ()):
        if name == b"content-length" and value.isdigit():
            return int(value[:MOST_DIGITS])  # more of them are as much too large
    return 0


def _answer(error: PushError) -> tuple[dict[str, Any], dict[str, Any]]:
    """The error in JSON; the connection ends with it, for what is left of the body nobody wants."""
    body = json.dumps(error.as_response()).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if error.retry_after_ms is not None:
        headers.append((b"retry-after", str(-(-error.retry_after_ms // 1000)).encode()))
    status = REASONS[error.reason].http_status
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body, "more_body": True}


async def _throw_away(receive: Any) -> None:
    left = LINGER_BYTES
    while left > 0:
        message = await receive()
        if not message.get("more_body"):
            return
        left -= len(message["body"])
