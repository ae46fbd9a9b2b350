"""One request to a model's server, from the POST to the last event: time limits, retries, errors fit for readers."""

import asyncio
import base64
import contextlib
import functools
import itertools
import logging
import random
import re
from asyncio import sleep
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx2
import msgspec

from commsite.logs import SCRUBBED, scrub
from commsite.realtime import telemetry
from conversation.assistant.completion import DONE, words_of
from conversation.assistant.event_stream import EventStream, TooLong
from conversation.assistant.job import BackendError
from conversation.assistant.model_client import model_client
from conversation.assistant.patience import Deadline, Patience

logger = logging.getLogger(__name__)

BACK_OFF_S = 0.5
MOST_WAIT_S = 20.0
"""A server that wants us to wait for longer gets no second request; the reader is told when to ask again."""
LINGER_S = 0.2
"""How long the end of a body may come after the end of what it says."""
ERROR_BYTES = 65_536
TEMPORARY = frozenset((408, 409, 429))
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|tok)[-_][\w*.-]{6,}", re.IGNORECASE)


class ModelServer(msgspec.Struct, frozen=True):
    """Where chat completions are asked for, and with what credential. Its repr holds no secret."""

    url: str
    authorization: str = ""
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ModelServer({httpx2.URL(self.url).host})"

    def scrubbed(self, text: str) -> str:
        """The text without the credentials of this server, and without whatever looks like one."""
        for secret in self.secrets:
            text = text.replace(secret, SCRUBBED)
        return scrub(_KEY_LIKE.sub(SCRUBBED, text))


@functools.lru_cache(maxsize=8)
def server_of(base_url: str, key: str) -> ModelServer:
    """The server behind the settings. Credentials in the URL are taken out of it, and sent as Basic without a key."""
    url = httpx2.URL(base_url)
    user, password = url.username, url.password
    query = [value for _, value in url.params.multi_items()]
    path = url.path.rstrip("/") + "/chat/completions"
    bare = str(url.copy_with(username=None, password=None, path=path))
    authorization = ""
    if key:
        authorization = f"Bearer {key}"
    elif user or password:
        authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    secrets = [key, password, authorization.partition(" ")[2], *query]
    return ModelServer(bare, authorization, tuple(secret for secret in secrets if secret))


class _Fault(Exception):
    """Why an attempt failed, and whether another one may help."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        is_temporary: bool = False,
        wait_s: float | None = None,
    ) -> None:
        self.error = BackendError(code, message)
        self.is_temporary = is_temporary
        self.wait_s = wait_s
        super().__init__(code)


async def ask(
    server: ModelServer, body: bytes, patience: Patience, deadline: Deadline
) -> AsyncGenerator[list[bytes]]:
    """The data of the events with which the server answers, as they come, several together where they came together.

    An attempt that failed before its first event is repeated where that can help; after it never: the reader has
    seen the beginning of that answer. Raises BackendError.
    """
    for attempt in itertools.count():
        has_begun = False
        try:
            async with aclosing(_counted(server, body, patience, deadline)) as blocks:
                async for events in blocks:
                    has_begun = True
                    yield events
        except _Fault as fault:
            wait_s = _wait_s(fault, attempt)
            if has_begun or not fault.is_temporary or attempt >= patience.retries:
                raise fault.error from None
            if wait_s > min(MOST_WAIT_S, deadline.left()):
                raise fault.error from None
            logger.warning("%r failed (%s), asking again in %.1f s", server, fault.error, wait_s)
        else:
            return
        telemetry.count("assistant_retries_total")
        await sleep(wait_s)


def _wait_s(fault: _Fault, attempt: int) -> float:
    if fault.wait_s is not None:
        return fault.wait_s
    return BACK_OFF_S * (1 << attempt) * random.uniform(0.5, 1.0)  # noqa: S311  jitter


async def _counted(
    server: ModelServer, body: bytes, patience: Patience, deadline: Deadline
) -> AsyncGenerator[list[bytes]]:
    outcome = "cancelled"
    try:
        async with aclosing(_attempt(server, body, patience, deadline)) as blocks:
            async for events in blocks:
                yield events
        outcome = "finished"
    except _Fault as fault:
        outcome = fault.error.code
        raise
    finally:
        telemetry.count("assistant_requests_total", outcome=outcome)


async def _attempt(
    server: ModelServer, body: bytes, patience: Patience, deadline: Deadline
) -> AsyncGenerator[list[bytes]]:
    clock = _Clock(patience, deadline)
    response = await _open(server, body, patience, clock)
    try:
        if response.status_code != HTTPStatus.OK:
            raise await _refusal(server, response, clock)
        blocks = response.aiter_bytes()
        if _content_type(response) == "application/json":  # it does not stream
            yield [await _read_all(blocks, patience.event_bytes, clock)]
            return
        stream = EventStream(patience.event_bytes)
        while (block := await _next(blocks, clock)) is not None:
            events = stream.feed(block)
            if events:
                yield events
                if events[-1] == DONE:
                    await _read_to_the_end(blocks)
                    return
        events = stream.finish()
        if events:
            yield events
    except TooLong as error:
        raise _Fault("bad_response", f"The model's server sent too much: {error}.") from None
    finally:
        await response.aclose()


class _Clock:
    """How long the next byte may take: the first has its own limit."""

    def __init__(self, patience: Patience, deadline: Deadline) -> None:
        self._chunk_s = patience.chunk_s
        self._run_s = patience.run_s
        self._first = Deadline(patience.first_byte_s)
        self._deadline = deadline
        self.has_begun = False

    def left(self) -> float:
        mine = self._chunk_s if self.has_begun else self._first.left()
        return min(mine, self._deadline.left())

    def fault(self) -> _Fault:
        if not self._deadline.left():
            return _Fault(
                "timed_out", f"The answer took longer than {self._run_s:g} s and was ended."
            )
        if self.has_begun:
            message = f"The model fell silent for {self._chunk_s:g} s in the middle of its answer."
        else:
            message = "The model did not begin to answer in time."
        return _Fault("timed_out", message)


async def _open(
    server: ModelServer, body: bytes, patience: Patience, clock: _Clock
) -> httpx2.Response:
    client = await model_client()
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",  # a compressor holds tokens back
    }
    if server.authorization:
        headers["Authorization"] = server.authorization
    times = httpx2.Timeout(None, connect=patience.connect_s, pool=patience.connect_s)
    request = client.build_request("POST", server.url, content=body, headers=headers, timeout=times)
    try:
        async with asyncio.timeout(clock.left()):
            return await client.send(request, stream=True)
    except TimeoutError:
        raise clock.fault() from None
    except httpx2.TimeoutException:
        raise _Fault(
            "unreachable", "The model's server does not take the connection.", is_temporary=True
        ) from None
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        # Other errors may repeat a header.
        why = error if isinstance(error, httpx2.ConnectError) else type(error).__name__
        logger.warning("%r cannot be reached: %s", server, server.scrubbed(str(why)))
        raise _Fault(
            "unreachable", "The model's server cannot be reached.", is_temporary=True
        ) from None


async def _next(blocks: AsyncGenerator[bytes], clock: _Clock) -> bytes | None:
    left_s = clock.left()
    if not left_s:  # a stream that never makes us wait would never meet its limit
        raise clock.fault()
    try:
        async with asyncio.timeout(left_s):
            block = await anext(blocks, None)
    except TimeoutError:
        raise clock.fault() from None
    except httpx2.HTTPError:
        raise _Fault(
            "cut_off", "The connection to the model's server broke.", is_temporary=True
        ) from None
    clock.has_begun = True
    return block


async def _read_to_the_end(blocks: AsyncGenerator[bytes]) -> None:
    """A connection can be used again once its answer was read to the end; some servers never come to one."""
    with contextlib.suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(LINGER_S):
            async for _ in blocks:
                pass


async def _read_all(blocks: AsyncGenerator[bytes], most_bytes: int, clock: _Clock) -> bytes:
    data = bytearray()
    while (block := await _next(blocks, clock)) is not None:
        data += block
        if len(data) > most_bytes:
            raise TooLong(f"the answer is longer than {most_bytes} bytes")
    return bytes(data)


def _content_type(response: httpx2.Response) -> str:
    kind = str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if kind.startswith("text/html"):
        raise _Fault(
            "bad_response",
            "A web page answers where the model should; is ASSISTANT_BASE_URL right?",
        )
    return kind


async def _refusal(server: ModelServer, response: httpx2.Response, clock: _Clock) -> _Fault:
    status = response.status_code
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        logger.warning(
            "%r refuses the key (%s)", server, status
        )  # what it says often repeats the key
        return _Fault("bad_key", f"The model's server refuses the key of this site ({status}).")
    wait_s = _retry_after_s(response)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        when = "later" if wait_s is None else f"in {wait_s:.0f} s"
        message = f"The model has too many requests (429). Ask again {when}."
        return _Fault("rate_limited", message, is_temporary=True, wait_s=wait_s)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TEMPORARY:
        message = f"The model's server failed ({status})."
        return _Fault("unavailable", message, is_temporary=True, wait_s=wait_s)
    words = server.scrubbed(words_of(await _said(response, clock)))
    logger.warning("%r answered with %s: %s", server, status, words or "(nothing)")
    return _Fault("rejected", f"The model's server rejects the request ({status}). {words}".strip())


async def _said(response: httpx2.Response, clock: _Clock) -> Any:
    try:
        data = await _read_all(response.aiter_bytes(), ERROR_BYTES, clock)
        return msgspec.json.decode(data)
    except (_Fault, TooLong, ValueError):
        return None


def _retry_after_s(response: httpx2.Response) -> float | None:
    text = response.headers.get("retry-after", "").strip()
    try:
        milliseconds = response.headers.get("retry-after-ms")
        seconds = float(text) if milliseconds is None else float(milliseconds) / 1000
        return seconds if 0 <= seconds < float("inf") else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(
        0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    )
