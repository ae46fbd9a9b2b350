"""The shapes of presence: what clients may say of themselves, and what is told of a person."""

from typing import Annotated, Any, Literal, TypedDict

import msgspec

from commsite.realtime.schema import Payload
from presence.models import EMOJI_CHARS, STATUS_TEXT_CHARS

Activity = Literal["active", "idle", "away"]
MAX_STATUS_S = 30 * 86_400


class SetActivity(Payload):
    """How attentive the person at this client is."""

    activity: Activity


class SetStatus(Payload):
    """A person's own status line, on all their devices; empty text and emoji clear it."""

    text: Annotated[str, msgspec.Meta(max_length=STATUS_TEXT_CHARS)] = ""
    emoji: Annotated[str, msgspec.Meta(max_length=EMOJI_CHARS)] = ""
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=MAX_STATUS_S)] | None = None


class StatusShape(TypedDict):
    """A status line; `expires_at` in unix seconds."""

    text: str
    emoji: str
    expires_at: float | None


class PersonMeta(TypedDict):
    """One connection of a person on a topic. The tracker adds `phx_ref`."""

    username: str
    session: str
    device: str
    kind: Literal["browser", "program"]
    activity: Activity
    status: StatusShape | None
    online_at: str


class TopicPresence(TypedDict):
    """Who is on a topic. `presences` is empty where only the count is told."""

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
