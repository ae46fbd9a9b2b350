"""What a frame says once it is decoded: a Push from a client, and the frames that leave.

Refs are opaque: they are kept as the JSON text the client wrote and echoed byte for byte, so that 0, null and "1"
stay what they are and `"1"` never equals `1`.
"""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec

NULL = b"null"
EMPTY = b"{}"

JOIN = "phx_join"
LEAVE = "phx_leave"
HEARTBEAT = "heartbeat"
HEARTBEAT_TOPIC = "phoenix"
REPLY = "phx_reply"
CLOSE = "phx_close"
ERROR = "phx_error"


class Binary(bytes):
    """A payload that travels as bytes and not as JSON."""

    __slots__ = ()


class Push(msgspec.Struct, gc=False):
    """One envelope from a client. `join_ref` and `ref` are JSON text; `payload` is JSON text or `Binary`."""

    join_ref: bytes
    ref: bytes
    topic: str
    event: str
    payload: bytes


class Wire(msgspec.Struct, gc=False):
    """A finished WebSocket frame (unmasked, as servers send it): `framed` is header and body in one bytes object."""

    framed: bytes
    body_at: int
    is_binary: bool

    @property
    def body(self) -> bytes:
        """The message without the WebSocket header."""
        return self.framed[self.body_at :]


_SMALL, _MEDIUM = 126, 1 << 16
_TEXT, _BINARY = 0x81, 0x82
_pack_medium = struct.Struct("!BBH").pack
_pack_large = struct.Struct("!BBQ").pack
_TEXT_HEADERS = [bytes((_TEXT, size)) for size in range(_SMALL)]


def wire(body: bytes, *, is_binary: bool = False) -> Wire:
    """Frames a message for the WebSocket: FIN set, no mask, no compression (RFC 6455 §5.2)."""
    size = len(body)
    if size < _SMALL:
        header = _TEXT_HEADERS[size] if not is_binary else bytes((_BINARY, size))
    elif size < _MEDIUM:
        header = _pack_medium(_BINARY if is_binary else _TEXT, 126, size)
    else:
        header = _pack_large(_BINARY if is_binary else _TEXT, 127, size)
    return Wire(header + body, len(header), is_binary)


_encode = msgspec.json.Encoder().encode


def encode_payload(
    payload: Mapping[str, Any] | msgspec.Raw | bytes | msgspec.Struct | None,
) -> bytes:
    """A payload as it travels: `Binary` and encoded JSON stay as they are, None is the empty object."""
    if payload is None:
        return EMPTY
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, msgspec.Raw):
        return bytes(payload)
    return _encode(payload)


def json_text(value: str) -> bytes:
    """A string as JSON text."""
    return _encode(value)
