"""What went wrong in Phoenix.Tracker over the years, each as a story that must end well here.

Numbers are issues and pull requests of phoenixframework/phoenix_pubsub.
"""

from __future__ import annotations

from presence.tracker.gossip import Heartbeat, TransferRequest
from presence.tracker.replica import Replica
from presence.tracker.state import State
from tests.presence.tracker.cluster import PERIODS, TOPIC, Cluster
from tests.presence.tracker.naive import NaiveState
from tests.presence.tracker.test_state import change, come

A, C = Replica("a", 1), Replica("c", 1)


def naive_story() -> NaiveState:
    """Issue 148: Ada is at a1, then a3, then a5 (each change takes two dots there); who hears what, and when."""
    late = NaiveState(values={"ada": ("a", 5)}, cloud={("a", 3), ("a", 4), ("a", 5)})
    stale = NaiveState(values={"ada": ("a", 1)}, context={"a": 1})
    full = NaiveState(values={"ada": ("a", 5)}, context={"a": 5})
    newcomer = NaiveState()
    for heard in (late, stale, full):
        newcomer.merge(heard)
    return newcomer


def test_148_the_naive_rule_loses_a_living_person_and_no_clock_shows_it() -> None:
    newcomer = naive_story()

    assert newcomer.values == {}
    assert newcomer.context == {"a": 5}


def test_148_a_stale_transfer_never_takes_the_place_of_a_later_entry() -> None:
    a, b, c = State(A), State(Replica("b", 1)), State(C)
    b.merge(come(a, "ada", b"1"))
    change(a, "ada", b"2")
    late = change(a, "ada", b"3")

    c.merge(late)
    for stale in b.deltas():
        c.merge(stale)
    for full in a.deltas():
        c.merge(full)

    assert [entry.meta for entry in c.entries(A)] == [b"3"]
    assert c.version(A) == a.version(A)


def test_148_the_same_among_trackers() -> None:
    cluster = Cluster("a", "b")
    cluster.periods_pass(2)
    cluster.track("a", "ada", meta=b"1")
    cluster.periods_pass(1)
    cluster.split("a", "b")
    cluster.update("a", "ada", meta=b"2")
    cluster.periods_pass(1)
    cluster.start("c")
    cluster.split("ac", "b")
    cluster.update("a", "ada", meta=b"3")
    cluster.periods_pass(0.5)
    cluster.heal()
    cluster.periods_pass(2)

    assert [meta for *_, meta in cluster.listed("c")] == [b"3"]
    assert cluster.listed("b") == cluster.listed("c")


def test_179_replicas_come_and_go_and_leave_no_trace() -> None:
    cluster = Cluster("a", "b")
    for number in range(20):
        cluster.start(f"deploy {number}")
        cluster.track(f"deploy {number}", "ada")
        cluster.periods_pass(2)
        if number % 2:
            cluster.kill(f"deploy {number}")
        else:
            cluster.stop(f"deploy {number}")
    cluster.run(PERIODS.permdown_s)

    assert cluster.known_of("a") == {"b"}
    assert cluster.known_of("b") == {"a"}
    assert cluster.trackers["a"].clock().keys() == cluster.trackers["b"].clock().keys()


def test_a_transfer_never_carries_the_asker_its_own_entries() -> None:
    cluster = Cluster("a", "b")
    cluster.track("a", "ada")
    cluster.track("b", "grace")
    cluster.periods_pass(2)
    a, b = (cluster.trackers[name] for name in "ab")

    outcome = b.on_message(
        cluster.now, TransferRequest(a.replica, b.replica, {a.replica: 0, b.replica: 0})
    )

    assert [answer.delta.replica for answer in outcome.messages] == [b.replica]  # type: ignore[union-attr]


def test_a_heal_tells_no_join_that_the_next_merge_takes_back() -> None:
    cluster = Cluster("a", "b")
    cluster.track("a", "ada")
    cluster.track("a", "grace")
    cluster.periods_pass(2)
    cluster.split("a", "b")
    cluster.run(PERIODS.down_s)
    cluster.untrack("a", "ada")
    cluster.periods_pass(2)
    cluster.diffs["b"].clear()

    cluster.heal()
    cluster.periods_pass(2)

    assert cluster.joins_and_leaves("b") == [("join", "grace")]


def test_a_newcomer_is_not_told_of_one_who_has_left_by_somebody_behind() -> None:
    cluster = Cluster("a", "b")
    cluster.periods_pass(2)
    cluster.track("a", "ada")
    cluster.periods_pass(1)
    cluster.split("a", "b")
    cluster.untrack("a", "ada")
    cluster.periods_pass(1)

    cluster.start("c")
    cluster.cut |= {("c", "a")}
    cluster.periods_pass(3)

    assert ("join", "ada") not in cluster.joins_and_leaves("c")


def test_55_60_80_one_given_up_for_good_is_not_brought_back_by_those_who_still_know_it() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    cluster.cut = {("a", "b")}
    cluster.run(PERIODS.permdown_s + 1)
    cluster.sent.clear()
    cluster.track("a", "grace")
    cluster.periods_pass(4)

    assert cluster.seen("c") == {"ada", "grace"}
    assert cluster.seen("b") == set()
    assert {ask.sender.name for ask in cluster.requests()} <= {"a"}

    cluster.heal()
    cluster.periods_pass(2)
    assert cluster.seen("b") == {"ada", "grace"}


def test_74_two_that_both_have_people_and_meet_late_agree() -> None:
    cluster = Cluster("a", "b")
    cluster.split("a", "b")
    for number in range(30):
        cluster.track("a", f"ada {number}")
        cluster.track("b", f"grace {number}")
        cluster.periods_pass(1)
    cluster.heal()
    cluster.periods_pass(2)

    assert cluster.listed("a") == cluster.listed("b") == cluster.all_there_is()


def test_111_leaves_during_a_split_are_not_lost_when_later_deltas_arrive_first() -> None:
    cluster = Cluster("a", "b")
    for number in range(12):
        cluster.track("a", f"person {number}")
    cluster.periods_pass(2)
    cluster.split("a", "b")
    for number in range(6):
        cluster.untrack("a", f"person {number}")
        cluster.periods_pass(0.5)
    cluster.heal()
    cluster.track("a", "ada")
    cluster.periods_pass(2)

    assert cluster.seen("b") == {"ada", *(f"person {number}" for number in range(6, 12))}


def test_135_136_a_replaced_process_causes_no_endless_transfers() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    cluster.split("c", "ab")
    cluster.kill("a")
    cluster.start("a")
    cluster.split("c", "ab")
    cluster.run(PERIODS.down_s)
    cluster.heal()
    cluster.periods_pass(2)
    cluster.sent.clear()

    cluster.periods_pass(10)

    assert cluster.requests() == []


def test_a_down_replica_is_not_in_the_clock_that_is_told() -> None:
    cluster = Cluster("a", "b")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    a = cluster.trackers["a"].replica
    cluster.kill("a")
    cluster.run(PERIODS.down_s)
    cluster.sent.clear()

    cluster.periods_pass(2)

    assert cluster.heartbeats("b")
    assert all(a not in beat.clock for beat in cluster.heartbeats("b"))


def test_172_175_an_update_never_shows_nobody_and_never_leaves_the_old_one() -> None:
    cluster = Cluster("a", "b")
    cluster.track("a", "ada", meta=b"0")
    cluster.periods_pass(2)
    for number in range(20):
        cluster.update("a", "ada", meta=b"%d" % number)
        cluster.periods_pass(0.5)
        assert len(cluster.trackers["b"].get_by_key(TOPIC, "ada")) == 1
    cluster.untrack("a", "ada")
    cluster.periods_pass(1)

    assert cluster.listed("b") == []


def test_an_old_or_doubled_heartbeat_is_no_second_sign_of_life() -> None:
    cluster = Cluster("a", "b")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    last = cluster.heartbeats("a")[-1]
    cluster.kill("a")
    cluster.run(PERIODS.down_s)

    outcome = cluster.trackers["b"].on_message(cluster.now, last)

    assert not outcome.diff
    assert cluster.seen("b") == set()


def test_a_heartbeat_that_arrives_after_the_goodbye_makes_no_ghost() -> None:
    cluster = Cluster("a", "b")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    a = cluster.trackers["a"]
    late = Heartbeat(a.replica, 10_000, a.clock())
    cluster.stop("a")
    cluster.settle()

    cluster.trackers["b"].on_message(cluster.now, late)

    assert cluster.seen("b") == set()
    assert "a" not in {row.replica.name for row in cluster.trackers["b"].report(cluster.now)}
