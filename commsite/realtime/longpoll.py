"""Phoenix's long-poll transport: GET fetches frames, POST brings them, the real status is in the JSON body.

Any process may get a request; the session lives in one, whose mailbox is in the signed poll token, and is called over
the backplane. One deviation on purpose: a GET with our own token whose session is gone answers 403 and not 410, on
which old clients would go on without ever rejoining.
"""

import base64
import binascii
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from django.core import signing

from commsite.realtime import auth
from commsite.realtime.auth import POLL_TOKEN_PREFIX, Refused, is_poll_token
from commsite.realtime.calls import Unreachable
from commsite.realtime.handshake import admitted
from commsite.realtime.hub import hub
from commsite.realtime.poll_session import LIFE_WINDOWS, PollSession, PollTransport
from commsite.realtime.telemetry import count
from commsite.realtime.user_socket import UserSocket

Receive = Callable[[], Awaitable[dict[str, Any]]]
Scope = dict[str, Any]

BODY_BYTES = 8 << 20
MAX_LINES = 100
TOKEN_AGE_S = 1_209_600
TOKEN_HEADER = b"x-phoenix-longpoll-token"
CALL_MARGIN_S = 3.0
NDJSON = "application/x-ndjson"
SALT = "commsite.longpoll"
CLOSED = 1005

_sessions: dict[str, PollSession] = {}
_encode = msgspec.json.Encoder().encode


class BadRequest(Exception):
    """Answered with a real HTTP 400."""


class OpeningPolls:
    """Middleware around authentication: a poll that opens a session is a handshake, and bounded as such."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Any) -> None:
        """Counts the handshake while it is authenticated and answered; too many of an address get body status 403."""
        if poll_token(scope) is not None or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        await hub.start()
        try:
            handshake = hub.admission.begin_handshake(auth.address_of(scope))
        except Refused as refused:
            count("handshakes_refused_total", reason=refused.reason)
            await _respond_json(send, _status(403))
            return
        try:
            await self.app(scope, receive, send)
        finally:
            handshake.end()


class LongPoll:
    """The ASGI application of one mount. `kinds` as in SocketConsumer."""

    def __init__(self, mount: str, kinds: frozenset[str] | None = None) -> None:
        self.mount = mount
        self.kinds = kinds

    async def __call__(self, scope: Scope, receive: Receive, send: Any) -> None:
        """Answers one request."""
        await hub.start()
        hub.backplane.answers.setdefault("longpoll", answer)
        method = scope["method"]
        try:
            if method == "OPTIONS":
                await _respond(send, 200, b"", _preflight(scope))
            elif method == "GET":
                await _respond_json(send, await self._get(scope))
            elif method == "POST":
                await _respond_json(send, await self._post(scope, receive))
            else:
                await _respond_bad(send, "expected GET, POST or OPTIONS")
        except BadRequest as error:
            await _respond_bad(send, str(error))

    # -- requests

    async def _get(self, scope: Scope) -> dict[str, Any]:
        try:
            auth.check_origin(scope, "bearer")
        except Refused:
            return _status(403)
        token = poll_token(scope)
        if token is None:
            return self._open(scope)
        owner = self._owner(token)
        if owner is None:
            return self._open(scope)
        window_s = hub.limits.longpoll_window_s
        try:
            reply = await hub.backplane.call(
                owner[0],
                "longpoll",
                {"op": "poll", "session": owner[1], "mount": self.mount},
                window_s + CALL_MARGIN_S,
            )
        except Unreachable:
            return _status(403)
        if reply["status"] in (200, 204):
            reply["token"] = token
        return reply

    async def _post(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        """Nothing is kept of a body before it is known that its sender has a session."""
        try:
            auth.check_origin(scope, "bearer")
        except Refused:
            await _body(receive, is_kept=False)
            return _status(403)
        token = poll_token(scope)
        owner = self._owner(token) if token is not None else None
        body = await _body(receive, is_kept=owner is not None)
        if owner is None:
            return {"status": 410}
        frames = _frames(body, auth.header(scope, b"content-type") or "")
        payload = {"op": "push", "session": owner[1], "mount": self.mount, "frames": frames}
        try:
            return await hub.backplane.call(
                owner[0], "longpoll", payload, hub.limits.longpoll_window_s
            )
        except Unreachable:
            return {"status": 408}

    def _open(self, scope: Scope) -> dict[str, Any]:
        """A new session: 410 with a fresh token, at once; refused: 403."""
        try:
            context, codec = admitted(scope)
        except Refused as refused:
            count("handshakes_refused_total", reason=refused.reason)
            return _status(403)
        transport = PollTransport()
        socket = UserSocket(hub, context, codec, transport, self.kinds)
        session = PollSession(secrets.token_urlsafe(16), self.mount, socket, transport)
        _sessions[session.id] = session
        hub.add(socket)
        _watch(session)
        return {"status": 410, "token": sign(session, hub.backplane.mailbox), "messages": []}

    def _owner(self, token: str) -> tuple[str, str] | None:
        """(mailbox, session id) of a token of this mount, None for any other."""
        try:
            mailbox, session_id, mount = signing.loads(
                token.removeprefix(POLL_TOKEN_PREFIX), salt=SALT, max_age=TOKEN_AGE_S
            )
        except (signing.BadSignature, ValueError, TypeError):
            return None
        return (mailbox, session_id) if mount == self.mount else None


def sign(session: PollSession, mailbox: str) -> str:
    """The poll token: which process, which session, which mount."""
    return POLL_TOKEN_PREFIX + signing.dumps([mailbox, session.id, session.mount], salt=SALT)


def poll_token(scope: Scope) -> str | None:
    """The poll token of a request: its header first, else the last `token` parameter when that is one of ours."""
    named = auth.header(scope, TOKEN_HEADER)
    if named is not None:
        return named
    tokens = [value for key, value in auth.query(scope) if key == "token"]
    return tokens[-1] if tokens and is_poll_token(tokens[-1]) else None


async def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Serves a request in the process that owns the session."""
    session = _sessions.get(request["session"])
    is_gone = session is None or session.mount != request["mount"]
    if request["op"] == "poll":
        if session is None or is_gone:
            return _status(403)
        messages = await session.poll(hub.limits.longpoll_window_s)
        if session.transport.is_closed:
            _end(session)
            if not messages:
                return _status(403)
        return {"status": 200 if messages else 204, "messages": messages}
    if session is None or is_gone or session.transport.is_closed:
        return {"status": 410}
    for data, is_binary in request["frames"]:
        session.socket.receive(bytes(data), is_binary=is_binary)
    return {"status": 200}


def _watch(session: PollSession) -> None:
    window_s = hub.limits.longpoll_window_s
    hub.wheel.schedule(LIFE_WINDOWS * window_s, lambda: _check(session))


def _check(session: PollSession) -> None:
    if session.id not in _sessions:
        return
    if session.is_stale(hub.wheel.tick, hub.limits.longpoll_window_s):
        _end(session)
    else:
        _watch(session)


def _end(session: PollSession) -> None:
    _sessions.pop(session.id, None)
    session.transport.close(CLOSED, "session ended")
    hub.remove(session.socket, CLOSED)


# -- HTTP


def _status(status: int) -> dict[str, Any]:
    return {"status": status, "token": None, "messages": []}


async def _body(receive: Receive, *, is_kept: bool) -> bytes:
    body, size = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the request ended early")
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_BYTES:
            raise BadRequest(f"the body may have {BODY_BYTES} bytes at most")
        if is_kept:
            body += part
        if not message.get("more_body"):
            return bytes(body)


def _frames(body: bytes, content_type: str) -> list[tuple[bytes, bool]]:
    """(message, is binary) for each line of an NDJSON body, or the whole body as one text message."""
    try:
        body.decode()
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    if content_type != NDJSON:
        return [(body, False)]
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES and lines.pop():
        count("longpoll_lines_dropped_total")
    return [_frame(line) for line in lines if line]


def _frame(line: bytes) -> tuple[bytes, bool]:
    if line.startswith(b"["):
        return line, False
    try:
        return base64.b64decode(line, validate=True), True
    except (binascii.Error, ValueError):
        raise BadRequest("a line is neither a JSON array nor base64") from None


def _preflight(scope: Scope) -> list[tuple[bytes, bytes]]:
    asked = auth.header(scope, b"access-control-request-headers") or ""
    return [
        (b"access-control-allow-headers", asked.encode("latin-1")),
        (b"access-control-allow-methods", b"get, post, options"),
        (b"access-control-max-age", b"3600"),
    ]


async def _respond_json(send: Any, body: dict[str, Any]) -> None:
    await _respond(
        send, 200, _encode(body), [(b"content-type", b"application/json; charset=utf-8")]
    )


async def _respond_bad(send: Any, why: str) -> None:
    await _respond(send, 400, why.encode(), [(b"content-type", b"text/plain; charset=utf-8")])


async def _respond(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    common = [
        (b"access-control-allow-origin", b"*"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *common]})
    await send({"type": "http.response.body", "body": body})
