"""A small Phoenix V2 client that hides nothing: every frame, reply and close code can be looked at.

async with await PhoenixClient.connect(site.socket_url, token=token) as ada:
    snapshot = await ada.join("conversation:…")
    ref = await ada.push("conversation:…", "send_message", {"body": "hi", "client_id": "1"})
    reply = await ada.reply(ref)                 # {"status": "ok", "response": {…}}
    fact = await ada.next("message_sent")        # others stay in the queue, in order
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.deadline import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PRESENCE = frozenset({"presence_state", "presence_diff", "presence_counts"})
BEARER = "base64url.bearer.phx."


class Message(NamedTuple):
    """One envelope as it came."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: Any


class Closed(Exception):
    """The server ended the connection while something was awaited."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"closed {code} {reason}")


class ErrorReply(Exception):
    """A call was answered with status "error"."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.reason = response.get("reason") if isinstance(response, dict) else None
        super().__init__(str(response))


def bearer_protocols(token: str) -> list[str]:
    """What phoenix.js offers as subprotocols for `authToken`."""
    return ["phoenix", BEARER + base64.b64encode(token.encode()).decode().rstrip("=")]


def decode_binary(frame: bytes) -> Message:
    """A binary V2 frame of the server: 0 push, 1 reply, 2 broadcast; the payload stays bytes."""
    kind = frame[0]
    count = {0: 3, 1: 4, 2: 2}[kind]
    sizes, at = frame[1 : 1 + count], 1 + count
    fields = []
    for size in sizes:
        fields.append(frame[at : at + size].decode())
        at += size
    body = frame[at:]
    if kind == 0:
        return Message(fields[0] or None, None, fields[1], fields[2], body)
    if kind == 1:
        response = {"status": fields[3], "response": body}
        return Message(fields[0] or None, fields[1] or None, fields[2], "phx_reply", response)
    return Message(None, None, fields[0], fields[1], body)


class PhoenixClient:
    """One connection. Replies are kept by ref, everything else waits in `messages` in order."""

    deaf_to: frozenset[str] = frozenset()
    """Events that the test is not about."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[Message] = []
        self.replies: dict[str, Any] = {}
        self.join_refs: dict[str, str] = {}
        self.closed: Closed | None = None
        self._refs = itertools.count(1)
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        token: str | None = None,
        bearer: str | None = None,
        query: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Self:
        """Opens a socket; `bearer` travels as subprotocol. A refusal raises InvalidStatus.

        `options` go to `websockets.connect`: additional_headers, origin, ssl, max_size …
        """
        parameters = {"vsn": "2.0.0", **({"token": token} if token else {}), **(query or {})}
        if bearer is not None:
            options["subprotocols"] = bearer_protocols(bearer)
        quiet = {"ping_interval": None, "compression": None, "proxy": None}
        options = quiet | {"open_timeout": PATIENCE_S} | options
        return cls(await connect(f"{url}?{urlencode(parameters)}", **options))

    async def send(self, frame: str | bytes) -> None:
        """Sends one frame exactly as it is."""
        await self.connection.send(frame)

    async def push(
        self, topic: str, event: str, payload: Any = None, *, ref: Any = None, join_ref: Any = None
    ) -> str:
        """Sends a push and returns its ref; the join_ref of the topic is added by itself."""
        ref = str(next(self._refs)) if ref is None else ref
        join_ref = self.join_refs.get(topic) if join_ref is None else join_ref
        payload = {} if payload is None else payload
        await self.send(json.dumps([join_ref, ref, topic, event, payload]))
        return str(ref)

    async def reply(self, ref: str, *, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The reply to `ref`: {"status": …, "response": …}."""
        await self._until(lambda: ref in self.replies, f"reply to {ref}", timeout_s)
        answer: dict[str, Any] = self.replies.pop(ref)
        return answer

    async def call(self, topic: str, event: str, payload: Any = None, **how: Any) -> Any:
        """Pushes, awaits the reply and returns its response; ErrorReply when it is an error."""
        answer = await self.reply(await self.push(topic, event, payload, **how))
        if answer["status"] != "ok":
            raise ErrorReply(answer["response"])
        return answer["response"]

    async def join(self, topic: str, payload: Any = None) -> Any:
        """Joins and returns the join reply's response."""
        ref = str(next(self._refs))
        self.join_refs[topic] = ref
        return await self.call(topic, "phx_join", payload, ref=ref, join_ref=ref)

    async def leave(self, topic: str) -> Any:
        """Leaves the topic."""
        response = await self.call(topic, "phx_leave")
        self.join_refs.pop(topic, None)
        return response

    async def heartbeat(self) -> None:
        """Beats and waits for the answer: what the server sent before it has then arrived."""
        await self.call("phoenix", "heartbeat")

    async def settle(self, topic: str) -> None:
        """A barrier through the topic's inbox: an event nobody knows, and its error reply."""
        await self.reply(await self.push(topic, "settle"))

    async def next(
        self, event: str | None = None, *, topic: str | None = None, timeout_s: float = PATIENCE_S
    ) -> Message:
        """Takes the first waiting message of that event and topic; waits when there is none."""

        def found() -> Message | None:
            for message in self.messages:
                if event in (None, message.event) and topic in (None, message.topic):
                    return message
            return None

        await self._until(lambda: found() is not None, f"{event or 'message'}", timeout_s)
        message = found()
        assert message is not None
        self.messages.remove(message)
        return message

    def waiting(self, event: str | None = None) -> list[Message]:
        """What has arrived and was not taken yet."""
        return [message for message in self.messages if event in (None, message.event)]

    async def close_code(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Waits until the connection is closed and returns the code the client saw."""
        await asyncio.wait_for(asyncio.shield(self._reader), timeout_s)
        assert self.closed is not None
        return self.closed.code

    async def close(self) -> None:
        """Closes in good order."""
        await self.connection.close()
        await self._reader

    def drop(self) -> None:
        """Cuts the connection without a word, as a dead network would."""
        self.connection.transport.abort()

    async def _read(self) -> None:
        try:
            while True:
                self._keep(await self.connection.recv())
                async with self._news:
                    self._news.notify_all()
        except ConnectionClosed as error:
            close = error.rcvd
            self.closed = Closed(close.code, close.reason) if close else Closed(1006, "")
        async with self._news:
            self._news.notify_all()

    def _keep(self, frame: str | bytes) -> None:
        message = decode_binary(frame) if isinstance(frame, bytes) else Message(*json.loads(frame))
        if message.event == "phx_reply" and message.ref is not None:
            self.replies[str(message.ref)] = message.payload
        elif message.event not in self.deaf_to:
            self.messages.append(message)

    async def _until(self, is_there: Callable[[], bool], what: str, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s), self._news:
                await self._news.wait_for(lambda: is_there() or self.closed is not None)
        except TimeoutError:
            raise TimeoutError(f"no {what} within {timeout_s} s; have {self.messages}") from None
        if not is_there():
            assert self.closed is not None
            raise self.closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def refusal(url: str, **how: Any) -> int:
    """The HTTP status with which a handshake is refused; fails when it is accepted."""
    try:
        client = await PhoenixClient.connect(url, **how)
    except InvalidStatus as error:
        return error.response.status_code
    await client.close()
    raise AssertionError("the handshake was accepted")
