"""Leaves that wait: who moves while something is missing is never seen to go."""

from __future__ import annotations

import pytest

from presence.tracker.delta import Change, Entry
from presence.tracker.farewells import Farewells
from presence.tracker.gossip import Heartbeat, TransferRequest
from presence.tracker.roster import Roster
from tests.presence.tracker.cluster import PERIODS, TOPIC, Cluster
from tests.presence.tracker.test_cost import Counting


def entry(ref: str, key: str = "ada") -> Entry:
    return Entry(TOPIC, key, "tab", b"{}", ref)


@pytest.fixture
def roster() -> Roster:
    roster = Roster()
    roster.show([entry("1"), entry("2"), entry("3", "grace")])
    return roster


def test_nothing_waits_while_nothing_is_missing(roster: Roster) -> None:
    farewells = Farewells(roster)
    change = Change([entry("4")], [entry("1"), entry("2"), entry("3", "grace")])

    assert farewells.apply(change, None) == change
    assert [one.ref for one in roster.list(TOPIC)] == ["4"]
    assert not farewells


def test_only_the_last_entry_of_a_person_waits(roster: Roster) -> None:
    farewells = Farewells(roster)

    shown = farewells.apply(Change([], [entry("1"), entry("2"), entry("3", "grace")]), 9.0)

    assert shown == ([], [entry("1")])
    assert {one.ref for one in roster.list(TOPIC)} == {"2", "3"}
    assert farewells.next_deadline == 9.0


def test_a_join_takes_the_place_of_the_one_who_waits(roster: Roster) -> None:
    farewells = Farewells(roster)
    farewells.apply(Change([], [entry("3", "grace")]), 9.0)

    shown = farewells.apply(Change([entry("5", "grace")], []), 9.0)

    assert shown == ([entry("5", "grace")], [entry("3", "grace")])
    assert not farewells


def test_what_waits_costs_nothing_until_its_time_has_come(
    roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While many have left and something is missing, every message looks for those whose time is over."""
    crowd = [entry(f"{number}", f"person {number}") for number in range(100, 1_100)]
    roster.show(crowd)
    farewells = Farewells(roster)
    farewells.apply(Change([], crowd), 9.0)
    farewells._waiting = Counting(farewells._waiting)  # type: ignore[assignment]
    farewells._held = Counting(farewells._held)
    Counting.operations = 0

    assert farewells.release(8.0) == []
    assert farewells.next_deadline == 9.0

    assert Counting.operations < 10


def test_those_whose_time_is_over_go_and_in_the_end_all(roster: Roster) -> None:
    farewells = Farewells(roster)
    farewells.apply(Change([], [entry("3", "grace")]), 9.0)
    farewells.apply(Change([], [entry("1"), entry("2")]), 10.0)

    assert farewells.release(9.5) == [entry("3", "grace")]
    assert farewells.next_deadline == 10.0
    assert farewells.release() == [entry("2")]
    assert len(roster) == 0
    assert farewells.next_deadline == float("inf")


def test_who_moved_while_nothing_was_heard_is_not_seen_to_leave() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    cluster.split("ab", "c")
    cluster.track("b", "ada")
    cluster.periods_pass(1)
    cluster.untrack("a", "ada")
    cluster.periods_pass(1)
    cluster.diffs["c"].clear()
    a, b, c = (cluster.trackers[name] for name in "abc")

    c.on_message(cluster.now, Heartbeat(a.replica, 1_000, a.clock()))
    ask_for_a(cluster)  # of the leave it hears first
    assert cluster.seen("c") == {"ada"}
    assert cluster.diffs["c"] == []

    cluster.heal()
    cluster.periods_pass(1.5)

    assert [entry.ref for entry in c.list(TOPIC)] == [entry.ref for entry in b.list(TOPIC)]
    (diff,) = cluster.diffs["c"]
    assert len(diff.topics[TOPIC].joins) == len(diff.topics[TOPIC].leaves) == 1


def words_of(cluster: Cluster, sender: str, to: str) -> int:
    """Where on the network what one has to say to another is waiting."""
    return next(place for place, word in enumerate(cluster.network) if word[:2] == (sender, to))


def say(cluster: Cluster, name: str) -> None:
    """The heartbeat of a process goes out now."""
    tracker = cluster.trackers[name]
    tracker._broadcast_at = cluster.now
    cluster.tick(name)


def move(cluster: Cluster) -> None:
    """Ada comes to b; a hears of it and lets her go. What b has told the others is still on its way."""
    cluster.track("b", "ada", "later")
    say(cluster, "b")
    cluster.deliver(words_of(cluster, "b", "a"))
    cluster.untrack("a", "ada")


def ask_for_a(cluster: Cluster) -> None:
    """What c asks a for, and gets at once."""
    a, c = cluster.trackers["a"], cluster.trackers["c"]
    request = TransferRequest(c.replica, a.replica, {a.replica: c.clock()[a.replica]})
    for answer in a.on_message(cluster.now, request).messages:
        cluster._take("c", c.on_message(cluster.now, answer))


def half_heard(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Ada has left a; c hears that, and that b knows more, but never what."""
    cluster = Cluster("a", "b", "c")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    cluster.cut = {("b", "c"), ("c", "b")}
    cluster.track("b", "grace")
    cluster.untrack("a", "ada")
    deaf = cluster.trackers["b"].replica
    monkeypatch.setattr(cluster.trackers["c"], "_source", lambda peer, sources: deaf)
    cluster.periods_pass(1.5)
    return cluster


def test_what_a_goodbye_tells_may_be_half_of_a_move_too() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    move(cluster)
    cluster.stop("a", linger_s=3.0)

    cluster.deliver(words_of(cluster, "a", "c"))
    assert cluster.seen("c") == {"ada"}
    cluster.settle()

    assert [entry.id for entry in cluster.trackers["c"].list(TOPIC)] == ["later"]


def test_nobody_leaves_for_a_process_that_was_not_heard_yet() -> None:
    cluster = Cluster("a", "c")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    cluster.start("b")
    move(cluster)
    say(cluster, "a")

    cluster.deliver(words_of(cluster, "a", "c"))
    assert cluster.seen("c") == {"ada"}
    cluster.settle()

    assert [entry.id for entry in cluster.trackers["c"].list(TOPIC)] == ["later"]


def test_what_an_answer_told_of_others_is_not_forgotten_for_an_older_heartbeat() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.track("a", "ada")
    cluster.periods_pass(2)
    say(cluster, "a")
    late = words_of(cluster, "a", "c")
    move(cluster)
    cluster.trackers["a"]._state.flush()
    ask_for_a(cluster)

    cluster.deliver(late)
    assert cluster.seen("c") == {"ada"}
    cluster.settle()

    assert [entry.id for entry in cluster.trackers["c"].list(TOPIC)] == ["later"]


def test_who_comes_here_takes_the_place_of_what_waits_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = half_heard(monkeypatch)
    c = cluster.trackers["c"]
    assert c._farewells

    cluster.track("c", "ada", "phone")

    assert [entry.id for entry in c.get_by_key(TOPIC, "ada")] == ["phone"]
    assert not c._farewells


def test_who_left_is_gone_as_soon_as_nothing_is_missing_any_more() -> None:
    cluster = Cluster("a", "b", "c")
    cluster.track("a", "ada")
    cluster.track("b", "grace")
    cluster.periods_pass(2)
    cluster.split("ab", "c")
    cluster.untrack("a", "ada")
    cluster.track("b", "linus")
    cluster.periods_pass(1)
    cluster.heal()

    cluster.periods_pass(2)

    assert cluster.seen("c") == {"grace", "linus"}


def test_a_leave_waits_no_longer_than_patience_when_the_rest_never_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = half_heard(monkeypatch)
    assert cluster.seen("c") == {"ada"}
    cluster.run(PERIODS.patience_s)

    assert cluster.seen("c") == set()
