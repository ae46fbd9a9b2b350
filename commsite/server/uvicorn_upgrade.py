"""The upgrade to a WebSocket without parsing the request a second time.

uvicorn writes a parsed upgrade request out again for the WebSocket library to parse, and builds its answer from
objects: about a third of the cost of a connection. Here the plain case is answered directly (RFC 6455 §4.2);
whatever is not plain (another version, a missing key, any header oddity) goes uvicorn's way, and the library says
what is wrong.
"""

import base64
import binascii
from typing import Any
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.utils import accept_key

from commsite.server.uvicorn_transport import TransportProtocol

VERSION = b"13"
KEY_BYTES = 16
HEAD_BYTES = 128 * 1024


class UpgradeProtocol(HttpToolsProtocol):
    """Given to uvicorn as `http=`. Besides: the head of a request has an end (the parser would collect it for good)."""

    _head_bytes: int | None = None

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, unless this head is too long."""
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                if not self.transport.is_closing():
                    self.send_400_response("The head of the request is too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The head begins."""
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._head_bytes = None
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hands the connection and the parsed request over to the WebSocket protocol."""
        key = plain_key(self.scope)  # type: ignore[arg-type]
        if key is None:
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        protocol = TransportProtocol(self.config, self.server_state, self.app_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        raw_path, _, query = self.url.partition(b"?")
        path = self.root_path + unquote(raw_path.decode("ascii"))
        where = {
            "path": path,
            "raw_path": self.root_path.encode() + raw_path,
            "query_string": query,
        }
        protocol.begin({**self.scope, **where}, accept_key(key))
        del (
            self.parser
        )  # it holds this protocol and is held by it: only the collector could free the two


def plain_key(scope: dict[str, Any]) -> str | None:
    """The key of an upgrade request that has nothing unusual, else None."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in (b"sec-websocket-key", b"sec-websocket-version", b"connection", b"upgrade"):
            if name in found:
                return None
            found[name] = value
    key = found.get(b"sec-websocket-key", b"")
    is_plain = (
        scope["method"] == "GET"
        and found.get(b"sec-websocket-version") == VERSION
        and found.get(b"upgrade", b"").lower() == b"websocket"
        and b"upgrade"
        in [token.strip() for token in found.get(b"connection", b"").lower().split(b",")]
    )
    try:
        is_key = len(base64.b64decode(key, validate=True)) == KEY_BYTES
    except binascii.Error:
        return None
    return key.decode() if is_plain and is_key else None
