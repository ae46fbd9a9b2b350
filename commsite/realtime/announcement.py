"""An announcement: one event on its way to everyone who joined a topic, in this process and in others."""

from collections.abc import Callable, Mapping

import msgspec

from commsite.realtime.codec import Codec
from commsite.realtime.envelope import Binary, Wire
from commsite.realtime.registry import Delivery, mirror_of

_ABSENT = object()


class Announcement(msgspec.Struct, array_like=True, omit_defaults=True):
    """Travels between processes as MessagePack. `payload` is JSON text, or raw bytes when `is_binary`.

    `seq` orders must events of a topic that keeps history; `key` conflates state events; `exclude` is the id of the
    channel that shall not get it (Phoenix's broadcast_from). `version` numbers the pieces in which the state of a key
    is told: whoever cannot take each of them gets a snapshot.
    """

    topic: str
    event: str
    payload: bytes
    delivery: Delivery = Delivery.MUST
    seq: int | None = None
    key: str | None = None
    exclude: str | None = None
    is_binary: bool = False
    version: int | None = None

    @property
    def conflation_key(self) -> tuple[str, str, str] | None:
        """What a state event is the latest value of, None when nothing replaces it."""
        return None if self.key is None else (self.topic, self.event, self.key)

    def is_after(self, floor: int | None, versions: Mapping[str, int]) -> bool:
        """Whether it tells more than a history up to `floor` and snapshots of these versions."""
        if self.version is not None and self.key is not None:
            return self.version > versions.get(self.key, -1)
        return floor is None or self.seq is None or self.seq > floor


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

    def renewal(self, codec: Codec) -> Callable[[], Wire | None] | None:
        """Makes the frame of a snapshot, for who missed pieces; None where the latest event says everything."""
        its = self.announcement
        if its.version is None or its.key is None:
            return None
        key = its.key

        def renew() -> Wire | None:
            mirror = mirror_of(its.event)
            snapshot = None if mirror is None else mirror.snapshot(key)
            return None if snapshot is None else codec.broadcast(its.topic, its.event, snapshot)

        return renew
