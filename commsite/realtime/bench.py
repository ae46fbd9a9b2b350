"""`bench:<name>` (only with COMMSITE_BENCH=1): where load generators measure that know nothing but Phoenix."""

from commsite.realtime import registry
from commsite.realtime.announcement import Announcement
from commsite.realtime.channel import NO_REPLY, Channel, handles
from commsite.realtime.envelope import Binary
from commsite.realtime.hub import hub
from commsite.realtime.registry import Delivery


class BenchChannel(Channel):
    """`msg` is broadcast as it came to all who joined, the sender too; `echo` is replied as it came."""

    __slots__ = ()

    @handles("msg")
    def on_msg(self, payload: bytes) -> object:
        """Broadcasts the payload without looking into it."""
        hub.announce(
            Announcement(
                str(self.topic),
                "msg",
                bytes(payload),
                Delivery.MUST,
                is_binary=isinstance(payload, Binary),
            )
        )
        return NO_REPLY

    @handles("echo")
    def on_echo(self, payload: bytes) -> bytes:
        """Replies the payload."""
        return payload


def install() -> None:
    """Serves the bench topics."""
    registry.route("bench", BenchChannel)
    registry.declare("msg", Delivery.MUST)
