"""What tests of presence do on topics: come in, wait for a diff, look at what the tracker has."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from commsite.realtime.hub import hub
from presence.tracker.rendering import presences
from presence.tracking import tracking
from tests.support.phoenix_client import PhoenixClient

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Connect = Callable[..., Awaitable[PhoenixClient]]
LOBBY = "presence:lobby"


async def enter(client: PhoenixClient, topic: str = LOBBY) -> dict[str, Any]:
    """Joins the topic; returns the presence_state that follows."""
    await client.join(topic)
    state: dict[str, Any] = (await client.next("presence_state")).payload
    return state


async def the_diff(client: PhoenixClient, side: str, user: User) -> dict[str, Any]:
    """The next diff in which this person joins or leaves: their meta."""
    while True:
        diff = (await client.next("presence_diff")).payload
        if str(user.pk) in diff[side]:
            meta: dict[str, Any] = diff[side][str(user.pk)]["metas"][0]
            return meta


def state_of(topic: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(presences(tracking.list(topic)))
    return state


def pass_time(seconds: float) -> None:
    """Everything that is due within these seconds happens now."""
    for _ in range(round(seconds)):
        for action in hub.wheel.advance():
            action()
