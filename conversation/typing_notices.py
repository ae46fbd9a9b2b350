"""Tells people who types, in all processes. Event loop only, but for what says otherwise.

Each process knows everybody who types: they tell each other by one control message a second at
most, however many type. Each then tells its own sockets, by the full list of a conversation: a
frame that is dropped heals with the next one, and the last one by the expiry that stands in it.
"""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from django.conf import settings

from commsite.realtime import telemetry
from commsite.realtime.envelope import encode_payload
from commsite.realtime.hub import Hub, hub
from commsite.realtime.pubsub import announce_here
from conversation.attention_schema import TypingChanged, TypingShape
from conversation.models import topic_of
from conversation.pacer import Pacer
from conversation.typists import Typist, Typists

CONTROL = "conversation_typing"
"""The control message by which processes tell each other."""
PERIOD_S = 1.0
"""A conversation is told no more often."""


class Said(msgspec.Struct, array_like=True):
    """What one process tells the others of one person: typing for `left_s` more, or (0) not any more.

    `is_everywhere` ends it for all processes: the person has sent what they typed.
    """

    room: str
    user_id: int
    username: str = ""
    thread_id: str | None = None
    left_s: float = 0.0
    is_everywhere: bool = False


class TypingNotices:
    """Who types, as this process knows it and tells it."""

    def __init__(self) -> None:
        self._typists = Typists(0.0)
        self._said: dict[tuple[str, int], Said] = {}
        self._rooms: Pacer[str] | None = None
        self._others: Pacer[str] | None = None

    def start(self, hub: Hub) -> None:
        """Begins with the hub."""
        self._typists = Typists(settings.REALTIME["TYPING_EXPIRY_S"])
        self._said = {}
        self._rooms = Pacer(PERIOD_S, self._tell_rooms)
        self._others = Pacer(PERIOD_S, self._tell_others)
        telemetry.gauge("typists", lambda: len(self._typists))

    def stop(self, hub: Hub) -> None:
        """Ends with it; what the others have heard from here expires."""
        for pacer in (self._rooms, self._others):
            if pacer is not None:
                pacer.stop()
        self._rooms = self._others = None

    # -- what people do here: from any thread

    def begin(
        self, room: uuid.UUID, user_id: int, username: str, thread_id: uuid.UUID | None
    ) -> None:
        """Somebody types."""
        thread = None if thread_id is None else str(thread_id)
        left_s = self._typists.expiry_s
        self._hear(Said(str(room), user_id, username, thread, left_s))

    def end(self, room: uuid.UUID, user_id: int) -> None:
        """They have stopped, or their last socket here is gone."""
        if self._typists.is_typing(str(room), user_id):
            self._hear(Said(str(room), user_id))

    def has_sent(self, room: uuid.UUID, user_id: int) -> None:
        """They have sent it: nobody need wait for it any more, wherever they typed."""
        if self._typists.is_typing(str(room), user_id):
            self._hear(Said(str(room), user_id, is_everywhere=True))

    def _hear(self, said: Said) -> None:
        loop = hub.loop
        if self._rooms is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._heard_here, said)

    def _heard_here(self, said: Said) -> None:
        self._take(said, hub.node)
        self._pass_on(said)

    # -- for joiners: the event loop from here on

    def on(self, room: uuid.UUID) -> list[TypingShape]:
        """Who types there now, for a joiner."""
        now = self._now()
        return [self._shape(typist, now) for typist in self._typists.on(str(room), now)]

    # -- what other processes say, and time

    def on_control(self, payload: dict[str, Any]) -> None:
        """What another process tells of its people."""
        if payload["node"] == hub.node:
            return
        for row in payload["said"]:
            self._take(msgspec.convert(row, Said), payload["node"])

    def on_tick(self) -> None:
        """Ends what nobody has said again in time; every second."""
        for room in self._typists.expire(self._now()):
            self._want(room)

    # -- telling

    def _take(self, said: Said, origin: str) -> None:
        now = self._now()
        if said.left_s > 0:
            typist = Typist(said.user_id, said.username, said.thread_id, now + said.left_s)
            is_news = self._typists.start(said.room, origin, typist, now)
        else:
            is_news = self._typists.stop(
                said.room, said.user_id, None if said.is_everywhere else origin
            )
        if is_news:
            self._want(said.room)

    def _want(self, room: str) -> None:
        if self._rooms is not None:
            self._rooms.want(room)

    def _pass_on(self, said: Said) -> None:
        if self._others is None or hub.backplane.is_alone:
            return
        earlier = self._said.get((said.room, said.user_id))
        if earlier is not None and earlier.is_everywhere and said.left_s <= 0:
            return
        self._said[said.room, said.user_id] = said
        self._others.want(CONTROL)

    def _tell_others(self, _: Sequence[str]) -> None:
        said, self._said = self._said, {}
        rows = [msgspec.to_builtins(each) for each in said.values()]
        hub.backplane.control(CONTROL, {"node": hub.node, "said": rows})

    def _tell_rooms(self, rooms: Sequence[str]) -> None:
        now = self._now()
        for room in rooms:
            told = [self._shape(typist, now) for typist in self._typists.tell(room, now)]
            payload: TypingChanged = {"typing": told}
            telemetry.count("typing_told_total")
            announce_here(topic_of(uuid.UUID(room)), "typing_changed", encode_payload(payload))

    @staticmethod
    def _shape(typist: Typist, now: float) -> TypingShape:
        return {
            "user": {"id": typist.user_id, "username": typist.username},
            "thread_id": typist.thread_id,
            "expires_in_ms": round((typist.until - now) * 1000),
        }

    def _now(self) -> float:
        if self._rooms is None:
            return asyncio.get_running_loop().time()
        return self._rooms.clock()


notices = TypingNotices()
