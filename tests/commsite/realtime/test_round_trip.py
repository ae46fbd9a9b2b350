"""Round trips are measured by pings from the wheel, which end with the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.deadlines import Deadlines
from commsite.realtime.limits import limits
from commsite.realtime.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable


class Pinged:
    def __init__(self) -> None:
        self.is_closing = False
        self.pings = 0
        self.transport = self

    def ping(self) -> None:
        self.pings += 1


def turn(wheel: Wheel, ticks: float) -> None:
    for _ in range(int(ticks)):
        for action in wheel.advance():
            action()


@pytest.fixture
def watch() -> Callable[[Any], Wheel]:
    def start(socket: Any) -> Wheel:
        wheel = Wheel()
        Deadlines(wheel).watch_rtt(socket, 2)
        return wheel

    return start


def test_a_socket_is_pinged_soon_and_then_now_and_then(watch: Callable[[Any], Wheel]) -> None:
    socket = Pinged()
    wheel = watch(socket)

    turn(wheel, 2)
    first = socket.pings
    turn(wheel, limits().ping_s)

    assert (first, socket.pings) == (1, 2)


def test_a_socket_that_closes_is_not_pinged_any_more(watch: Callable[[Any], Wheel]) -> None:
    socket = Pinged()
    wheel = watch(socket)
    socket.is_closing = True

    turn(wheel, 100)

    assert socket.pings == 0


def test_a_transport_that_cannot_ping_is_left_alone(watch: Callable[[Any], Wheel]) -> None:
    class Silent:
        is_closing = False
        transport = None

    turn(watch(Silent()), 100)
