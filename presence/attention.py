"""How attentive each connection is: by what its client says, and by its silence. Event loop only.

The client's word stands until its next. Beside it the server listens: a connection that pushes nothing for some
minutes is idle, then away, whatever its client said last, until its next push. So a program that says nothing about
itself is idle while it has nothing to do, and a page that hangs does not stay active for ever. The less attentive of
the two is shown. Silence costs one entry on the hub's wheel per connection, and no timer.
"""

import asyncio
from functools import partial
from typing import Protocol
from weakref import ref

from django.conf import settings

from commsite.realtime.deadlines import TICK_S
from commsite.realtime.errors import PushError
from commsite.realtime.user_socket import UserSocket
from presence.schema import ACTIVITIES, Activity

CHANGES_PER_S = 2.0
CHANGES_AT_ONCE = 5.0


class Shown(Protocol):
    """What shows a connection's activity: an entry on a topic."""

    def show(self, activity: Activity) -> None:
        """Shows it, unless it is shown already."""


class Connection:
    """One socket as the others see it."""

    __slots__ = (
        "__weakref__",
        "_spent",
        "_spent_at",
        "look",
        "places",
        "silence",
        "socket",
        "word",
    )

    def __init__(self, socket: UserSocket) -> None:
        self.socket = ref(socket)
        self.word: Activity = "active"
        self.silence: Activity = "active"
        self.places: set[Shown] = set()
        self.look = 0
        """The number of the look that is to come; earlier ones on the wheel are void."""
        self._spent = 0.0
        self._spent_at = 0.0

    @property
    def activity(self) -> Activity:
        """The less attentive of what the client says and what its silence says."""
        return max(self.word, self.silence, key=ACTIVITIES.index)

    def spend(self, now: float) -> None:
        """Everybody hears of each change: a few at once, then two a second. Raises PushError("rate_limited")."""
        self._spent = max(0.0, self._spent - (now - self._spent_at) * CHANGES_PER_S)
        self._spent_at = now
        if self._spent >= CHANGES_AT_ONCE:
            raise PushError("rate_limited", retry_after_ms=1000)
        self._spent += 1.0

    def tell(self) -> None:
        """Shows the activity on every topic of this connection."""
        activity = self.activity
        for place in list(self.places):
            place.show(activity)


def silence_after(silent_s: float, idle_s: float, away_s: float) -> tuple[Activity, float]:
    """(what a silence of so long says, in how many seconds it may say more; 0 when never)."""
    if silent_s >= away_s:
        return "away", 0.0
    if silent_s >= idle_s:
        return "idle", away_s - silent_s
    return "active", idle_s - silent_s


class Attention:
    """The connections of this process that are seen somewhere."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}

    def of(self, socket: UserSocket) -> Connection:
        """The connection of a socket; listened to from the first call until its end."""
        connection = self._connections.get(socket.id)
        if connection is None:
            connection = self._connections[socket.id] = Connection(socket)
            self._look_in(socket, connection, settings.REALTIME["PRESENCE_IDLE_S"])
        return connection

    def enter(self, socket: UserSocket, place: Shown) -> None:
        """The connection is seen in one more place."""
        self.of(socket).places.add(place)

    def leave(self, socket: UserSocket, place: Shown) -> None:
        """The connection is no longer seen there. What its client said stands until the socket ends."""
        connection = self._connections.get(socket.id)
        if connection is not None:
            connection.places.discard(place)

    def end(self, socket: UserSocket) -> None:
        """The socket is gone."""
        self._connections.pop(socket.id, None)

    def say(self, socket: UserSocket, activity: Activity) -> None:
        """The client's own word, for all its topics."""
        connection = self.of(socket)
        connection.word = activity
        connection.tell()

    def acted(self, socket: UserSocket) -> None:
        """A push after a silence: the connection is as its client says, once the push has been handled."""
        connection = self._connections.get(socket.id)
        if connection is None:
            return
        connection.silence = "active"
        self._look_in(socket, connection, settings.REALTIME["PRESENCE_IDLE_S"])
        asyncio.get_running_loop().call_soon(connection.tell)

    def _look_in(self, socket: UserSocket, connection: Connection, seconds: float) -> None:
        connection.look += 1
        look = partial(self._look, ref(connection), connection.look)
        socket.hub.wheel.schedule(seconds / TICK_S, look)

    def _look(self, seen: "ref[Connection]", look: int) -> None:
        connection = seen()
        socket = None if connection is None else connection.socket()
        if connection is None or socket is None or connection.look != look:
            return
        limits = settings.REALTIME
        silent_s = (socket.hub.wheel.tick - socket.acted_tick) * TICK_S
        silence, again_s = silence_after(
            silent_s, limits["PRESENCE_IDLE_S"], limits["PRESENCE_AWAY_S"]
        )
        if again_s:
            self._look_in(socket, connection, again_s)
        socket.is_quiet = silence != "active"
        if silence != connection.silence:
            connection.silence = silence
            connection.tell()
