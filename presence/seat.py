"""A seat: one connection of a person on one topic, and the entry that shows it. Event loop only."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import msgspec

from commsite.realtime.errors import PushError
from commsite.realtime.user_socket import UserSocket
from presence.naming import Name, hidden
from presence.schema import Activity, PersonMeta
from presence.telling import Push
from presence.tracker.delta import Entry
from presence.tracker.state import NotTracked


class Door(Protocol):
    """The tracker, as far as seats need it."""

    def track(self, topic: str, key: str, id: str, meta: Mapping[str, Any]) -> None:  # noqa: A002
        """Adds an entry."""

    def update(self, topic: str, key: str, id: str, changes: Mapping[str, Any]) -> None:  # noqa: A002
        """Changes an entry's meta. Raises NotTracked."""

    def untrack(self, topic: str, key: str, id: str) -> None:  # noqa: A002
        """Removes an entry; `People.forget` hears of it."""

    def get_by_key(self, topic: str, key: str) -> tuple[Entry, ...]:
        """The entries of one key."""


class Seat:
    """`may_hide` says whether somebody who appears offline does so on this topic."""

    __slots__ = (
        "_door",
        "id",
        "is_hidden",
        "is_live",
        "key",
        "may_hide",
        "push",
        "socket",
        "topic",
    )

    def __init__(self, place: Name, socket: UserSocket, push: Push, *, may_hide: bool) -> None:
        self.topic, self.key, self.id = place
        self.socket = socket
        self.push = push
        self.may_hide = may_hide
        self.is_hidden = False
        self.is_live = True

    @property
    def name(self) -> Name:
        """Where and under which name the entry is tracked."""
        return (hidden(self.topic) if self.is_hidden else self.topic, self.key, self.id)

    def enter(self, door: Door, meta: PersonMeta, *, is_hidden: bool) -> None:
        """Tracks the entry, without its status line if it is too large with it. Raises PushError("too_large")."""
        self._door = door
        self.is_hidden = is_hidden and self.may_hide
        try:
            self._track(dict(meta))
        except PushError:
            self._track({**meta, "status": None})

    def release(self) -> None:
        """The socket is gone; the entry may stay a while without it."""
        self.is_live = False
        del self.socket, self.push

    def change(self, changes: Mapping[str, Any]) -> None:
        """Puts `changes` into what is told of this connection; nothing once an admin has taken the entry away, nor
        what is too large for it."""
        with suppress(NotTracked, PushError):
            self._door.update(*self.name, changes)

    def show(self, activity: Activity) -> None:
        """Shows how attentive the connection is."""
        self.change({"activity": activity})

    def move(self, *, is_hidden: bool) -> None:
        """Out of sight of the others, or back into it. What only waits for its device to come back just goes."""
        if not self.may_hide or is_hidden == self.is_hidden:
            return
        topic, key, id = old = self.name  # noqa: A001  the entry's word
        entry = next((one for one in self._door.get_by_key(topic, key) if one.id == id), None)
        if entry is None:
            return
        if not self.is_live:
            self._door.untrack(*old)
            return
        self.is_hidden = is_hidden
        self._door.untrack(*old)
        self._track(msgspec.json.decode(entry.meta))

    def _track(self, meta: dict[str, Any]) -> None:
        meta.pop("hidden", None)
        if self.is_hidden:
            meta["hidden"] = True
        self._door.track(*self.name, meta)
