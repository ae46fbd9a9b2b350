"""The shapes of presence: what clients may say of themselves, and what is told of a person."""

from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import msgspec

from commsite.realtime.schema import Payload
from presence.models import EMOJI_CHARS, STATUS_TEXT_CHARS

Activity = Literal["active", "idle", "away"]
ACTIVITIES: tuple[Activity, ...] = ("active", "idle", "away")
"""The most attentive first."""
MAX_STATUS_S = 30 * 86_400
MAX_TOPICS_ASKED = 100
# NUL cannot be stored by PostgreSQL and half a surrogate pair cannot be stored by anyone.
_STORABLE = r"^[^\x00\ud800-\udfff]*$"


# --- What clients say ----------------------------------------------------------------------------
class SetActivity(Payload):
    """How attentive the person at this client is."""

    activity: Activity


class SetStatus(Payload):
    """A person's own status line, on all their devices; empty text and emoji clear it."""

    text: Annotated[str, msgspec.Meta(max_length=STATUS_TEXT_CHARS, pattern=_STORABLE)] = ""
    emoji: Annotated[str, msgspec.Meta(max_length=EMOJI_CHARS, pattern=_STORABLE)] = ""
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=MAX_STATUS_S)] | None = None


class SetViewing(Payload):
    """Whether the person has this room before their eyes: its page is open and not hidden."""

    viewing: bool


class MoveCursor(Payload):
    """Where the person points and what they have selected, in the room's own words; a null `anchor` is nowhere."""

    anchor: msgspec.Raw
    selection: msgspec.Raw = msgspec.Raw(b"null")


class FetchViewers(Payload):
    """Who has which of these rooms before their eyes."""

    topics: Annotated[list[str], msgspec.Meta(max_length=MAX_TOPICS_ASKED)]


# --- What is told --------------------------------------------------------------------------------
class StatusShape(TypedDict):
    """A status line; `expires_at` in unix seconds."""

    text: str
    emoji: str
    expires_at: float | None


class PersonMeta(TypedDict):
    """One connection of a person on a topic. The tracker adds `phx_ref`.

    `viewing` is there in rooms only; `hidden` (true) only where a person who appears offline sees themselves.
    """

    username: str
    session: str
    device: str
    kind: Literal["browser", "program"]
    activity: Activity
    status: StatusShape | None
    online_at: str
    viewing: NotRequired[bool]
    hidden: NotRequired[bool]


class TopicPresence(TypedDict):
    """Who is on a topic. `presences` names nobody but oneself where only the count is told."""

    topic: str
    count: int
    presences: dict[str, dict[str, list[dict[str, Any]]]]


class ReportRow(TypedDict):
    """What one process says of one replica. `silent_s` is None for its own."""

    replica: str
    condition: str
    version: int
    silent_s: float | None
    entries: int
    cloud: int
    generations: list[int]


class Manner(NamedTuple):
    """What a person has chosen about being seen, as the database has it."""

    status: StatusShape | None = None
    is_hidden: bool = False
    """Appears offline on the site."""
    is_remembered: bool = True
    """May be shown as last seen."""
