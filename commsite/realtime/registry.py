"""What the apps tell the core in `ready()`: which channel serves a topic, how history is read, how events deliver."""

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from commsite.realtime.mirror import Folding, Mirror

if TYPE_CHECKING:
    from commsite.realtime.channel import Channel


class Delivery(enum.IntEnum):
    """How an event type is queued, conflated, dropped and replayed. Declared once per event type."""

    MUST = 0
    """Ordered and replayable: a slow client is closed rather than given a gap."""
    STATE = 1
    """The latest value per key wins."""
    EPHEMERAL = 2
    """May be dropped."""


class Fact(msgspec.Struct, frozen=True):
    """One event of a topic that keeps history."""

    event: str
    payload: dict[str, Any]
    seq: int


class State(msgspec.Struct, frozen=True):
    """A state that is told in pieces, as one event: all pieces of `key` up to `version`."""

    event: str
    key: str
    version: int
    payload: dict[str, Any]


HistoryReader = Callable[[str, int, int], list[Fact]]
"""(topic id, after, up to and including) -> the facts between, in order of seq. Runs in a database thread."""

MaySee = Callable[[int, str], None]
"""(user id, topic id): raises PushError when this user may not see who is there. Runs in a database thread."""

_mirrors: dict[str, Mirror[Any]] = {}
_visibilities: dict[str, MaySee] = {}
_routes: dict[str, "type[Channel]"] = {}
_histories: dict[str, HistoryReader] = {}
_deliveries: dict[str, Delivery] = {}


def route(kind: str, channel: "type[Channel]") -> None:
    """Serves topics of this kind by `channel`. Raises ValueError when the kind is served already."""
    if _routes.setdefault(kind, channel) is not channel:
        raise ValueError(f"topics of kind {kind!r} are served by {_routes[kind].__name__} already")


def channel_for(kind: str) -> "type[Channel] | None":
    """The channel class of a topic kind."""
    return _routes.get(kind)


def history(kind: str, read: HistoryReader) -> None:
    """Lets the hub fill holes in the sequence of such topics from the database."""
    _histories[kind] = read


def history_of(kind: str) -> HistoryReader | None:
    """The reader of a topic kind, None for topics that keep no history."""
    return _histories.get(kind)


def visible(kind: str, may_see: MaySee) -> None:
    """Says who may see who is present on topics of this kind; without it nobody may."""
    _visibilities[kind] = may_see


def visibility_of(kind: str) -> MaySee | None:
    """The permission of a topic kind, None where nobody may see anybody."""
    return _visibilities.get(kind)


def declare(event: str, delivery: Delivery) -> None:
    """Declares an event type. Raises ValueError when it was declared otherwise."""
    if _deliveries.setdefault(event, delivery) is not delivery:
        raise ValueError(f"event {event!r} is declared {_deliveries[event].name} already")


def delivery_of(event: str) -> Delivery:
    """The class of an event type. Raises LookupError when nobody declared it."""
    try:
        return _deliveries[event]
    except KeyError:
        raise LookupError(
            f"event {event!r} was never declared: registry.declare() in the app's ready()"
        ) from None


def mirror(event: str, folding: Folding[Any]) -> None:
    """Lets slow clients have snapshots of a state event that is told in pieces (announced with `version`)."""
    _mirrors[event] = Mirror(folding)


def mirror_of(event: str) -> Mirror[Any] | None:
    """The mirror of an event type, None where the latest event says everything."""
    return _mirrors.get(event)


def declared_events() -> dict[str, Delivery]:
    """All declared event types."""
    return dict(_deliveries)
