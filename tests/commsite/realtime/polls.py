"""A client over long-poll, and single requests of one, without a server."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from commsite.realtime.auth import ClientContext, Refused
from tests.support.socket_client import identity

if TYPE_CHECKING:
    from commsite.realtime.longpoll import LongPoll

MOUNT = "/socket/longpoll"
NDJSON = "application/x-ndjson"


class Response:
    """What the application answered."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, *rest = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body: bytes = b"".join(message["body"] for message in rest)

    @property
    def json(self) -> Any:
        assert self.status == 200
        assert self.headers["content-type"] == "application/json; charset=utf-8"
        return json.loads(self.body)


async def request(
    app: LongPoll,
    method: str = "GET",
    query: str = "vsn=2.0.0",
    body: bytes = b"",
    *,
    context: Any = "somebody",
    headers: dict[str, str] | None = None,
) -> Response:
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": app.mount,
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
        "client": ("192.0.2.1", 1),
    }
    if context == "somebody":
        context = ClientContext(identity(1), "192.0.2.1")
    if isinstance(context, Refused):
        scope["refused"] = context
    elif context is not None:
        scope["client_context"] = context
    half = len(body) // 2
    parts: list[dict[str, Any]] = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:]},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        gone: dict[str, Any] = {"type": "http.disconnect"}
        return parts.pop(0) if parts else gone

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Response(sent)


class Poller:
    """A client over long-poll."""

    def __init__(self, app: LongPoll, token: str) -> None:
        self.app = app
        self.token = token

    @classmethod
    async def open(cls, app: LongPoll, **options: Any) -> Poller:
        answer = (await request(app, **options)).json
        assert answer["status"] == 410
        assert answer["messages"] == []
        return cls(app, answer["token"])

    async def poll(self) -> Any:
        return (await request(self.app, query=f"vsn=2.0.0&token={self.token}", context=None)).json

    async def post(self, *frames: Any, content_type: str = NDJSON) -> Any:
        lines = [
            base64.b64encode(frame) if isinstance(frame, bytes) else json.dumps(frame).encode()
            for frame in frames
        ]
        return await self.post_body(b"\n".join(lines), content_type)

    async def post_body(self, body: bytes, content_type: str = NDJSON) -> Any:
        query = f"vsn=2.0.0&token={self.token}"
        headers = {"content-type": content_type}
        response = await request(self.app, "POST", query, body, context=None, headers=headers)
        return response.json
