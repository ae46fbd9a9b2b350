"""Frames: the vectors, what is read is what was written, and what is no frame is a breach and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime import binary_codec
from commsite.realtime.codec import Codec, for_version
from commsite.realtime.envelope import Binary, wire
from commsite.realtime.errors import CloseCode, SocketError
from commsite.realtime.json_codec import JSON_V1, JSON_V2
from tests.support.socket_client import unframed

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "frames.json").read_text())
CODECS: dict[str, Codec] = {"1.0.0": JSON_V1, "2.0.0": JSON_V2}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SHORT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
REFS = st.one_of(
    TEXT, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    REFS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)


def text_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def body_of(frame: Any) -> bytes:
    assert frame is not None
    ((body, _),) = unframed(frame.framed)
    assert body == frame.body
    return body


def id_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


@pytest.mark.parametrize("vector", VECTORS["from_client"], ids=id_of)
def test_a_clients_frame_means_what_the_vectors_say(vector: dict[str, Any]) -> None:
    codec, means = CODECS[vector["vsn"]], vector["means"]
    is_binary = "hex" in vector
    data = bytes.fromhex(vector["hex"]) if is_binary else vector["text"].encode()
    push = codec.decode(data, is_binary=is_binary)
    assert json.loads(push.join_ref) == means["join_ref"]
    assert json.loads(push.ref) == means["ref"]
    assert (push.topic, push.event) == (means["topic"], means["event"])
    if is_binary:
        assert isinstance(push.payload, Binary)
        assert push.payload.hex() == means["payload_hex"]
    else:
        assert json.loads(push.payload) == means["payload"]


@pytest.mark.parametrize("vector", VECTORS["from_server"], ids=id_of)
def test_the_server_writes_the_frames_of_the_vectors(vector: dict[str, Any]) -> None:
    codec, means = CODECS[vector["vsn"]], vector["means"]
    is_binary = "hex" in vector
    payload = (
        Binary(bytes.fromhex(means["payload_hex"]))
        if is_binary
        else json.dumps(means["payload"], separators=(",", ":"), ensure_ascii=False).encode()
    )
    refs = (text_of(means["join_ref"]), text_of(means["ref"]))
    if vector["kind"] == "reply":
        frame = codec.reply(refs, means["topic"], means["status"], payload)
    elif vector["kind"] == "push":
        frame = codec.push(refs, means["topic"], means["event"], payload)
    else:
        frame = codec.broadcast(means["topic"], means["event"], payload)
    assert frame is not None
    assert frame.is_binary is is_binary
    written = body_of(frame)
    assert (written.hex() if is_binary else written.decode()) == vector[
        "hex" if is_binary else "text"
    ]


@pytest.mark.parametrize("vector", VECTORS["no_frames"], ids=id_of)
def test_what_is_no_frame_is_a_breach(vector: dict[str, Any]) -> None:
    is_binary = vector["is_binary"]
    with pytest.raises(SocketError) as caught:
        CODECS[vector["vsn"]].decode(bytes.fromhex(vector["hex"]), is_binary=is_binary)
    assert caught.value.code is CloseCode.PROTOCOL_BREACH


@given(REFS, REFS, TEXT, TEXT, JSON)
def test_a_v2_frame_is_read_as_it_was_written(
    join_ref: Any, ref: Any, topic: str, event: str, payload: Any
) -> None:
    push = JSON_V2.decode(
        json.dumps([join_ref, ref, topic, event, payload]).encode(), is_binary=False
    )
    assert (push.join_ref, push.ref) == (text_of(join_ref), text_of(ref))
    assert (push.topic, push.event, json.loads(push.payload)) == (topic, event, payload)
    back = JSON_V2.push((push.join_ref, push.ref), push.topic, push.event, push.payload)
    assert json.loads(body_of(back)) == [join_ref, ref, topic, event, payload]


@given(REFS, TEXT, TEXT, JSON, st.booleans())
def test_a_v1_frame_is_read_as_it_was_written(
    ref: Any, topic: str, event: str, payload: Any, has_join_ref: bool
) -> None:
    frame = {"topic": topic, "event": event, "payload": payload, "ref": ref}
    if has_join_ref:
        frame["join_ref"] = ref
    push = JSON_V1.decode(json.dumps(frame).encode(), is_binary=False)
    assert push.join_ref == (text_of(ref) if has_join_ref else b"null")
    back = JSON_V1.push((push.join_ref, push.ref), push.topic, push.event, push.payload)
    assert json.loads(body_of(back)) == {
        "topic": topic,
        "event": event,
        "payload": payload,
        "ref": ref,
    }


@given(SHORT, SHORT, SHORT, SHORT, st.binary(max_size=300))
def test_a_binary_frame_is_read_as_it_was_written(
    join_ref: str, ref: str, topic: str, event: str, data: bytes
) -> None:
    fields = [field.encode() for field in (join_ref, ref, topic, event)]
    message = bytes((0, *map(len, fields))) + b"".join(fields) + data
    push = binary_codec.decode(message)
    assert (push.topic, push.event, push.payload) == (topic, event, data)
    assert json.loads(push.join_ref) == (join_ref or None)
    back = body_of(binary_codec.reply((push.join_ref, push.ref), topic, "ok", data))
    sizes = [len(join_ref.encode()), len(ref.encode()), len(topic.encode()), 2]
    assert back == bytes((1, *sizes)) + fields[0] + fields[1] + fields[2] + b"ok" + data
    pushed = body_of(binary_codec.push(push.join_ref, topic, event, data))
    assert (
        pushed
        == bytes((0, sizes[0], sizes[2], len(fields[3]))) + fields[0] + fields[2] + fields[3] + data
    )


@given(st.binary(max_size=80))
def test_any_bytes_are_a_binary_push_or_a_breach(data: bytes) -> None:
    with suppress(SocketError):
        assert isinstance(binary_codec.decode(data).payload, Binary)


@given(st.one_of(st.binary(max_size=80), JSON.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_are_a_text_push_or_a_breach(data: bytes) -> None:
    for codec in (JSON_V1, JSON_V2):
        with suppress(SocketError):
            assert not isinstance(codec.decode(data, is_binary=False).payload, Binary)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("is_binary", [True, False])
def test_a_message_of_any_size_is_one_whole_frame(size: int, is_binary: bool) -> None:
    body = b"x" * size
    assert unframed(wire(body, is_binary=is_binary).framed) == [(body, is_binary)]


@pytest.mark.parametrize("field", ["topic", "event", "status"])
def test_a_binary_header_field_may_have_255_bytes_and_no_more(field: str) -> None:
    fits, bursts = "é" * 127 + "x", "é" * 128

    def frame(value: str) -> Any:
        if field == "event":
            return binary_codec.broadcast("t", value, b"")
        if field == "topic":
            return binary_codec.push(b"null", value, "e", b"")
        return binary_codec.reply((b"null", b"null"), "t", value, b"")

    assert frame(fits) is not None
    assert frame(bursts) is None


def test_v1_carries_no_binary() -> None:
    refs = (b"null", b"null")
    assert JSON_V1.reply(refs, "t", "ok", Binary(b"")) is None
    assert JSON_V1.push(refs, "t", "e", Binary(b"")) is None
    assert JSON_V1.broadcast("t", "e", Binary(b"")) is None


@pytest.mark.parametrize(
    ("vsn", "codec"),
    [
        (None, JSON_V1),
        ("1.0.0", JSON_V1),
        ("1.0.7", JSON_V1),
        ("2.0.0", JSON_V2),
        ("2.0.9", JSON_V2),
        ("1.1.0", None),
        ("2.1.0", None),
        ("3.0.0", None),
        ("2.0", None),
        ("2", None),
        ("", None),
        ("2.0.0\n", None),
        ("\uff12.0.0", None),
        ("v2.0.0", None),
        ({"0": "2.0.0"}, None),
    ],
)
def test_the_version_asked_for_decides_the_codec(vsn: object, codec: object) -> None:
    assert for_version(vsn) is codec
