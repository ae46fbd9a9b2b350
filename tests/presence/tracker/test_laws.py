"""Merging is commutative, associative and idempotent, gaps and all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence.tracker.replica import Replica
from presence.tracker.state import State

pytestmark = pytest.mark.timeout(180)  # the nightly profile has twenty times the examples

READER = Replica("reader", 1)
WRITERS = (Replica("a", 1), Replica("b", 1))
Verb = tuple[int, str, str]
Canon = dict[Replica, tuple[object, ...]]

verbs = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(("ada", "grace", "linus")), st.sampled_from("tufs")
    ),
    max_size=30,
)


class World:
    """Two writers' histories, cut into deltas and full states, of which readers get some in some order."""

    def __init__(self, events: list[Verb]) -> None:
        self.said: list[State] = []
        states = [State(writer, (2, 4)) for writer in WRITERS]
        for place, key, verb in events:
            self._do(states[place], key, verb)

    def _do(self, state: State, key: str, verb: str) -> None:
        name = ("lobby", key, "tab")
        if verb == "t" and name not in state._own:
            state.track(*name, b"1")
        elif verb == "u" and name in state._own:
            state.update(*name, lambda meta: meta + b"+")
        elif verb == "f":
            state.untrack(*name)
        delta = state.flush() if verb != "s" else None
        if delta is not None:
            self.said.append(State(READER))
            self.said[-1].merge(delta)
        if verb == "s":
            self.said.append(State(READER))
            for whole in state.deltas():
                self.said[-1].merge(whole)


@st.composite
def states(draw: st.DrawFn, number: int) -> list[State]:
    """States of readers who heard some of the same two writers."""
    world = World(draw(verbs))
    found = []
    for _ in range(number):
        state = State(READER)
        if world.said:
            for place in draw(st.lists(st.integers(0, len(world.said) - 1), max_size=8)):
                join(state, world.said[place])
        found.append(state)
    return found


def join(state: State, other: State) -> State:
    """`state` with all that `other` knows."""
    for delta in other.deltas():
        state.merge(delta)
    return state


def union(*several: State) -> Canon:
    """What a fresh reader knows who hears these, in this order."""
    fresh = State(READER)
    for state in several:
        join(fresh, state)
    return canon(fresh)


def canon(state: State) -> Canon:
    """Everything that a state means, comparable."""
    return {
        replica: (
            part.whole.end,
            {*part.whole.entries.items()},
            [(held.start, held.end, {*held.entries}, held.removed) for held in part.cloud],
        )
        for replica, part in state._parts.items()
        if part.whole.end or part.cloud
    }


@given(states(2))
def test_a_merge_is_commutative(pair: list[State]) -> None:
    one, other = pair

    assert union(one, other) == union(other, one)


@given(states(3))
def test_a_merge_is_associative(three: list[State]) -> None:
    one, two, three_ = three
    left, right = join(join(State(READER), one), two), join(join(State(READER), two), three_)

    assert union(left, three_) == union(one, right)


@given(states(2))
def test_a_merge_is_idempotent(pair: list[State]) -> None:
    one, other = pair
    both = join(join(State(READER), one), other)
    before = canon(both)

    changes = [both.merge(delta) for state in pair for delta in state.deltas()]
    join(both, join(State(READER), both))

    assert canon(both) == before
    assert not any(change.joins or change.leaves for change in changes)


@given(states(2))
def test_a_merge_only_adds_knowledge_and_says_exactly_what_changed(pair: list[State]) -> None:
    one, other = pair
    for writer in WRITERS:
        shown = {entry.ref for entry in one.entries(writer)}
        version = one.version(writer)

        for delta in other.deltas():
            if delta.replica == writer:
                change = one.merge(delta)
                joins = {entry.ref for entry in change.joins}
                leaves = {entry.ref for entry in change.leaves}
                assert leaves <= shown
                assert not joins & shown
                shown = shown - leaves | joins

        assert one.version(writer) >= max(version, other.version(writer))
        assert shown == {entry.ref for entry in one.entries(writer)}
