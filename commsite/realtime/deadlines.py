"""What ends a socket by time: silence, and a token that expires. All on one wheel, no task per socket."""

import time
from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from commsite.realtime.errors import CloseCode
from commsite.realtime.limits import limits
from commsite.realtime.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.user_socket import UserSocket

TICK_S = 1.0
FIRST_PING_S = 2.0


def _alive(seen: "ref[UserSocket]") -> "UserSocket | None":
    socket = seen()
    return socket if socket is not None and not socket.is_closing else None


class Deadlines:
    """The deadlines of this process's sockets. A socket that is closing has none any more.

    The wheel refers to sockets weakly: one that is gone is not kept until its token would have expired.
    """

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel

    def watch_idle(self, socket: "UserSocket", idle_s: float) -> None:
        """Closes the socket (4010) once it has been silent for `idle_s`."""
        self._wheel.schedule(idle_s / TICK_S, partial(self._check_idle, ref(socket), idle_s))

    def _check_idle(self, seen: "ref[UserSocket]", idle_s: float) -> None:
        socket = _alive(seen)
        if socket is None:
            return
        silent_s = (self._wheel.tick - socket.last_tick) * TICK_S
        if silent_s >= idle_s:
            socket.close(CloseCode.NO_HEARTBEAT, "no heartbeat")
        else:
            self._wheel.schedule(
                (idle_s - silent_s) / TICK_S, partial(self._check_idle, ref(socket), idle_s)
            )

    def watch_rtt(self, socket: "UserSocket", first_s: float) -> None:
        """Measures the round trip by a ping now and then, where the transport can; no answer has no consequence.

        Not with COMMSITE_BENCH: load generators that count bytes would count pings.
        """
        if hasattr(socket.transport, "ping") and not limits().bench:
            self._wheel.schedule(first_s / TICK_S, partial(self._ping, ref(socket)))

    def _ping(self, seen: "ref[UserSocket]") -> None:
        socket = _alive(seen)
        if socket is not None:
            ping: Callable[[], None] = getattr(socket.transport, "ping")  # noqa: B009  not every transport has it
            ping()
            self._wheel.schedule(limits().ping_s / TICK_S, partial(self._ping, seen))

    def watch_expiry(self, socket: "UserSocket") -> None:
        """Warns the client before its token expires and closes the socket (4401) when it has."""
        expires_at = socket.identity.expires_at
        if expires_at is None:
            return
        left_s = expires_at - time.time()
        warn_s = max(0.0, left_s - limits().expiry_warning_s)
        self._wheel.schedule(warn_s / TICK_S, partial(self._warn, ref(socket), expires_at))
        self._wheel.schedule(
            max(0.0, left_s) / TICK_S, partial(self._expire, ref(socket), expires_at)
        )

    @staticmethod
    def _warn(seen: "ref[UserSocket]", expires_at: float) -> None:
        socket = _alive(seen)
        if socket is not None and socket.identity.expires_at == expires_at:
            socket.notify("token_expiring", {"expires_at": expires_at})

    @staticmethod
    def _expire(seen: "ref[UserSocket]", expires_at: float) -> None:
        socket = _alive(seen)
        if socket is not None and socket.identity.expires_at == expires_at:
            socket.close(CloseCode.UNAUTHENTICATED, "token expired")
