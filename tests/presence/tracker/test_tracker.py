"""Trackers that gossip: stories about two or three processes and the people in a lobby."""

from __future__ import annotations

import pytest

from presence.tracker.gossip import Heartbeat
from presence.tracker.periods import Periods
from presence.tracker.replica import Replica
from tests.presence.tracker.cluster import PERIODS, TOPIC, Cluster


@pytest.fixture
def cluster() -> Cluster:
    """Three processes that know each other; what was sent so far is forgotten."""
    cluster = Cluster("a", "b", "c")
    cluster.periods_pass(2)
    cluster.sent.clear()
    return cluster


def test_a_late_process_sees_everyone_already_there(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.track("b", "grace")
    cluster.periods_pass(2)

    cluster.start("d")
    cluster.periods_pass(1)

    assert cluster.seen("d") == {"ada", "grace"}


def test_one_who_comes_is_seen_at_once_here_and_within_a_period_elsewhere(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    assert cluster.seen("a") == {"ada"}
    assert cluster.seen("b") == set()

    cluster.periods_pass(1)

    assert cluster.seen("b") == cluster.seen("c") == {"ada"}


def test_many_changes_in_a_period_travel_as_one_delta(cluster: Cluster) -> None:
    for number in range(30):
        cluster.track("a", f"person {number}")
        cluster.untrack("a", f"person {number}")
    cluster.track("a", "ada")
    cluster.periods_pass(1)

    (delta,) = [beat.delta for beat in cluster.heartbeats("a") if beat.delta]
    assert delta.size == 1
    assert cluster.joins_and_leaves("b") == [("join", "ada")]


def test_an_update_is_a_leave_and_a_join_in_one_diff(cluster: Cluster) -> None:
    cluster.track("a", "ada", meta=b"1")
    cluster.periods_pass(1)
    cluster.update("a", "ada", meta=b"2")
    cluster.periods_pass(1)

    told = cluster.diffs["b"][-1].topics[TOPIC]
    assert [entry.meta for entry in told.leaves.values()] == [b"1"]
    assert [entry.meta for entry in told.joins.values()] == [b"2"]


def test_a_process_that_is_killed_is_down_within_the_down_period(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.periods_pass(2)

    cluster.kill("a")
    cluster.run(PERIODS.down_s - PERIODS.broadcast_s - 0.01)
    assert cluster.seen("b") == {"ada"}
    cluster.run(PERIODS.broadcast_s + 0.01)

    assert cluster.seen("b") == cluster.seen("c") == set()
    assert cluster.joins_and_leaves("b") == [("join", "ada"), ("leave", "ada")]


def test_a_goodbye_takes_everybody_along_at_once(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.periods_pass(2)

    cluster.stop("a")
    cluster.settle()

    assert cluster.seen("b") == cluster.seen("c") == set()


def test_a_process_that_stopped_is_silent_and_never_wakes(cluster: Cluster) -> None:
    tracker = cluster.trackers["a"]
    tracker.stop()

    assert tracker.wake_at == float("inf")
    assert tracker.on_tick(cluster.now + 100).messages == []


def test_a_restart_with_a_lingering_goodbye_never_hides_one_who_comes_back(
    cluster: Cluster,
) -> None:
    cluster.track("a", "ada")
    cluster.periods_pass(2)

    cluster.stop("a", linger_s=3.0)
    cluster.run(1.0)
    assert cluster.seen("b") == {"ada"}
    cluster.track("b", "ada")
    cluster.run(2.5)

    assert len(cluster.trackers["b"].get_by_key(TOPIC, "ada")) == 1
    seen, least = 0, []
    for verb, _ in cluster.joins_and_leaves("c"):
        seen += 1 if verb == "join" else -1
        least.append(seen)
    assert least == [1, 2, 1]


def test_the_last_words_of_a_process_are_in_its_goodbye(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.stop("a", linger_s=3.0)
    cluster.settle()

    assert cluster.seen("b") == {"ada"}


def test_a_linger_is_no_longer_than_the_down_period(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.stop("a", linger_s=10_000.0)
    cluster.run(PERIODS.down_s)

    assert cluster.seen("b") == set()


def test_the_people_of_an_earlier_run_are_shown_until_it_would_have_been_down(
    cluster: Cluster,
) -> None:
    cluster.track("a", "ada")
    cluster.track("a", "linus")
    cluster.periods_pass(2)

    cluster.kill("a")
    cluster.start("a")
    cluster.track("a", "grace")
    cluster.track("a", "ada")
    cluster.periods_pass(1)
    assert cluster.seen("b") == {"ada", "grace", "linus"}
    cluster.run(PERIODS.down_s)

    assert cluster.seen("b") == {"ada", "grace"}
    assert ("leave", "ada") not in cluster.joins_and_leaves("b")[:-2]
    assert cluster.known_of("b") == {"a", "c"}


def test_a_run_may_end_before_the_people_of_the_one_before_it_are_gone(cluster: Cluster) -> None:
    """A process that is killed, starts and is stopped, all within the down period, leaves nothing behind."""
    cluster.periods_pass(2)
    cluster.track("b", "ada")
    cluster.periods_pass(1)
    cluster.kill("b")
    cluster.start("b")
    cluster.periods_pass(1)
    cluster.stop("b")
    cluster.settle()
    assert cluster.seen("a") == {"ada"}

    cluster.run(PERIODS.down_s)

    assert cluster.seen("a") == set()
    cluster.run(PERIODS.permdown_s)
    assert "b" not in cluster.known_of("a")


def test_a_late_heartbeat_of_the_earlier_run_does_not_bring_it_back(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.run(PERIODS.broadcast_s)
    old = cluster.heartbeats("a")[-1]
    cluster.kill("a")
    cluster.start("a")
    cluster.run(PERIODS.down_s)

    outcome = cluster.trackers["b"].on_message(cluster.now, old)

    assert not outcome.diff
    assert cluster.seen("b") == set()


def test_a_newcomer_does_not_take_an_earlier_run_for_the_later_one(cluster: Cluster) -> None:
    cluster.run(PERIODS.broadcast_s)
    old = cluster.heartbeats("a")[-1]
    cluster.kill("a")
    cluster.start("a")
    cluster.track("a", "ada")
    cluster.start("d")
    cluster.periods_pass(2)

    outcome = cluster.trackers["d"].on_message(cluster.now, old)

    assert not outcome.diff
    assert cluster.seen("d") == {"ada"}


def test_one_that_comes_back_is_answered_soon_and_not_after_the_long_silence() -> None:
    cluster = Cluster("a", "b", periods=Periods(broadcast_s=1.0, max_silent_periods=4, down_s=8.0))
    cluster.track("a", "ada")
    cluster.track("b", "grace")
    cluster.periods_pass(2)
    cluster.split("a", "b")
    cluster.run(12.0)
    cluster.heal()
    a, b = cluster.trackers["a"], cluster.trackers["b"]
    a._broadcast_at, a._silent = cluster.now, 4
    b._broadcast_at, b._silent = cluster.now + 1.0, 0

    cluster.run(2 * cluster.periods.jitter_s + 0.05)

    assert cluster.seen("a") == cluster.seen("b") == {"ada", "grace"}


def test_what_the_others_said_of_one_who_is_gone_is_forgotten_too(cluster: Cluster) -> None:
    a = cluster.trackers["a"].replica
    assert any(a in peer.clock for peer in cluster.trackers["b"]._peers)

    cluster.stop("a")
    cluster.settle()

    assert not any(a in peer.clock for peer in cluster.trackers["b"]._peers)


def test_a_clock_set_back_between_two_runs_does_not_shut_the_later_one_out(
    cluster: Cluster,
) -> None:
    cluster.kill("a")
    cluster.now -= 100
    cluster.start("a")
    cluster.now += 100
    cluster.track("a", "ada")
    cluster.run(PERIODS.down_s + PERIODS.broadcast_s)

    assert cluster.seen("b") == {"ada"}


def test_a_very_late_word_of_an_earlier_run_does_not_shut_the_later_one_out(
    cluster: Cluster,
) -> None:
    cluster.periods_pass(1)
    late = cluster.heartbeats("b")[-1]
    cluster.kill("b")
    cluster.start("b")
    cluster.track("b", "ada")
    cluster.periods_pass(2)
    cluster.split("a", "bc")
    cluster.run(2 * PERIODS.down_s)
    cluster._take("a", cluster.trackers["a"].on_message(cluster.now, late))

    cluster.heal()
    cluster.periods_pass(2)

    assert cluster.seen("a") == {"ada"}
    cluster.run(PERIODS.permdown_s)
    assert cluster.known_of("a") == {"b", "c"}


def test_a_split_hides_the_other_side_and_a_heal_brings_it_back_within_two_periods(
    cluster: Cluster,
) -> None:
    for name, key in (("a", "ada"), ("b", "grace"), ("c", "linus")):
        cluster.track(name, key)
    cluster.periods_pass(2)

    cluster.split("a", "bc")
    cluster.run(PERIODS.down_s)
    assert cluster.seen("a") == {"ada"}
    assert cluster.seen("b") == {"grace", "linus"}
    cluster.heal()
    cluster.periods_pass(2)

    assert cluster.seen("a") == cluster.seen("b") == {"ada", "grace", "linus"}


def test_a_split_shorter_than_the_down_period_tells_readers_nothing(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.periods_pass(2)

    cluster.split("a", "bc")
    cluster.run(PERIODS.down_s - PERIODS.broadcast_s - 0.1)
    cluster.heal()
    cluster.periods_pass(2)

    assert cluster.joins_and_leaves("b") == [("join", "ada")]


def test_a_process_that_was_stopped_for_a_while_does_not_take_the_others_for_dead(
    cluster: Cluster,
) -> None:
    cluster.track("a", "ada")
    cluster.periods_pass(2)

    cluster.now += 10 * PERIODS.down_s
    cluster.tick("b")

    assert cluster.seen("b") == {"ada"}


def test_a_hastened_heartbeat_goes_out_within_the_jitter(cluster: Cluster) -> None:
    tracker = cluster.trackers["a"]
    cluster.tick("a")
    cluster.sent.clear()
    tracker._broadcast_at = cluster.now + PERIODS.broadcast_s
    tracker.hasten(cluster.now)

    cluster.run(PERIODS.jitter_s)

    assert len(cluster.heartbeats("a")) == 1


def test_with_nothing_to_say_a_heartbeat_goes_out_every_few_periods() -> None:
    cluster = Cluster("a", periods=Periods(broadcast_s=1.0, max_silent_periods=4, down_s=8.0))
    cluster.run(0.25)
    cluster.run(12.0)
    assert len(cluster.heartbeats("a")) == 4

    cluster.track("a", "ada")
    cluster.periods_pass(1)
    assert len(cluster.heartbeats("a")) == 5


def test_operators_see_every_replica_with_its_condition_and_sizes(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.periods_pass(1)
    cluster.kill("c")
    cluster.run(PERIODS.down_s)

    rows = {row.replica.name: row for row in cluster.trackers["b"].report(cluster.now)}

    assert {name: row.condition for name, row in rows.items()} == {
        "b": "own",
        "a": "up",
        "c": "down",
    }
    assert (rows["a"].version, rows["a"].entries, rows["a"].generations) == (1, 1, [1, 1, 1])
    assert rows["b"].silent_s is None
    assert rows["a"].silent_s is not None
    assert rows["a"].silent_s <= PERIODS.broadcast_s


def test_a_replica_of_our_own_name_is_never_met(cluster: Cluster) -> None:
    twin = Replica("b", 1)
    cluster.trackers["b"].on_message(cluster.now, Heartbeat(twin, 1, {twin: 5}))

    assert cluster.known_of("b") == {"a", "c"}
