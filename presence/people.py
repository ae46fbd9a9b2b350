"""The people whose sockets are in this process: where they are seen, how they want to be, until when. Event loop only.

A seat is one connection on one topic. What is known of a person (status line, whether they appear offline) is kept
while they have a seat here and follows what they change, wherever they change it.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from commsite.realtime.deadlines import TICK_S
from commsite.realtime.errors import PushError
from commsite.realtime.hub import hub
from presence.attention import Attention
from presence.grace import Grace
from presence.manners import READ_AT_ONCE, Manners
from presence.naming import Name, public
from presence.schema import Manner, PersonMeta, StatusShape
from presence.seat import Door, Seat
from presence.sightings import Sightings
from presence.telling import Telling
from presence.tracker.diff import Diff

ASK_AGAIN_S = 3.0


class Person:
    """Somebody with at least one entry here."""

    __slots__ = ("is_known", "manner", "seats")

    def __init__(self, manner: Manner, *, is_known: bool) -> None:
        self.manner = manner
        self.is_known = is_known
        self.seats: dict[tuple[str, str], Seat] = {}

    @property
    def is_here(self) -> bool:
        """Whether one of their sockets lives."""
        return any(seat.is_live for seat in self.seats.values())

    @property
    def may_be_remembered(self) -> bool:
        """Whether it may be kept that they are here: only as much as the others could see."""
        return self.is_known and self.manner.is_remembered and not self.manner.is_hidden


class People:
    """The persons of this process."""

    def __init__(self, door: Door, telling: Telling) -> None:
        self._door = door
        self._telling = telling
        self._persons: dict[str, Person] = {}
        self._grace = Grace()
        self._expiries: dict[str, float] = {}
        self.attention = Attention()
        self.sightings = Sightings(self._here)
        self._manners = Manners()

    # -- who they are

    async def manner_of(self, user_id: int) -> Manner | None:
        """How the person wants to be seen; None when the database does not say."""
        person = self._persons.get(str(user_id))
        if person is not None and person.is_known:
            return person.manner
        try:
            return await self._manners.of(user_id)
        except PushError:
            return None

    def on_status(self, payload: Mapping[str, Any]) -> None:
        """A person's status line has changed: all their entries here show it."""
        self._change(str(payload["user_id"]), {"status": payload["status"]})

    def on_manner(self, payload: Mapping[str, Any]) -> None:
        """A person has chosen anew who may see them, and whether they are remembered."""
        if not payload["is_remembered"]:
            self.sightings.forget(payload["user_id"])
        names = ("is_hidden", "is_remembered")
        self._change(str(payload["user_id"]), {name: payload[name] for name in names})

    async def look_again(self) -> None:
        """News of what people chose may have been lost: reads it again, of everybody who is here."""
        keys = [key for key, person in self._persons.items() if person.is_known]
        for start in range(0, len(keys), READ_AT_ONCE):
            batch = keys[start : start + READ_AT_ONCE]
            await asyncio.gather(*(self._look_again_at(key) for key in batch))

    async def _look_again_at(self, key: str) -> None:
        manner = await self._manners.of(int(key))
        person = self._persons.get(key)
        if person is not None and person.is_known:
            self._learn(key, person, manner)
        if not manner.is_remembered:
            self.sightings.forget(int(key))

    def _change(self, key: str, changes: Mapping[str, Any]) -> None:
        self._manners.changed(int(key))
        person = self._persons.get(key)
        if person is not None:
            self._learn(key, person, person.manner._replace(**changes))

    def _learn(self, key: str, person: Person, manner: Manner) -> None:
        was, person.manner = person.manner, manner
        for seat in list(person.seats.values()):
            if was.status != manner.status:
                seat.change({"status": manner.status})
            if was.is_hidden != manner.is_hidden:
                seat.move(is_hidden=manner.is_hidden)
        if manner.is_hidden and not was.is_hidden and was.is_remembered and person.is_known:
            self.sightings.note(int(key))  # from here on the others do not see them
        if self._persons.get(key) is person:  # whoever had only dropped sockets is gone by now
            self._watch_status(key, manner.status)

    def _ask_later(self, key: str) -> None:
        def ask() -> None:
            hub.spawn(self._ask(key))

        hub.wheel.schedule(ASK_AGAIN_S / TICK_S, ask)

    async def _ask(self, key: str) -> None:
        person = self._persons.get(key)
        if person is None or person.is_known:
            return
        manner = await self.manner_of(int(key))
        if manner is None:
            self._ask_later(key)
        elif self._persons.get(key) is person:
            person.is_known = True
            self._learn(key, person, manner)

    # -- where they are

    def sit(self, seat: Seat, meta: PersonMeta, manner: Manner | None) -> None:
        """Shows a connection on a topic, in the place of one of the same device whose socket has dropped.

        With `manner` unknown, somebody who may not want to be seen is not, until it is known.
        """
        person = self._persons.get(seat.key)
        if person is None:
            person = Person(manner or Manner(is_hidden=True), is_known=manner is not None)
            if manner is None:
                self._ask_later(seat.key)
        elif manner is not None and not person.is_known:
            person.is_known = True
            self._learn(seat.key, person, manner)
        meta["status"] = person.manner.status
        meta["activity"] = self.attention.of(seat.socket).activity
        seat.enter(self._door, meta, is_hidden=person.manner.is_hidden)
        self._persons[seat.key] = person
        person.seats[seat.topic, seat.id] = seat
        self._telling.listen(seat.topic, seat.key, seat.push)
        self.attention.enter(seat.socket, seat)
        self._watch_status(seat.key, person.manner.status)
        for dropped in self._grace.at(seat.name)[:1]:
            self._door.untrack(*dropped)

    def leave(self, seat: Seat) -> None:
        """Takes a connection from a topic at once."""
        self._quit(seat)
        self._door.untrack(*seat.name)

    def drop(self, seat: Seat) -> None:
        """The socket is gone: the entry stays for the time of grace, unless the device comes back before."""
        if self._quit(seat):
            self._grace.begin(seat.name, settings.REALTIME["PRESENCE_GRACE_S"], self._end)

    def forget(self, name: Name) -> None:
        """The entry of this name is being removed, by whomever."""
        self._grace.stop(name)
        topic, key, id = name  # noqa: A001  the entry's word
        person = self._persons.get(key)
        seat = None if person is None else person.seats.get((public(topic), id))
        if person is None or seat is None or seat.name != name:
            return
        del person.seats[public(topic), id]
        if not person.seats:
            del self._persons[key]
            self._expiries.pop(key, None)

    def came_back(self, diff: Diff) -> Iterator[Name]:
        """The dropped entries whose device is back in another process, as this diff tells."""
        return self._grace.came_back(diff, self._holds)

    def _holds(self, topic: str, key: str, id: str) -> bool:  # noqa: A002
        person = self._persons.get(key)
        return person is not None and (public(topic), id) in person.seats

    def _quit(self, seat: Seat) -> bool:
        """The connection is no longer there. False when its entry is gone already."""
        self._telling.unlisten(seat.topic, seat.key, seat.push)
        self.attention.leave(seat.socket, seat)
        seat.release()
        person = self._persons.get(seat.key)
        if person is None or person.seats.get((seat.topic, seat.id)) is not seat:
            return False
        if person.may_be_remembered and not person.is_here:
            self.sightings.note(int(seat.key))
        return True

    def _end(self, name: Name) -> None:
        self._door.untrack(*name)

    def _here(self) -> Iterator[int]:
        return (
            int(key)
            for key, person in self._persons.items()
            if person.may_be_remembered and person.is_here
        )

    # -- status lines end

    def end_statuses(self) -> None:
        """Takes away the status lines whose time is over; called every second."""
        now = time.time()
        for key in [key for key, at in self._expiries.items() if at <= now]:
            self.on_status({"user_id": key, "status": None})

    def _watch_status(self, key: str, status: StatusShape | None) -> None:
        if status is not None and status["expires_at"] is not None:
            self._expiries[key] = status["expires_at"]
        else:
            self._expiries.pop(key, None)
