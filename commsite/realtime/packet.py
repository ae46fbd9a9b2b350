"""What travels between processes: packets of announcements and control messages, and calls. MessagePack."""

from typing import Any

import msgspec

from commsite.realtime.announcement import Announcement
from commsite.realtime.topic import SHARDS

CONTROL = SHARDS
"""The shard that every process is in."""
OUTSIDE = 0
"""The epoch of a node that lives for one message (a management command): nothing can be missed of it."""


class Control(msgspec.Struct, array_like=True, tag="c"):
    """A message to every process."""

    kind: str
    payload: dict[str, Any]


class Envelope(msgspec.Struct, array_like=True, tag="a"):
    """An announcement on its way."""

    announcement: Announcement


class Packet(msgspec.Struct, array_like=True):
    """What travels: `first` is the number of the first item in this shard; a probe has no items."""

    node: str
    epoch: int
    shard: int
    first: int
    items: list[Envelope | Control]
    probe: str | None = None
    heads: dict[int, int] | None = None


class Call(msgspec.Struct, array_like=True):
    """A request to one process, or the answer to it (`kind` None)."""

    id: str
    reply_to: str
    kind: str | None
    payload: dict[str, Any]


pack = msgspec.msgpack.Encoder().encode
unpack_packet = msgspec.msgpack.Decoder(Packet).decode
unpack_call = msgspec.msgpack.Decoder(Call).decode


def group_of(shard: int) -> str:
    """The layer's group of a shard."""
    return "commsite.control" if shard == CONTROL else f"commsite.shard.{shard}"
