"""Messages and their bytes."""

from __future__ import annotations

import msgspec
import pytest

from presence.tracker.delta import Delta, Entry
from presence.tracker.gossip import (
    Goodbye,
    Gossip,
    Heartbeat,
    TransferAnswer,
    TransferRequest,
    decode,
    encode,
    receiver,
)
from presence.tracker.replica import Replica

A, B = Replica("a", 1), Replica("b", 2)
ADA = Entry("conversation:lobby", "ada", "tab", b'{"name":"Ada"}', A.ref(9))
DELTA = Delta(A, 7, 9, {9: ADA}, {3, 4})


@pytest.mark.parametrize(
    "message",
    [
        Heartbeat(A, 1, {A: 9, B: 2}, DELTA),
        Heartbeat(A, 2, {}),
        TransferRequest(A, B, {B: 2}),
        TransferAnswer(B, A, DELTA),
        Goodbye(A, 15.0, DELTA),
        Goodbye(A),
    ],
)
def test_every_message_comes_back_from_its_bytes(message: Gossip) -> None:
    assert decode(encode(message)) == message


def test_a_request_and_an_answer_are_for_one_and_the_rest_for_everybody() -> None:
    assert receiver(TransferRequest(A, B, {})) == B
    assert receiver(TransferAnswer(A, B, DELTA)) == B
    assert receiver(Heartbeat(A, 1, {})) is None
    assert receiver(Goodbye(A)) is None


@pytest.mark.parametrize(
    "data", [b"", b"\xc0", b"not gossip", encode(["heartbeat", 1]), encode({})]
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(data)


def test_an_entry_costs_little_more_than_its_texts_on_the_wire() -> None:
    texts = len(ADA.topic) + len(ADA.key) + len(ADA.id) + len(ADA.meta) + len(ADA.ref)

    assert len(encode(ADA)) - texts <= 8
