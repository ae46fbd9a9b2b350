"""The cursors of this process on their way: timers, announcements, and newcomers who must hear of all. Event loop only.

Each process keeps the cursors of its own connections, and what it has heard of others while somebody here was listening
(`far_cursors`). A newcomer gets both at once. Who is the first to listen asks the other processes to announce theirs
again, which they do in the order of their announcements, so that nothing old can follow something new. So does
who has missed something, and who sees connections come back that were given up for dead.
"""

import asyncio
from collections.abc import Container, Iterable
from typing import Any

import msgspec
from django.conf import settings

from commsite.realtime.announcement import Announcement
from commsite.realtime.channel import Channel
from commsite.realtime.envelope import encode_payload
from commsite.realtime.errors import PushError
from commsite.realtime.hub import hub
from commsite.realtime.pubsub import announce, announce_here, control, listeners
from commsite.realtime.telemetry import count, gauge
from commsite.realtime.topic import SHARDS, shard_of
from presence.cursors import Cursor, Cursors, Key, Pace
from presence.far_cursors import ANCHOR, EXPIRES, FarCursors, gone
from presence.naming import connection_of, short
from presence.schema import MoveCursor
from presence.tracker.delta import Entry
from presence.tracker.diff import Diff

MOVED = "cursor_moved"
ASK = "presence_cursors"
"""The control message by which a process asks for the cursors of a topic."""
ASK_ALL = "presence_cursors_all"
"""And for those of all topics in the backplane's shards that it hears."""
AGAIN_S = 0.2
"""Newcomers of so long are answered together."""
ALL_EVERY_S = 1.0
"""Losses of so long are answered together: telling everything again shall not be the cause of the next loss."""
TOPIC_S = 0.002
"""Where many topics are told again they come one after the other, so far apart."""
ASKED_S = 5.0
"""After so long what was asked for is asked for again with the next newcomer: something may have been lost."""
MOST_CONTAINERS = 64
"""Arrays and objects in an anchor and a selection: no client of any language shall stumble over their depth."""
NULL = b"null"
SOON_S = 0.001
"""Timers may fire a moment early; the next look is then so far away."""


class CursorBoard:
    """One per process."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._cursors = Cursors()
        self._faces: dict[Key, bytes] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._answering: set[str] = set()
        self._far = FarCursors()
        self._asked: set[str] = set()
        self._lost: dict[Key, float] = {}
        """Far cursors that ended with their connections' presence, and how long they would have lasted."""
        self._is_asking = False
        self._asked_all_at = float("-inf")

    def start(self, **facts: Any) -> None:
        """Begins with nothing; called when the hub has started."""
        self._reset()
        gauge("cursors", lambda: len(self._cursors))

    # -- what connections do

    def move(self, channel: Channel, command: MoveCursor) -> None:
        """Points somewhere, or nowhere with an anchor of null. Raises PushError("too_large"), "invalid_payload"."""
        anchor, selection = bytes(command.anchor), bytes(command.selection)
        if anchor == NULL:
            self.leave(channel)
            return
        _check(anchor, selection)
        key = (str(channel.topic), channel.id)
        if key not in self._faces:
            self._faces[key] = _face(channel)
        body = ANCHOR + anchor + b',"selection":' + selection
        before = self._cursors.conflated
        cursor = self._cursors.move(key, body, _now(), _pace())
        if cursor is not None:
            self._tell([cursor])
        elif self._cursors.conflated == before:  # else it waits already, and a timer runs
            self._plan()
        count("cursor_moves_conflated_total", self._cursors.conflated - before)

    def leave(self, channel: Channel) -> None:
        """Points nowhere any more: told at once. Harmless when it did not point."""
        topic = str(channel.topic)
        cursor = self._cursors.leave((topic, channel.id))
        if cursor is not None:
            self._tell_gone([cursor])
        if not listeners(topic):
            self._far.forget(topic)

    def welcome(self, channel: Channel) -> None:
        """Brings a newcomer up to date."""
        topic = str(channel.topic)
        for cursor in self._cursors.on(topic):
            channel.push(MOVED, msgspec.Raw(self._payload(cursor)))
        if hub.backplane.is_alone:
            return
        is_first = listeners(topic) == 1
        if is_first:
            self._far.forget(topic)
        for far in self._far.on(topic, _now()):
            channel.push(MOVED, msgspec.Raw(far.payload(_now())))
        if is_first or topic not in self._asked:
            self._asked.add(topic)
            asyncio.get_running_loop().call_later(ASKED_S, self._asked.discard, topic)
            control(ASK, {"topic": topic, "node": hub.node})

    # -- what others say and ask, and time

    def on_heard(self, told: Announcement) -> None:
        """Another process has told where one of its connections points."""
        if told.key is not None and listeners(told.topic):
            self._far.hear((told.topic, told.key), told.payload, _now())

    def on_changed(self, diff: Diff) -> None:
        """Connections of other processes may be gone from presence without a word: their cursors end with them.

        Each process tells its own clients, so everybody hears it once; of most the end was told before.
        """
        for topic, change in diff.topics.items():
            if self._lost:
                self._greet(topic, change.joins.values())
            if topic not in self._far:
                continue
            stay = {entry.id for entry in change.joins.values()}
            for entry in change.leaves.values():
                key = (topic, connection_of(entry.id))
                cursor = None if entry.id in stay else self._far.end(key)
                if cursor is not None:
                    self._lost[key] = cursor.until
                    announce_here(topic, MOVED, cursor.end, key=key[1])

    def _greet(self, topic: str, joins: Iterable[Entry]) -> None:
        """Nobody comes back by the same connection: a process that was given up is not dead after all."""
        back = {(topic, connection_of(entry.id)) for entry in joins} & self._lost.keys()
        for key in back:
            del self._lost[key]
        if back:
            self.on_gap()

    def on_gap(self) -> None:
        """What others told may have been lost here, and what was told here may have been lost there."""
        if not self._is_asking:
            self._is_asking = True
            at = max(_now() + AGAIN_S, self._asked_all_at + ALL_EVERY_S)
            asyncio.get_running_loop().call_at(at, self._ask_all)

    def _ask_all(self) -> None:
        self._is_asking = False
        self._asked_all_at = _now()
        self._tell_all_again(range(SHARDS))
        shards = sorted({shard_of(topic) for topic in hub.fanout.topics})
        if shards:
            control(ASK_ALL, {"node": hub.node, "shards": shards})

    def on_asked_all(self, payload: dict[str, Any]) -> None:
        """Another process may have missed what was told here."""
        if payload["node"] != hub.node:
            self._tell_all_again(payload["shards"])

    def _tell_all_again(self, shards: Container[int]) -> None:
        topics = [topic for topic in self._cursors.topics() if shard_of(topic) in shards]
        for number, topic in enumerate(topics):
            self._tell_soon(topic, AGAIN_S + number * TOPIC_S)

    def on_asked(self, payload: dict[str, Any]) -> None:
        """A newcomer in another process: what is here is announced again, once for all who ask meanwhile."""
        topic = payload["topic"]
        if payload["node"] != hub.node and self._cursors.on(topic):
            self._tell_soon(topic, AGAIN_S)

    def _tell_soon(self, topic: str, delay_s: float) -> None:
        if topic not in self._answering:
            self._answering.add(topic)
            asyncio.get_running_loop().call_later(delay_s, self._tell_again, topic)

    def expire(self) -> None:
        """Takes away what has not moved for too long; called every second."""
        self._tell_gone(self._cursors.expire(_now(), _pace()))
        self._far.expire(_now())
        self._lost = {key: until for key, until in self._lost.items() if until > _now()}

    def _tell_again(self, topic: str) -> None:
        self._answering.discard(topic)
        self._tell(self._cursors.on(topic))

    def _tell_due(self) -> None:
        self._timer = None
        self._tell(self._cursors.due(_now(), _pace()))
        self._plan()

    def _plan(self) -> None:
        wake_at = self._cursors.wake_at(_pace())
        if self._timer is not None:
            if self._timer.when() <= wake_at:
                return
            self._timer.cancel()
            self._timer = None
        if wake_at != float("inf"):
            at = max(wake_at, _now() + SOON_S)
            self._timer = asyncio.get_running_loop().call_at(at, self._tell_due)

    # -- what is told

    def _tell(self, cursors: Iterable[Cursor]) -> None:
        for cursor in cursors:
            self._announce(cursor, self._payload(cursor))

    def _tell_gone(self, cursors: Iterable[Cursor]) -> None:
        for cursor in cursors:
            face = self._faces.pop((cursor.topic, cursor.connection))
            self._announce(cursor, gone(face))

    @staticmethod
    def _announce(cursor: Cursor, payload: bytes) -> None:
        announce(cursor.topic, MOVED, payload, key=cursor.connection, exclude=cursor.connection)

    def _payload(self, cursor: Cursor) -> bytes:
        left_s = cursor.moved_at + _pace().patience_s - _now()
        face = self._faces[cursor.topic, cursor.connection]
        return face + cursor.body + EXPIRES + b"%d}" % max(1, round(left_s))


def _face(channel: Channel) -> bytes:
    """The part of a cursor's payload that never changes, open at its end."""
    who = {
        "connection": short(channel.id),
        "user": {"id": channel.identity.user_id, "username": channel.identity.username},
    }
    return encode_payload(who)[:-1] + b","


def _check(anchor: bytes, selection: bytes) -> None:
    both = anchor + selection
    most: int = settings.REALTIME["CURSOR_BYTES"]
    if len(both) > most:
        raise PushError("too_large", f"An anchor and a selection may be {most} bytes together.")
    if both.count(b"[") + both.count(b"{") > MOST_CONTAINERS:
        raise PushError(
            "too_large", f"They may hold {MOST_CONTAINERS} arrays and objects together."
        )
    try:
        both.decode()
    except UnicodeDecodeError:
        raise PushError("invalid_payload", "An anchor must be UTF-8.") from None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pace() -> Pace:
    limits = settings.REALTIME
    return Pace(limits["CURSORS_PER_S"], limits["CURSORS_PER_TOPIC_S"], limits["CURSOR_S"])


board = CursorBoard()
