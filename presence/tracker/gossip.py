"""What replicas say to each other, and its bytes (MessagePack). Pure."""

import msgspec

from presence.tracker.clock import Clock
from presence.tracker.delta import Delta
from presence.tracker.replica import Replica


class Heartbeat(msgspec.Struct, array_like=True, tag="heartbeat"):
    """To everybody: I live, I know this much, and since my last heartbeat this happened here.

    The only sign of life. `number` counts a replica's heartbeats, so that an old or doubled one is no second sign.
    """

    sender: Replica
    number: int
    clock: Clock
    delta: Delta | None = None


class TransferRequest(msgspec.Struct, array_like=True, tag="request"):
    """To one: you know more of these replicas; I know them up to here."""

    sender: Replica
    to: Replica
    clock: Clock


class TransferAnswer(msgspec.Struct, array_like=True, tag="answer"):
    """To one: this is what you asked for, one replica's worth of it, or a part of that.

    The parts of an answer have one stretch between them; each holds some of its entries and removals. They mean
    something only together. `clock` is what the replica that the answer is about knew when all this had happened:
    somebody may have left there because they had come elsewhere.
    """

    sender: Replica
    to: Replica
    delta: Delta
    number: int = 0
    of: int = 1
    clock: Clock = {}


class Goodbye(msgspec.Struct, array_like=True, tag="goodbye"):
    """To everybody: I end, and knew this much. Show my entries for `linger_s` more: my clients come back elsewhere."""

    sender: Replica
    linger_s: float = 0.0
    delta: Delta | None = None
    clock: Clock = {}


Gossip = Heartbeat | TransferRequest | TransferAnswer | Goodbye

encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Gossip] = msgspec.msgpack.Decoder(Gossip)


def decode(data: bytes) -> Gossip:
    """The message in these bytes. Raises msgspec.DecodeError (or its ValidationError) when there is none."""
    return _decoder.decode(data)


def receiver(message: Gossip) -> Replica | None:
    """The one it is for; None when it is for everybody."""
    return message.to if isinstance(message, TransferRequest | TransferAnswer) else None
