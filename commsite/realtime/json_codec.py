"""Phoenix V2 (arrays) and V1 (objects) in JSON. Headers are decoded, payloads stay as the client wrote them."""

import msgspec

from commsite.realtime import binary_codec
from commsite.realtime.codec import register
from commsite.realtime.envelope import NULL, Binary, Push, Wire, json_text, wire
from commsite.realtime.errors import CloseCode, SocketError

_MAX_REF_BYTES = 255


class _V2Frame(msgspec.Struct, array_like=True, gc=False):
    join_ref: msgspec.Raw
    ref: msgspec.Raw
    topic: str
    event: str
    payload: msgspec.Raw


class _V1Frame(msgspec.Struct, gc=False):
    topic: str
    event: str
    payload: msgspec.Raw
    ref: msgspec.Raw
    join_ref: msgspec.Raw = msgspec.Raw(NULL)


_decode_v2 = msgspec.json.Decoder(_V2Frame).decode
_decode_v1 = msgspec.json.Decoder(_V1Frame).decode
_FAULTS = (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError)


def _push(frame: _V2Frame | _V1Frame) -> Push:
    join_ref, ref = bytes(frame.join_ref), bytes(frame.ref)
    if len(join_ref) > _MAX_REF_BYTES or len(ref) > _MAX_REF_BYTES:
        raise SocketError(
            CloseCode.PROTOCOL_BREACH, f"a ref may have {_MAX_REF_BYTES} bytes at most"
        )
    return Push(join_ref, ref, frame.topic, frame.event, bytes(frame.payload))


class JsonV2:
    """`[join_ref, ref, topic, event, payload]`, and binary frames beside it."""

    name = "json-v2"

    def decode(self, data: bytes, *, is_binary: bool) -> Push:
        """A push; elements after the fifth are ignored."""
        if is_binary:
            return binary_codec.decode(data)
        try:
            frame = _decode_v2(data)
        except _FAULTS:
            raise SocketError(
                CloseCode.PROTOCOL_BREACH, "expected [join_ref, ref, topic, event, payload]"
            ) from None
        return _push(frame)

    def reply(
        self, push_refs: tuple[bytes, bytes], topic: str, status: str, response: bytes
    ) -> Wire | None:
        """`phx_reply` with status and response; a Binary response makes a binary frame."""
        if isinstance(response, Binary):
            return binary_codec.reply(push_refs, topic, status, response)
        return wire(
            b'[%b,%b,%b,"phx_reply",{"status":%b,"response":%b}]'
            % (*push_refs, json_text(topic), json_text(status), response)
        )

    def push(
        self, refs: tuple[bytes, bytes], topic: str, event: str, payload: bytes
    ) -> Wire | None:
        """An event for one client."""
        if isinstance(payload, Binary):
            return binary_codec.push(refs[0], topic, event, payload)
        return wire(b"[%b,%b,%b,%b,%b]" % (*refs, json_text(topic), json_text(event), payload))

    def broadcast(self, topic: str, event: str, payload: bytes) -> Wire | None:
        """An event for all: both refs null."""
        if isinstance(payload, Binary):
            return binary_codec.broadcast(topic, event, payload)
        return wire(b"[null,null,%b,%b,%b]" % (json_text(topic), json_text(event), payload))


class JsonV1:
    """`{"topic", "event", "payload", "ref"}`; a `join_ref` that a client sends is honoured, none is ever sent."""

    name = "json-v1"

    def decode(self, data: bytes, *, is_binary: bool) -> Push:
        """A push; V1 has no binary frames."""
        if is_binary:
            raise SocketError(CloseCode.PROTOCOL_BREACH, "version 1.0.0 has no binary frames")
        try:
            frame = _decode_v1(data)
        except _FAULTS:
            raise SocketError(
                CloseCode.PROTOCOL_BREACH, 'expected {"topic", "event", "payload", "ref"}'
            ) from None
        return _push(frame)

    def reply(
        self, push_refs: tuple[bytes, bytes], topic: str, status: str, response: bytes
    ) -> Wire | None:
        """`phx_reply` with status and response."""
        if isinstance(response, Binary):
            return None
        payload = b'{"status":%b,"response":%b}' % (json_text(status), response)
        return self._object(topic, "phx_reply", payload, push_refs[1])

    def push(
        self, refs: tuple[bytes, bytes], topic: str, event: str, payload: bytes
    ) -> Wire | None:
        """An event for one client."""
        return self._object(topic, event, payload, refs[1])

    def broadcast(self, topic: str, event: str, payload: bytes) -> Wire | None:
        """An event for all."""
        return self._object(topic, event, payload, NULL)

    def _object(self, topic: str, event: str, payload: bytes, ref: bytes) -> Wire | None:
        if isinstance(payload, Binary):
            return None
        return wire(
            b'{"topic":%b,"event":%b,"payload":%b,"ref":%b}'
            % (json_text(topic), json_text(event), payload, ref)
        )


JSON_V1, JSON_V2 = JsonV1(), JsonV2()
register(1, 0, JSON_V1)
register(2, 0, JSON_V2)
