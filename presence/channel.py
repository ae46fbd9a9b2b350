"""Channels on which people see each other: the base that rooms add to theirs, and the topic `presence:<scope>`."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from commsite.clients.device import name_from
from commsite.realtime.channel import JOINED, Channel, handles
from commsite.realtime.errors import PushError
from commsite.realtime.registry import visibility_of
from commsite.realtime.threads import in_thread
from presence import actions, queries
from presence.schema import Activity, PersonMeta, SetActivity, SetStatus, StatusShape
from presence.tracker.state import NotTracked
from presence.tracking import tracking

LOBBY = "lobby"
"""The scope that is the whole site."""
UPDATES_PER_S = 2.0
UPDATES_AT_ONCE = 5.0


class AttendedChannel(Channel):
    """Shows the person behind this socket to the others on the topic, and them to the person.

    After the join: `presence_state`, then `presence_diff`s. A socket that drops keeps its entry for the time of grace.
    """

    __slots__ = ()

    _entry_id: str | None = None
    _activity: Activity = "active"
    _spent = 0.0
    _spent_at = 0.0

    def entered(self) -> None:
        """Begins to be seen, and to see."""
        self.socket.spawn(self._appear())

    async def leave(self) -> None:
        """Goes at once when the person left or was sent away; else somebody may just be reloading a page."""
        if self._entry_id is None:
            return
        name = (str(self.topic), str(self.identity.user_id), self._entry_id)
        code = self.socket.close_code
        if self.has_stopped or (code is not None and not code.may_resume):
            tracking.untrack(*name)
        else:
            tracking.drop(*name)

    @handles("set_activity", SetActivity)
    def on_set_activity(self, command: SetActivity) -> None:
        """Tells the others how attentive the person is here."""
        self._spend()
        self._activity = command.activity
        if self._entry_id is None:
            return
        key = str(self.identity.user_id)
        with suppress(NotTracked):  # an admin has taken the entry away
            tracking.update(str(self.topic), key, self._entry_id, {"activity": command.activity})

    @handles("set_status", SetStatus)
    async def on_set_status(self, command: SetStatus) -> Mapping[str, Any]:
        """{"status": S or null}: stored, and shown by all connections of this person."""
        self._spend()
        status = await in_thread(actions.set_status, self.identity.user_id, command)
        return {"status": status}

    async def _appear(self) -> None:
        status = await self._status()
        if self.state != JOINED:
            return
        device = device_id(self.identity.session_id)
        entry_id = f"{device}/{self.id}"
        topic = str(self.topic)
        tracking.appear(topic, str(self.identity.user_id), entry_id, self._meta(device, status))
        self._entry_id = entry_id
        await tracking.complete()
        for event, payload in tracking.snapshot(topic):
            self.push(event, msgspec.Raw(payload))

    async def _status(self) -> StatusShape | None:
        known = tracking.status_here(self.identity.user_id)
        while known is None:
            seen = tracking.status_changes
            try:
                status = await in_thread(queries.status_of, self.identity.user_id)
            except PushError:  # no database: better seen without a status line than not at all
                return None
            if tracking.status_changes == seen:
                return status
        return known[0]

    def _meta(self, device: str, status: StatusShape | None) -> PersonMeta:
        context = self.socket.context
        return {
            "username": self.identity.username,
            "session": device,
            "device": name_from(context.user_agent),
            "kind": "browser" if context.credential == "cookie" else "program",
            "activity": self._activity,
            "status": status,
            "online_at": datetime.now(UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
        }

    def _spend(self) -> None:
        """Everybody hears of each change: a few at once, then two a second."""
        now = self.socket.hub.wheel.tick * 1.0
        self._spent = max(0.0, self._spent - (now - self._spent_at) * UPDATES_PER_S)
        self._spent_at = now
        if self._spent >= UPDATES_AT_ONCE:
            raise PushError("rate_limited", retry_after_ms=1000)
        self._spent += 1.0


class PresenceChannel(AttendedChannel):
    """`presence:<scope>`: who is online in a scope."""

    __slots__ = ()

    async def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """Lets in whoever may see the scope."""
        may_see = visibility_of(self.topic.kind)
        if may_see is None:
            raise PushError("not_found")
        await in_thread(may_see, self.identity.user_id, self.topic.id)
        return {"user": {"id": self.identity.user_id, "username": self.identity.username}}


def device_id(session_id: str) -> str:
    """A short name for a client session: the same on every topic, and no way back to the session."""
    return hashlib.blake2s(session_id.encode(), digest_size=6).hexdigest()


def may_see_scope(user_id: int, scope: str) -> None:
    """Everybody who is logged in may see the lobby; no other scope exists. Raises PushError("not_found")."""
    if scope != LOBBY:
        raise PushError("not_found", "There is no such scope.")
