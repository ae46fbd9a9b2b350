"""Replicas, their dots, and what is believed of a peer."""

from __future__ import annotations

import re

from presence.tracker.clock import ahead
from presence.tracker.replica import Peer, Replica

A, B, C = Replica("a", 1), Replica("b", 1), Replica("c", 1)


def test_a_restart_is_another_replica_and_greater() -> None:
    assert Replica("a", 2) > Replica("a", 1)
    assert Replica("a", 2) != Replica("a", 1)


def test_a_ref_is_sixteen_characters_that_suit_an_address_and_name_one_dot() -> None:
    refs = [who.ref(counter) for who in (A, B, Replica("a", 2)) for counter in range(1, 200)]

    assert len(set(refs)) == len(refs)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{16}", ref) for ref in refs)
    assert Replica("a", 1).ref(7) == A.ref(7)


def test_a_clock_is_ahead_only_for_replicas_that_we_know() -> None:
    assert ahead({A: 3, B: 2, C: 9}, {A: 1, B: 2}) == {A: 3}
    assert ahead({}, {A: 1}) == {}


def test_a_peer_that_was_down_must_catch_up_before_it_is_shown() -> None:
    peer = Peer(A, heard_at=0.0, target=4)

    assert peer.hear(1.0, 9) is False
    assert peer.target == 4

    peer.is_up = False
    assert peer.hear(2.0, 9) is True
    assert (peer.target, peer.heard_at, peer.is_up) == (9, 2.0, True)


def test_a_peer_is_joining_then_up_then_down_or_leaving() -> None:
    peer = Peer(A, heard_at=0.0, target=0)
    told = [peer.condition]
    peer.is_shown = True
    told.append(peer.condition)
    peer.is_up = False
    told.append(peer.condition)
    peer.leaves_at = 5.0
    told.append(peer.condition)

    assert told == ["joining", "up", "down", "leaving"]
    assert peer.deadline(30.0, 1_200.0) == 5.0
