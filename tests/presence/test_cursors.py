"""Cursors without a network: what is told when, in a made-up time; and that the latest place always wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from presence.cursors import Cursor, Cursors, Pace

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC = "workspace:1"
PACE = Pace(per_s=10.0, per_topic_s=100.0, patience_s=60.0)
NEVER = float("inf")


def told(cursors: Iterable[Cursor | None]) -> list[tuple[str, bytes]]:
    return [(each.connection, each.body) for each in cursors if each is not None]


def test_the_first_move_is_told_at_once_and_quick_ones_as_one() -> None:
    cursors = Cursors()

    assert told([cursors.move((TOPIC, "a"), b"1", 0.0, PACE)]) == [("a", b"1")]
    quick = [cursors.move((TOPIC, "a"), b"%d" % n, n / 100, PACE) for n in range(2, 9)]

    assert told(quick) == []
    assert told(cursors.due(0.09, PACE)) == []
    assert cursors.wake_at(PACE) == 0.1
    assert told(cursors.due(0.1, PACE)) == [("a", b"8")]
    assert cursors.conflated == 6
    assert cursors.wake_at(PACE) == NEVER


def test_a_slow_hand_is_never_held_back() -> None:
    cursors = Cursors()

    moves = [cursors.move((TOPIC, "a"), b"%d" % n, n * 0.2, PACE) for n in range(5)]

    assert len(told(moves)) == 5


def test_many_hands_share_what_a_topic_may_tell() -> None:
    cursors = Cursors()
    now, heard = 0.0, 0
    while now < 2.0:
        for number in range(50):
            heard += len(told([cursors.move((TOPIC, f"c{number}"), b"x", now, PACE)]))
        now += 0.005
        heard += len(told(cursors.due(now, PACE)))

    assert 0.95 <= heard / (2 * PACE.per_topic_s) <= 1.05


def test_nobody_starves_among_many_hands() -> None:
    cursors = Cursors()
    heard: dict[str, int] = {}
    now = 0.0
    while now < 2.0:
        for number in range(50):
            cursors.move((TOPIC, f"c{number}"), b"x", now, PACE)
        now += 0.005
        for connection, _ in told(cursors.due(now, PACE)):
            heard[connection] = heard.get(connection, 0) + 1

    assert len(heard) == 50
    assert max(heard.values()) - min(heard.values()) <= 2


def test_topics_do_not_slow_each_other() -> None:
    cursors = Cursors()

    moves = [cursors.move((f"room:{n}", "a"), b"x", 0.0, PACE) for n in range(200)]

    assert len(told(moves)) == 200


def test_who_leaves_is_gone_with_what_waited() -> None:
    cursors = Cursors()
    cursors.move((TOPIC, "a"), b"1", 0.0, PACE)
    cursors.move((TOPIC, "a"), b"2", 0.0, PACE)

    assert cursors.leave((TOPIC, "a")) is not None

    assert cursors.leave((TOPIC, "a")) is None
    assert told(cursors.due(9.0, PACE)) == []
    assert cursors.on(TOPIC) == []
    assert (len(cursors), cursors._topics) == (0, {})


def test_a_cursor_that_rests_for_too_long_is_taken_away_and_others_stay() -> None:
    cursors = Cursors()
    cursors.move((TOPIC, "a"), b"1", 0.0, PACE)
    cursors.move((TOPIC, "b"), b"1", 0.0, PACE)
    cursors.move((TOPIC, "a"), b"2", 30.0, PACE)

    assert told(cursors.expire(59.9, PACE)) == []
    assert told(cursors.expire(60.0, PACE)) == [("b", b"1")]
    assert told(cursors.expire(90.0, PACE)) == [("a", b"2")]
    assert len(cursors) == 0


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["move", "leave", "wait", "expire"]),
        st.sampled_from("abc"),
        st.integers(0, 99),
    ),
    max_size=60,
)


@given(acts=ACTS)
def test_whoever_listens_ends_with_what_is_true(acts: list[tuple[str, str, int]]) -> None:
    """Convergence: all that was told, applied in order, is what a newcomer is told."""
    cursors = Cursors()
    view: dict[str, bytes] = {}
    truth: dict[str, tuple[bytes, float]] = {}
    now = 0.0
    for act, connection, number in acts:
        body = b"%d" % number
        if act == "move":
            truth[connection] = (body, now)
            view |= told([cursors.move((TOPIC, connection), body, now, PACE)])
        elif act == "leave":
            truth.pop(connection, None)
            if cursors.leave((TOPIC, connection)) is not None:
                view.pop(connection, None)
        elif act == "wait":
            now += number / 100
            view |= told(cursors.due(now, PACE))
        else:
            now += number
            for gone in cursors.expire(now, PACE):
                view.pop(gone.connection, None)
                assert truth.pop(gone.connection)[1] + PACE.patience_s <= now
    while (wake_at := cursors.wake_at(PACE)) != NEVER:
        now = max(now, wake_at)
        view |= told(cursors.due(now, PACE))

    assert view == {connection: body for connection, (body, _) in truth.items()}
    assert view == dict(told(cursors.on(TOPIC)))
