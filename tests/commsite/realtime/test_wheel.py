"""An action fires once, at the first tick at or after its deadline."""

from __future__ import annotations

import math
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.wheel import Wheel


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(-1, 90)), max_size=30), st.integers(1, 16))
def test_actions_fire_once_and_on_time(entries: list[tuple[int, float]], slots: int) -> None:
    wheel = Wheel(slots)
    fired: list[tuple[int, int]] = []
    expected = []
    for now in range(140):
        for number, (at, ticks) in enumerate(entries):
            if at == now:
                due = now + max(1, math.ceil(ticks))
                expected.append((due, number))
                wheel.schedule(ticks, partial(lambda n: fired.append((wheel.tick, n)), number))
        for action in wheel.advance():
            action()
    assert sorted(fired) == sorted(expected)


def test_an_action_may_schedule_itself_again() -> None:
    wheel = Wheel(4)
    fired: list[int] = []

    def again() -> None:
        fired.append(wheel.tick)
        wheel.schedule(4, again)

    wheel.schedule(4, again)
    for _ in range(12):
        for action in wheel.advance():
            action()
    assert fired == [4, 8, 12]
