"""Two or three replicas' states and a few people: tracking, merging, gaps, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from presence.tracker.replica import Replica
from presence.tracker.state import AlreadyTracked, NotTracked, State

if TYPE_CHECKING:
    from presence.tracker.delta import Delta

A, B, C = Replica("a", 1), Replica("b", 1), Replica("c", 1)


def come(state: State, key: str, meta: bytes = b"{}") -> Delta:
    """A person comes to the lobby; the delta that says so."""
    state.track("lobby", key, "tab", meta)
    return flushed(state)


def change(state: State, key: str, meta: bytes) -> Delta:
    state.update("lobby", key, "tab", meta)
    return flushed(state)


def go(state: State, key: str) -> Delta:
    state.untrack("lobby", key, "tab")
    return flushed(state)


def flushed(state: State) -> Delta:
    delta = state.flush()
    assert delta is not None
    return delta


def keys(state: State, replica: Replica) -> list[str]:
    return sorted(entry.key for entry in state.entries(replica))


def test_tracking_twice_is_refused_and_changes_nothing() -> None:
    state = State(A)
    come(state, "ada")

    with pytest.raises(AlreadyTracked, match="'ada' is on 'lobby' through 'tab' already"):
        state.track("lobby", "ada", "tab", b"2")

    assert state.flush() is None
    assert [entry.meta for entry in state.entries(A)] == [b"{}"]


def test_one_person_may_come_through_several_devices_and_to_several_topics() -> None:
    state = State(A)
    for topic, device in (("lobby", "tab"), ("lobby", "phone"), ("office", "tab")):
        state.track(topic, "ada", device, b"{}")

    assert len(state.entries(A)) == 3


def test_updating_who_is_not_there_is_refused() -> None:
    with pytest.raises(NotTracked, match="track it first"):
        State(A).update("lobby", "ada", "tab", b"2")


def test_untracking_who_is_not_there_changes_nothing() -> None:
    state = State(A)

    assert state.untrack("lobby", "ada", "tab") == ([], [])
    assert state.flush() is None


def test_an_update_is_one_event_that_leaves_the_old_dot_and_joins_a_new_one() -> None:
    state = State(A)
    state.track("lobby", "ada", "tab", b"1")

    joins, leaves = state.update("lobby", "ada", "tab", lambda meta: meta + b"2")

    assert [entry.meta for entry in joins] == [b"12"]
    assert [entry.meta for entry in leaves] == [b"1"]
    assert joins[0].ref != leaves[0].ref
    assert flushed(state).end == 2


def test_a_merge_says_who_joined_and_who_left_and_again_says_nothing() -> None:
    a, b = State(A), State(B)
    first, second = come(a, "ada"), come(a, "grace")

    assert [entry.key for entry in b.merge(first).joins] == ["ada"]
    assert [entry.key for entry in b.merge(second).joins] == ["grace"]
    assert b.merge(second) == ([], [])
    assert [entry.key for entry in b.merge(go(a, "ada")).leaves] == ["ada"]
    assert keys(b, A) == ["grace"]


def test_own_events_are_written_by_nobody_else() -> None:
    a, b = State(A), State(B)
    b.merge(come(a, "ada"))
    go(a, "ada")

    for delta in b.deltas():
        assert a.merge(delta) == ([], [])

    assert a.entries(A) == []


def test_the_same_name_at_two_replicas_is_two_entries() -> None:
    a, b = State(A), State(B)
    b.merge(come(a, "ada"))
    come(b, "ada")

    b.merge(go(a, "ada"))

    assert keys(b, B) == ["ada"]


def test_what_comes_ahead_of_a_gap_waits_in_the_cloud_until_the_gap_closes() -> None:
    a, b = State(A), State(B)
    deltas = [come(a, key) for key in ("ada", "grace", "linus", "edsger")]

    assert b.merge(deltas[3]) == ([], [])
    assert b.merge(deltas[1]) == ([], [])
    assert (b.version(A), b.sizes(A)[1]) == (0, 2)

    assert [entry.key for entry in b.merge(deltas[0]).joins] == ["ada", "grace"]
    assert b.version(A) == 2

    assert [entry.key for entry in b.merge(deltas[2]).joins] == ["linus", "edsger"]
    assert (b.version(A), b.sizes(A)[1]) == (4, 0)


def test_who_came_and_went_in_the_cloud_is_not_told() -> None:
    a, b = State(A), State(B)
    first, second, third = come(a, "ada"), come(a, "grace"), go(a, "grace")
    b.merge(third)
    b.merge(second)

    joins, leaves = b.merge(first)

    assert [entry.key for entry in joins] == ["ada"]
    assert leaves == []


def test_stretches_of_the_cloud_that_touch_become_one() -> None:
    a, b = State(A), State(B)
    deltas = [come(a, "ada"), *(change(a, "ada", b"%d" % number) for number in range(50))]

    for delta in deltas[1:]:
        b.merge(delta)

    assert len(b._parts[A].cloud) == 1
    assert b.sizes(A)[1] == 2


def test_a_little_that_was_missed_is_answered_with_a_generation_and_much_with_everything() -> None:
    a = State(A, sizes=(2, 4))
    for number in range(8):
        come(a, f"person {number}")

    small, middle, full = a.answer(A, 7), a.answer(A, 5), a.answer(A, 1)

    assert small is not None
    assert middle is not None
    assert full is not None
    assert (small.size, middle.size, full.size) == (2, 4, 8)
    assert (small.end, middle.end, full.end) == (8, 8, 8)
    assert full.start == 0


def test_one_who_knows_everything_that_was_broadcast_gets_no_answer() -> None:
    a = State(A)
    come(a, "ada")
    a.track("lobby", "grace", "tab", b"{}")

    assert a.answer(A, 1) is None
    assert a.answer(B, 0) is None


def test_a_third_replica_can_answer_for_another() -> None:
    a, b, c = State(A), State(B), State(C)
    b.merge(come(a, "ada"))
    b.merge(come(a, "grace"))

    answer = b.answer(A, c.version(A))
    assert answer is not None
    c.merge(answer)

    assert keys(c, A) == ["ada", "grace"]
    assert c.clock() == {A: 2, C: 0}


def test_to_forget_a_replica_leaves_nothing_of_it_but_never_forgets_oneself() -> None:
    a, b = State(A), State(B)
    first, _, third = come(a, "ada"), come(a, "grace"), come(a, "linus")
    b.merge(first)
    b.merge(third)
    come(b, "edsger")

    b.forget(A)
    b.forget(B)

    assert b.clock() == {B: 1}
    assert b.sizes(A) == (0, 0, [0, 0, 0])
    assert [delta.replica for delta in b.deltas()] == [B]
    assert b.entries(A) == []
    assert b.answer(A, 0) is None
    assert keys(b, B) == ["edsger"]
