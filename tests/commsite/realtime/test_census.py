"""Every node's last word counts, and nothing of a node that is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.census import LEASE_S, Census

NODES = st.sampled_from(["a", "b", "c"])
COUNTS = st.dictionaries(st.integers(1, 4), st.integers(0, 3), max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), NODES, COUNTS, st.booleans()),
        st.tuples(st.just("forget"), NODES),
        st.tuples(st.just("wait"), st.floats(0, 40)),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_sum_is_that_of_the_last_words(steps: list[tuple]) -> None:
    census = Census()
    model: dict[str, dict[int, int]] = {}
    heard: dict[str, float] = {}
    now = 0.0
    for step in steps:
        match step:
            case ("report", node, counts, is_full):
                census.report(node, counts, now, is_full=is_full)
                model[node] = counts if is_full else model.get(node, {}) | counts
                heard[node] = now
            case ("forget", node):
                census.forget(node)
                model.pop(node, None)
                heard.pop(node, None)
            case ("wait", seconds):
                now += seconds
                gone = {node for node, at in heard.items() if now - at > LEASE_S}
                assert set(census.expire(now)) == gone
                for node in gone:
                    del model[node], heard[node]
    assert census.nodes == sorted(heard)
    for user in range(5):
        assert census.elsewhere(user) == sum(counts.get(user, 0) for counts in model.values())


def test_a_user_without_sockets_leaves_no_trace() -> None:
    census = Census()
    census.report("a", {1: 2}, 0, is_full=False)
    census.report("a", {1: 0}, 0, is_full=False)
    assert not census._totals
