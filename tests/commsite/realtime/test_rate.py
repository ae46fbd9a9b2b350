"""Token buckets: never more than the burst and the rate allow; a wait that is told is enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.limits import Limits
from commsite.realtime.rate import ABUSE, Bucket, Rate


@given(
    st.floats(0.1, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 3), min_size=1, max_size=80),
)
def test_no_window_sees_more_than_burst_and_rate(
    rate: float, burst: int, pauses: list[float]
) -> None:
    bucket = Bucket(rate, burst)
    now, taken = 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now) <= 0:
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            window = taken[last] - taken[first]
            assert last - first + 1 <= burst + rate * window + 1e-6


@given(st.floats(0.1, 50), st.integers(1, 5))
def test_who_waits_as_told_is_let_through(rate: float, burst: int) -> None:
    bucket = Bucket(rate, burst)
    now = 5.0
    while (wait := bucket.take(now)) <= 0:
        pass
    assert bucket.take(now + wait + 1e-6) <= 0


def test_refusals_in_a_row_are_abuse_and_patience_is_forgiven() -> None:
    rate = Rate(Limits(pushes_per_s=1, push_burst=1))
    assert rate.take(0, is_join=False) <= 0
    for _ in range(ABUSE):
        assert rate.take(0, is_join=False) > 0
    assert not rate.is_abused
    rate.take(0, is_join=False)
    assert rate.is_abused
    rate.take(2, is_join=False)
    assert not rate.is_abused


def test_a_socket_may_join_all_its_topics_at_once_after_a_reconnect() -> None:
    limits = Limits()
    rate = Rate(limits)
    waits = [rate.take(0, is_join=True) for _ in range(limits.topics_per_socket)]
    assert max(waits) <= 0
