"""A client that sends a lot gets its turn like everybody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest_asyncio

from commsite.server import uvicorn_turns
from commsite.server.uvicorn_turns import MANY_FRAGMENTS, SLICE_BYTES
from tests.commsite.server.test_uvicorn_transport import Rig
from tests.support.socket_client import settle

if TYPE_CHECKING:
    import pytest

MASK = b"\1\2\3\4"


def masked(body: bytes, opcode: int = 1, *, is_final: bool = True) -> bytes:
    """A small frame as a client sends it."""
    hidden = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(body))
    return bytes((is_final << 7 | opcode, 0x80 | len(body))) + MASK + hidden


class Crowd(Rig):
    """A rig that hears messages and knows whether its connection is read."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes] = []
        self.is_read = asyncio.Event()
        self.is_read.set()
        self.tcp.pause_reading = self.is_read.clear  # type: ignore[method-assign]
        self.tcp.resume_reading = self.is_read.set  # type: ignore[method-assign]

    def hear(self, data: bytes, is_binary: bool) -> None:
        """The listener."""
        self.heard.append(bytes(data))


@pytest_asyncio.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    monkeypatch.setattr(uvicorn_turns, "TURN_S", 0.0)
    made = Crowd()
    await settle()
    made.transport.listen(made.hear)
    made.tcp.writes.clear()
    return made


async def test_a_flood_of_frames_is_taken_in_turns_and_in_order(rig: Crowd) -> None:
    flood = [b"%d" % number for number in range(20_000)]
    rig.protocol.data_received(b"".join(masked(body) for body in flood))
    assert len(rig.heard) <= SLICE_BYTES // len(masked(b""))
    assert not rig.is_read.is_set()
    rig.protocol.data_received(masked(b"last"))
    await rig.is_read.wait()
    assert rig.heard == [*flood, b"last"]


async def test_what_waits_for_its_turn_goes_with_the_connection(rig: Crowd) -> None:
    rig.protocol.data_received(masked(b"x") * 5_000)
    count = len(rig.heard)
    rig.protocol.connection_lost(None)
    await settle()
    assert len(rig.heard) == count


async def test_a_client_that_does_not_read_gets_no_more_pongs(rig: Crowd) -> None:
    rig.client_sends(b"a", opcode=9)
    rig.protocol.pause_writing()
    rig.client_sends(b"b", opcode=9)
    rig.protocol.resume_writing()
    rig.client_sends(b"c", opcode=9)
    assert rig.tcp.writes == [b"\x8a\x01a", b"\x8a\x01c"]


async def test_a_message_in_very_many_fragments_is_kept_in_few_pieces(rig: Crowd) -> None:
    rig.protocol.data_received(masked(b"<", is_final=False))
    for _ in range(3 * MANY_FRAGMENTS):
        rig.protocol.data_received(masked(b"", opcode=0, is_final=False))
        assert len(rig.protocol.frames) <= MANY_FRAGMENTS
    rig.protocol.data_received(masked(b">", opcode=0))
    assert rig.heard == [b"<>"]
