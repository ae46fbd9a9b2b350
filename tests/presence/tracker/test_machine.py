"""Anything may happen to three to five replicas; at rest they show the truth, within two periods."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.presence.tracker.cluster import PERIODS, TOPIC, Cluster

NAMES = ("a", "b", "c", "d", "e")
KEYS = st.sampled_from(("ada", "grace", "linus"))
TABS = st.sampled_from(("tab", "phone"))
METAS = st.sampled_from((b"1", b"2", b"3"))
PLACE = st.integers(0, 1_000)


class Machine(RuleBasedStateMachine):
    """Rules are what can happen; `teardown` lets everything come to rest and compares with the model."""

    cluster: Cluster

    @initialize(
        number=st.integers(3, 5),
        skews=st.lists(st.floats(-1e4, 1e4, allow_nan=False), min_size=5, max_size=5),
        is_met=st.booleans(),
    )
    def start(self, number: int, skews: list[float], is_met: bool) -> None:
        self.cluster = Cluster(*NAMES[:number], skews=skews)
        if is_met:
            self.cluster.periods_pass(2)

    def pick(self, place: int) -> str:
        """One of the living."""
        living = sorted(self.cluster.trackers)
        return living[place % len(living)]

    @rule(place=PLACE, key=KEYS, tab=TABS, meta=METAS)
    def track_or_update(self, place: int, key: str, tab: str, meta: bytes) -> None:
        name = self.pick(place)
        is_there = (TOPIC, key, tab) in self.cluster.truth[name]
        verb = self.cluster.update if is_there else self.cluster.track
        verb(name, key, tab, meta)

    @rule(place=PLACE, key=KEYS, tab=TABS)
    def untrack(self, place: int, key: str, tab: str) -> None:
        self.cluster.untrack(self.pick(place), key, tab)

    @rule(place=PLACE, seconds=st.sampled_from((0.0, 0.3, 1.0, 2.0)))
    def time_passes_and_one_ticks(self, place: int, seconds: float) -> None:
        self.cluster.now += seconds
        self.cluster.tick(self.pick(place))

    @precondition(lambda self: self.cluster.network)
    @rule(places=st.lists(PLACE, min_size=1, max_size=6))
    def some_arrive_in_any_order(self, places: list[int]) -> None:
        for place in places:
            if self.cluster.network:
                self.cluster.deliver(place % len(self.cluster.network))

    @precondition(lambda self: self.cluster.network)
    @rule(place=PLACE)
    def one_is_lost(self, place: int) -> None:
        self.cluster.network.pop(place % len(self.cluster.network))

    @precondition(lambda self: 0 < len(self.cluster.network) < 60)
    @rule(place=PLACE)
    def one_is_doubled(self, place: int) -> None:
        network = self.cluster.network
        network.append(network[place % len(network)])

    @rule(sides=st.lists(st.integers(0, 1), min_size=5, max_size=5))
    def split(self, sides: list[int]) -> None:
        groups = [[n for n, side in zip(NAMES, sides, strict=True) if side == at] for at in (0, 1)]
        self.cluster.split(*groups)

    @rule()
    def heal(self) -> None:
        self.cluster.heal()

    @rule(place=PLACE)
    def one_learns_that_its_link_is_back(self, place: int) -> None:
        name = self.pick(place)
        self.cluster.tell(name, self.cluster.trackers[name].catch_up(self.cluster.time(name)))

    @rule(seconds=st.sampled_from((0.5, 2.0, 5.0, 12.0, 22.0)))
    def a_while_passes(self, seconds: float) -> None:
        self.cluster.run(seconds)

    @rule(place=PLACE, linger_s=st.sampled_from((None, 0.0, 5.0)))
    def restart(self, place: int, linger_s: float | None) -> None:
        name = self.pick(place)
        if linger_s is None:
            self.cluster.kill(name)
        else:
            self.cluster.stop(name, linger_s)
        self.cluster.start(name)

    @precondition(lambda self: len(self.cluster.trackers) > 2)
    @rule(place=PLACE)
    def die(self, place: int) -> None:
        self.cluster.kill(self.pick(place))

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        cluster = self.cluster
        cluster.heal()
        cluster.lose()

        cluster.periods_pass(2)
        for name in cluster.trackers:
            missing = set(cluster.all_there_is()) - set(cluster.listed(name))
            assert not missing, f"{name} does not show them two periods after the heal"

        cluster.run(PERIODS.down_s)
        for name in cluster.trackers:
            assert cluster.listed(name) == cluster.all_there_is(), f"{name} shows a ghost"

        cluster.run(PERIODS.permdown_s)
        for name in cluster.trackers:
            assert cluster.listed(name) == cluster.all_there_is()
            assert cluster.known_of(name) == {*cluster.trackers} - {name}


@pytest.mark.timeout(1_200)  # the nightly profile has ten times the examples
def test_replicas_that_lose_double_reorder_split_restart_and_drift_agree_at_rest() -> None:
    profile = hypothesis.settings()
    run_state_machine_as_test(
        Machine,
        settings=hypothesis.settings(
            profile, max_examples=max(200, profile.max_examples), stateful_step_count=40
        ),
    )
