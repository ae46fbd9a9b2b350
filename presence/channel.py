"""Channels on which people see each other: the base that rooms add to theirs, and the topic `presence:<scope>`."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from commsite.clients.device import name_from
from commsite.realtime.channel import JOINED, Channel, handles
from commsite.realtime.errors import PushError
from commsite.realtime.registry import visibility_of
from commsite.realtime.threads import in_thread
from presence import actions, belonging
from presence.naming import short
from presence.schema import FetchViewers, PersonMeta, SetActivity, SetStatus
from presence.seat import Seat
from presence.tracking import tracking

LOBBY = "lobby"
"""The scope that is the whole site."""


class AttendedChannel(Channel):
    """Shows the person behind this socket to the others on the topic, and them to the person.

    After the join: `presence_state`, then `presence_diff`s. A socket that drops keeps its entry for the time of grace.
    """

    __slots__ = ()

    may_hide: ClassVar[bool] = False
    """Whether people who appear offline do so on this topic."""
    seat: Seat | None = None

    def entered(self) -> None:
        """Begins to be seen, and to see."""
        self.socket.spawn(self._appear())

    async def leave(self) -> None:
        """Goes at once when the person left or was sent away; else somebody may just be reloading a page."""
        seat, self.seat = self.seat, None
        if seat is None:
            return
        code = self.socket.close_code
        if self.has_stopped or (code is not None and not code.may_resume):
            tracking.people.leave(seat)
        else:
            tracking.people.drop(seat)

    @handles("set_activity", SetActivity)
    def on_set_activity(self, command: SetActivity) -> None:
        """Tells how attentive the person is, on all topics of this socket."""
        self.spend()
        tracking.people.attention.say(self.socket, command.activity)

    @handles("set_status", SetStatus)
    async def on_set_status(self, command: SetStatus) -> Mapping[str, Any]:
        """{"status": S or null}: stored, and shown by all connections of this person."""
        self.spend()
        shape = {"text": command.text, "emoji": command.emoji, "expires_at": time.time()}
        tracking.weigh({**self.meta(), "status": shape})
        status = await in_thread(actions.set_status, self.identity.user_id, command)
        return {"status": status}

    def meta(self) -> PersonMeta:
        """What is told of this connection at first; activity and status line are put in where it appears."""
        context = self.socket.context
        return {
            "username": self.identity.username,
            "session": short(self.identity.session_id),
            "device": name_from(context.user_agent),
            "kind": "browser" if context.credential == "cookie" else "program",
            "activity": "active",
            "status": None,
            "online_at": datetime.now(UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
        }

    def spend(self) -> None:
        """Everybody hears of each change of oneself: raises PushError("rate_limited") when there are too many."""
        tracking.people.attention.of(self.socket).spend(self.socket.hub.wheel.tick * 1.0)

    async def _appear(self) -> None:
        manner = await tracking.people.manner_of(self.identity.user_id)
        if self.state != JOINED:
            return
        topic, key = str(self.topic), str(self.identity.user_id)
        name = (topic, key, f"{short(self.identity.session_id)}/{self.id}")
        self.seat = Seat(name, self.socket, self.push, may_hide=self.may_hide)
        tracking.people.sit(self.seat, self.meta(), manner)
        await tracking.complete()
        await self.tell_who_is_here(topic, key)

    async def tell_who_is_here(self, topic: str, key: str) -> None:
        """Sends the list, no faster than it is taken."""
        for event, payload in tracking.telling.snapshot(topic, key):
            self.push(event, msgspec.Raw(payload))
            await asyncio.sleep(0)  # a long list holds up nobody else
            await self.socket.outbox.when_clear()
            if self.state != JOINED:
                return


class PresenceChannel(AttendedChannel):
    """`presence:<scope>`: who is online in a scope."""

    __slots__ = ()

    may_hide = True

    async def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """Lets in whoever may see the scope."""
        may_see = visibility_of(self.topic.kind)
        if may_see is None:
            raise PushError("not_found")
        await in_thread(may_see, self.identity.user_id, self.topic.id)
        return {"user": {"id": self.identity.user_id, "username": self.identity.username}}

    @handles("fetch_viewers", FetchViewers)
    async def on_fetch_viewers(self, command: FetchViewers) -> Mapping[str, Any]:
        """{"viewers": {topic: [user ids]}}: who of this scope has which room before their eyes; only rooms that one
        may see, and only where somebody is."""
        self.spend()
        found = tracking.viewers(str(self.topic), command.topics)
        allowed = await in_thread(belonging.seen_by, self.identity.user_id, list(found))
        return {"viewers": {topic: found[topic] for topic in allowed}}


def may_see_scope(user_id: int, scope: str) -> None:
    """Everybody who is logged in may see the lobby; no other scope exists. Raises PushError("not_found")."""
    if scope != LOBBY:
        raise PushError("not_found", "There is no such scope.")
