"""Phoenix V2 binary frames: one byte for the kind, one for the size of each header field, then the fields, then data.

Kind 0 is asymmetric: a push from a client carries a ref, a push to a client does not. Sizes are bytes of UTF-8.
"""

import msgspec

from commsite.realtime.envelope import NULL, Binary, Push, Wire, json_text, wire
from commsite.realtime.errors import CloseCode, SocketError

PUSH, REPLY, BROADCAST = 0, 1, 2
_MAX = 255
_PUSH_SIZES = 5


def decode(data: bytes) -> Push:
    """A push from a binary message. Raises SocketError(PROTOCOL_BREACH) saying what is wrong with it."""
    if len(data) < _PUSH_SIZES or data[0] != PUSH:
        raise SocketError(
            CloseCode.PROTOCOL_BREACH, "expected a binary push: kind 0 and four sizes"
        )
    fields, at = [], _PUSH_SIZES
    for size in data[1:_PUSH_SIZES]:
        fields.append(data[at : at + size])
        at += size
    if at > len(data):
        raise SocketError(CloseCode.PROTOCOL_BREACH, "binary push is shorter than its sizes say")
    try:
        join_ref, ref, topic, event = (field.decode() for field in fields)
    except UnicodeDecodeError:
        raise SocketError(CloseCode.PROTOCOL_BREACH, "binary push header is not UTF-8") from None
    return Push(_ref(join_ref), _ref(ref), topic, event, Binary(data[at:]))


def reply(refs: tuple[bytes, bytes], topic: str, status: str, data: bytes) -> Wire | None:
    """A reply whose whole response is `data`."""
    return _frame(REPLY, (_text(refs[0]), _text(refs[1]), topic.encode(), status.encode()), data)


def push(join_ref: bytes, topic: str, event: str, data: bytes) -> Wire | None:
    """An event for one client."""
    return _frame(PUSH, (_text(join_ref), topic.encode(), event.encode()), data)


def broadcast(topic: str, event: str, data: bytes) -> Wire | None:
    """An event for all who joined."""
    return _frame(BROADCAST, (topic.encode(), event.encode()), data)


def _frame(kind: int, fields: tuple[bytes, ...], data: bytes) -> Wire | None:
    if max(map(len, fields)) > _MAX:
        return None
    return wire(bytes((kind, *map(len, fields))) + b"".join(fields) + data, is_binary=True)


def _ref(text: str) -> bytes:
    return json_text(text) if text else NULL


def _text(ref: bytes) -> bytes:
    if ref == NULL:
        return b""
    if ref.startswith(b'"'):
        return msgspec.json.decode(ref, type=str).encode()
    return ref
