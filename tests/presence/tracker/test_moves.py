"""People who only move from process to process are never seen to leave, whatever is lost on the way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.presence.tracker.cluster import PERIODS, TOPIC, Cluster

pytestmark = pytest.mark.timeout(300)  # the nightly profile has twenty times the examples

NAMES, KEYS = "abc", ("ada", "grace")
PAUSES = st.sampled_from((0.0, 0.1, 0.4, 0.9))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(KEYS), st.sampled_from(NAMES)),
        st.tuples(st.just("split"), st.sampled_from(NAMES), PAUSES),
        st.tuples(st.just("part"), st.integers(0, 1_000), PAUSES),
        st.tuples(st.just("restart"), st.sampled_from(NAMES), PAUSES),
        st.tuples(st.just("lose"), st.integers(0, 50), PAUSES),
        st.tuples(st.just("wait"), st.just(0), PAUSES),
    ),
    max_size=30,
)


def number(tab: str) -> int:
    """The moves of everybody are numbered."""
    return int(tab.removeprefix("tab"))


class Travel:
    """Everybody is at one process, or at two while the first has not heard of the second."""

    def __init__(self) -> None:
        self.cluster = Cluster(*NAMES)
        self.at = dict.fromkeys(KEYS, "a")
        self.fresh: set[str] = set()
        """Those who have just begun and may not have heard of everybody yet."""
        self.moves = 0
        for key in KEYS:
            self.cluster.track("a", key, "tab0")
        self.cluster.periods_pass(3)

    def move(self, key: str, to: str) -> None:
        """The socket drops and the client comes back elsewhere; the old entry stays until its process hears of that."""
        self.moves += 1
        if to == self.at[key]:
            return
        old = [tab for _, one, tab in self.cluster.truth[to] if one == key]
        self.cluster.track(to, key, f"tab{self.moves}")
        for tab in old:  # who comes back takes the place of what is left of them here
            self.cluster.untrack(to, key, tab)
        self.at[key] = to

    def part(self, order: int, seconds: float) -> None:
        """One hears nobody for a while; then all ask for what they missed, and hear it in any order."""
        chance = random.Random(order)
        alone = chance.choice(NAMES)
        self.cluster.split(alone, set(NAMES) - {alone})
        for key in KEYS:
            self.move(key, chance.choice(NAMES))
        self.run(seconds)
        self.cluster.heal()
        for name in NAMES:
            tracker = self.cluster.trackers[name]
            self.cluster.tell(name, tracker.catch_up(self.cluster.time(name)))
        while self.cluster.network:
            self.cluster.deliver(chance.randrange(len(self.cluster.network)))
            self.tidy()
            self.check()
        self.run(2 * PERIODS.broadcast_s)

    def restart(self, name: str, seconds: float) -> None:
        """In good order: some go elsewhere before the goodbye, others come back to the new run within the linger."""
        here = [key for key in KEYS if self.at[key] == name]
        for key in here[:1]:
            self.move(key, next(other for other in NAMES if other != name))
        self.run(seconds)
        self.cluster.stop(name, linger_s=2.5)
        self.cluster.start(name)
        self.fresh.add(name)
        for key in here[1:]:
            self.at[key] = ""
            self.move(key, name)
        self.run(2 * PERIODS.broadcast_s)

    def tidy(self) -> None:
        """What the time of grace does: who is known to be back in another process goes from here."""
        for name in NAMES:
            for key in KEYS:
                seen = self.cluster.trackers[name].get_by_key(TOPIC, key)
                latest = max((number(entry.id) for entry in seen), default=0)
                own = [tab for _, one, tab in self.cluster.truth[name] if one == key]
                for tab in own:
                    if number(tab) < latest:
                        self.cluster.untrack(name, key, tab)

    def run(self, seconds: float) -> None:
        """Time passes in small steps, so that who hears of a move acts on it soon."""
        for _ in range(round(seconds / 0.1)):
            self.cluster.run(0.1)
            self.tidy()
            self.check()

    def check(self) -> None:
        for name in NAMES:
            if name in self.fresh and self.cluster.seen(name) == set(KEYS):
                self.fresh.discard(name)
            assert name in self.fresh or self.cluster.seen(name) == set(KEYS), name


@given(steps)
def test_who_only_moves_is_always_seen_everywhere(
    steps: list[tuple[str, str | int, object]],
) -> None:
    travel = Travel()
    cluster = travel.cluster
    for verb, what, more in steps:
        if verb == "move":
            travel.move(str(what), str(more))
        elif verb == "split":
            cluster.split(str(what), set(NAMES) - {str(what)})
            travel.run(float(more))  # type: ignore[arg-type]
            cluster.heal()
            travel.run(
                2 * PERIODS.broadcast_s
            )  # many splits in a row are one that is longer than the down period
        elif verb == "part":
            travel.part(int(what), float(more))  # type: ignore[arg-type]
        elif verb == "restart":
            travel.restart(str(what), float(more))  # type: ignore[arg-type]
        elif verb == "lose" and cluster.network:
            cluster.network.pop(int(what) % len(cluster.network))
        travel.tidy()
        travel.check()
        if verb != "move":
            travel.run(float(more))  # type: ignore[arg-type]

    cluster.run(2 * PERIODS.down_s)
    travel.tidy()
    cluster.periods_pass(2)
    travel.check()
    assert not travel.fresh
    assert all(cluster.listed(name) == cluster.all_there_is() for name in NAMES)
    assert len(cluster.all_there_is()) == len(KEYS)
