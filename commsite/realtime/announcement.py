"""An announcement: one event on its way to everyone who joined a topic, in this process and in others."""

import msgspec

from commsite.realtime.codec import Codec
from commsite.realtime.envelope import Binary, Wire
from commsite.realtime.registry import Delivery

_ABSENT = object()


class Announcement(msgspec.Struct, array_like=True, omit_defaults=True):
    """Travels between processes as MessagePack. `payload` is JSON text, or raw bytes when `is_binary`.

    `seq` orders must events of a topic that keeps history; `key` conflates state events; `exclude` is the id of the
    channel that shall not get it (Phoenix's broadcast_from).
    """

    topic: str
    event: str
    payload: bytes
    delivery: Delivery = Delivery.MUST
    seq: int | None = None
    key: str | None = None
    exclude: str | None = None
    is_binary: bool = False

    @property
    def conflation_key(self) -> tuple[str, str, str] | None:
        """What a state event is the latest value of, None when nothing replaces it."""
        return None if self.key is None else (self.topic, self.event, self.key)


class Outgoing:
    """An announcement in this process, with the frames made from it: each codec encodes it once."""

    __slots__ = ("_wires", "announcement")

    def __init__(self, announcement: Announcement) -> None:
        self.announcement = announcement
        self._wires: dict[str, Wire | None] = {}

    def wire(self, codec: Codec) -> Wire | None:
        """The frame for this codec; None when the codec cannot carry it."""
        found = self._wires.get(codec.name, _ABSENT)
        if found is _ABSENT:
            its = self.announcement
            payload = Binary(its.payload) if its.is_binary else its.payload
            found = self._wires[codec.name] = codec.broadcast(its.topic, its.event, payload)
        return found  # type: ignore[return-value]
