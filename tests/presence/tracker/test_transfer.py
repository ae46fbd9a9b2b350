"""What was lost is asked for: of whom, when, and how often."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from presence.tracker.gossip import Heartbeat, TransferAnswer, TransferRequest, receiver
from presence.tracker.replica import Peer, Replica
from presence.tracker.state import State
from tests.presence.tracker.cluster import PERIODS, Cluster
from tests.presence.tracker.test_state import come

if TYPE_CHECKING:
    from presence.tracker.gossip import Gossip
    from presence.tracker.tracker import Tracker


@pytest.fixture
def cluster() -> Cluster:
    """Three processes that know each other; what was sent so far is forgotten."""
    cluster = Cluster("a", "b", "c")
    cluster.periods_pass(2)
    cluster.sent.clear()
    return cluster


def miss_thirty_people(cluster: Cluster) -> tuple[Tracker, Tracker]:
    """Thirty came at a during a split; it is over. Returns a, and b that knows nothing of them."""
    cluster.split("a", "bc")
    for number in range(30):
        cluster.track("a", f"person {number}")
    cluster.periods_pass(1)
    cluster.heal()
    return cluster.trackers["a"], cluster.trackers["b"]


def answer_to_catching_up(cluster: Cluster, a: Tracker, b: Tracker) -> list[Gossip]:
    """What a sends when b, which hears again, asks it for what it has done; nothing of it is delivered."""
    request = next(ask for ask in b.catch_up(cluster.now) if receiver(ask) == a.replica)
    return a.on_message(cluster.now, request).messages


def asks_again_in_time(cluster: Cluster, asker: Tracker, asked: Tracker) -> None:
    """Asked now and in vain, it asks the same one again as soon as the answer should have come."""
    wait_s = asker._ask_at - cluster.now
    assert PERIODS.retry_s <= wait_s <= PERIODS.retry_s + PERIODS.jitter_s
    assert [receiver(ask) for ask in asker._ask(asker._ask_at)] == [asked.replica]


def test_a_lost_heartbeat_is_noticed_by_the_next_clock_and_asked_for_at_once(
    cluster: Cluster,
) -> None:
    cluster.track("a", "ada")
    cluster.split("a", "bc")
    cluster.periods_pass(1)
    cluster.heal()
    cluster.sent.clear()

    cluster.run(PERIODS.broadcast_s + PERIODS.jitter_s)

    assert cluster.seen("b") == {"ada"}
    assert {(ask.sender.name, ask.to.name) for ask in cluster.requests()} == {
        ("b", "a"),
        ("c", "a"),
    }


def test_requests_after_a_loss_are_spread_over_the_jitter(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.split("a", "bc")
    cluster.periods_pass(1)
    cluster.heal()
    beat = Heartbeat(cluster.trackers["a"].replica, 10_000, cluster.trackers["a"].clock())

    for chance, name in ((0.0, "b"), (0.5, "c")):
        tracker = cluster.trackers[name]
        tracker._random = itertools.repeat(chance).__next__
        tracker.on_message(cluster.now, beat)
        assert tracker._ask_at == cluster.now + chance * PERIODS.jitter_s


def test_nobody_is_asked_again_while_the_answer_may_be_on_its_way(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.split("a", "bc")
    cluster.periods_pass(1)
    cluster.heal()
    beat = Heartbeat(cluster.trackers["a"].replica, 10_000, cluster.trackers["a"].clock())
    tracker = cluster.trackers["b"]
    tracker.on_message(cluster.now, beat)
    at = cluster.now + PERIODS.jitter_s

    asked = tracker._ask(at)
    tracker.on_message(at + 0.01, beat)

    assert [type(message).__name__ for message in asked] == ["TransferRequest"]
    assert PERIODS.retry_s <= tracker._ask_at - at <= PERIODS.retry_s + PERIODS.jitter_s
    assert len(tracker._ask(tracker._ask_at)) == 1


def test_when_a_peer_does_not_answer_somebody_else_who_knows_is_asked(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.cut = {("a", "c")}
    cluster.periods_pass(1)
    cluster.cut = {("c", "a")}

    cluster.periods_pass(2)

    assert cluster.seen("c") == {"ada"}


def test_a_peer_is_asked_for_its_own_first_and_then_in_turn_with_anyone(cluster: Cluster) -> None:
    a, b, c = (cluster.trackers[name] for name in "abc")
    c._random = itertools.repeat(0.9).__next__
    peer = Peer(a.replica, cluster.now, 0)
    asked = []
    for tries in range(4):
        peer.tries = tries
        asked.append(c._source(peer, [a.replica, b.replica]).name)

    assert asked == ["a", "b", "a", "b"]
    assert c._source(peer, [b.replica]) == b.replica


def test_after_an_answer_the_next_loss_is_asked_for_at_once(cluster: Cluster) -> None:
    a, b = cluster.trackers["a"], cluster.trackers["b"]
    cluster.track("a", "ada")
    ada = a.on_tick(a.wake_at).messages[0]
    assert isinstance(ada, Heartbeat)
    b.on_message(cluster.now, Heartbeat(a.replica, 10_000, ada.clock))
    at = cluster.now + PERIODS.jitter_s
    (request,) = b._ask(at)
    (answer,) = a.on_message(at, request).messages
    b.on_message(at, answer)

    b.on_message(at, Heartbeat(a.replica, 10_001, {a.replica: 2}))

    assert b._ask_at <= at + PERIODS.jitter_s


def test_what_is_for_somebody_else_and_our_own_echo_change_nothing(cluster: Cluster) -> None:
    cluster.track("a", "ada")
    cluster.periods_pass(1)
    tracker = cluster.trackers["b"]
    clock, listed = tracker.clock(), cluster.listed("b")
    ada = come(State(Replica("a", 1)), "ada")
    a, b, c = (cluster.trackers[name].replica for name in "abc")

    for message in (
        cluster.heartbeats("b")[-1],
        TransferAnswer(a, c, ada),
        TransferRequest(a, c, {b: 0}),
    ):
        outcome = tracker.on_message(cluster.now, message)
        assert not outcome.diff
        assert not outcome.messages

    assert (tracker.clock(), cluster.listed("b")) == (clock, listed)


def test_who_hears_again_asks_each_peer_for_what_it_has_done_and_is_heard_soon(
    cluster: Cluster,
) -> None:
    cluster.split("a", "bc")
    cluster.track("b", "grace")
    cluster.track("a", "ada")
    cluster.periods_pass(1)
    cluster.heal()
    cluster.sent.clear()

    cluster.tell("a", cluster.trackers["a"].catch_up(cluster.now))
    cluster.settle()

    assert {ask.to.name for ask in cluster.requests()} == {"b", "c"}
    assert cluster.seen("a") == {"ada", "grace"}
    cluster.run(2 * PERIODS.jitter_s)
    assert cluster.seen("b") == cluster.seen("c") == {"ada", "grace"}


def test_a_transfer_in_parts_is_waited_for_while_parts_come_and_asked_for_again_when_they_stop(
    cluster: Cluster,
) -> None:
    a, b = miss_thirty_people(cluster)
    b.on_message(cluster.now, Heartbeat(a.replica, 10_000, a.clock()))
    at = cluster.now + PERIODS.jitter_s
    (request,) = b._ask(at)
    parts = a.on_message(at, request).messages
    assert len(parts) > 10

    for number, part in enumerate(parts[:-1]):
        b.on_message(at + number, part)
        assert b._ask(at + number) == ()

    later = at + len(parts) - 2 + PERIODS.retry_s
    assert len(b._ask(max(later, b._ask_at))) == 1
    b.on_message(later, parts[-1])
    assert len(cluster.seen("b")) == 30
    assert len(b._assembly) == 0


def test_a_heartbeat_between_the_parts_of_an_answer_costs_none_of_them(cluster: Cluster) -> None:
    """Who hears again asks before any clock has told it that it is behind."""
    a, b = miss_thirty_people(cluster)
    first, *others = answer_to_catching_up(cluster, a, b)

    b.on_message(cluster.now, first)
    b.on_tick(b._broadcast_at)
    for part in others:
        b.on_message(b._broadcast_at, part)

    assert len(cluster.seen("b")) == 30


def test_when_the_rest_of_an_answer_is_lost_it_is_asked_for_without_waiting_for_a_clock(
    cluster: Cluster,
) -> None:
    a, b = miss_thirty_people(cluster)
    first, *_ = answer_to_catching_up(cluster, a, b)

    b.on_message(cluster.now, first)

    asks_again_in_time(cluster, b, a)


def test_a_question_that_was_lost_is_asked_again_as_soon_as_the_answer_should_have_come(
    cluster: Cluster,
) -> None:
    cluster.track("a", "ada")
    cluster.split("a", "bc")
    cluster.periods_pass(1)
    cluster.heal()
    a, b = cluster.trackers["a"], cluster.trackers["b"]
    b.catch_up(cluster.now)  # lost

    b.on_message(cluster.now + 0.01, Heartbeat(a.replica, 10_000, a.clock()))

    asks_again_in_time(cluster, b, a)


def test_news_too_long_for_one_message_is_asked_for_and_comes_in_parts(cluster: Cluster) -> None:
    for number in range(30):
        cluster.track("a", f"person {number}")

    cluster.run(PERIODS.broadcast_s + 2 * PERIODS.jitter_s)

    assert cluster.heartbeats("a")[0].delta is None
    assert {ask.sender.name for ask in cluster.requests()} == {"b", "c"}
    assert len(cluster.seen("b")) == len(cluster.seen("c")) == 30
