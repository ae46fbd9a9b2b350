"""Entries as Presence clients read them; and diffs that wait never leave a client with a ghost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from presence.tracker.delta import Entry
from presence.tracker.diff import Diff
from presence.tracker.rendering import (
    DIFF,
    STATE,
    Collector,
    diff_payload,
    meta_of,
    presences,
    state_parts,
)
from presence.tracker.replica import Replica
from presence.tracker.tracker import Tracker
from tests.presence.phoenix_presence import PhoenixPresence, refs

TOPIC = "presence:lobby"


def entry(number: int, meta: bytes = b"{}", key: str = "7") -> Entry:
    return Entry(TOPIC, key, f"id{number}", meta, f"ref{number}")


def test_a_meta_gets_its_ref_whatever_it_holds() -> None:
    assert json.loads(meta_of(entry(1))) == {"phx_ref": "ref1"}
    assert json.loads(meta_of(entry(1, b'{"a":1}'), "ref0")) == {
        "phx_ref": "ref1",
        "phx_ref_prev": "ref0",
        "a": 1,
    }


def test_the_entries_of_one_key_are_its_metas() -> None:
    both = json.loads(presences([entry(1), entry(2), entry(3, key='quo"te')]))

    assert {key: len(person["metas"]) for key, person in both.items()} == {"7": 2, 'quo"te': 1}


def test_a_large_state_goes_in_parts_that_add_up_to_it() -> None:
    entries = [entry(number, b'{"x":"%s"}' % (b"y" * 200), f"{number % 7}") for number in range(50)]

    parts = list(state_parts(entries, 2_000))

    view = PhoenixPresence()
    for event, payload in parts:
        view.on(event, json.loads(payload))
    assert [event for event, _ in parts] == [STATE] + [DIFF] * (len(parts) - 1)
    assert max(len(payload) for _, payload in parts) <= 2_200
    assert refs(view.state) == refs(json.loads(presences(entries)))


def test_an_empty_topic_has_a_state_too() -> None:
    assert list(state_parts([], 1_000)) == [(STATE, b"{}")]


def test_a_join_and_its_leave_are_told_apart() -> None:
    collector = Collector()
    assert collector.add(Diff(joins=[entry(1)])) == {}

    first = collector.add(Diff(leaves=[entry(1)]))

    assert json.loads(diff_payload(first[TOPIC]))["joins"] == {
        "7": {"metas": [{"phx_ref": "ref1"}]}
    }
    assert list(collector.take()[TOPIC].leaves) == ["ref1"]


Step = tuple[str, str]
steps = st.lists(
    st.tuples(st.sampled_from(["track", "untrack", "tell", "newcomer"]), st.sampled_from("abc")),
    max_size=40,
)


class Room:
    """A tracker, and the clients that are told what it changes."""

    def __init__(self) -> None:
        self.tracker = Tracker(Replica("one", 1), 0.0, random=lambda: 0.5)
        self.collector = Collector()
        self.views: list[PhoenixPresence] = []

    def tell(self, topics: dict[str, Any]) -> None:
        for change in topics.values():
            for view in self.views:
                view.on(DIFF, json.loads(diff_payload(change)))

    def welcome(self) -> None:
        self.views.append(PhoenixPresence())
        for event, payload in state_parts(self.tracker.list(TOPIC), 100):
            self.views[-1].on(event, json.loads(payload))

    def step(self, verb: str, key: str) -> None:
        if verb == "tell":
            self.tell(self.collector.take())
        elif verb == "newcomer":
            self.welcome()
        else:
            self.tell(self.collector.add(self.change(verb, key)))

    def change(self, verb: str, key: str) -> Diff:
        if verb == "untrack":
            return self.tracker.untrack(TOPIC, key, "id")
        if self.tracker.get_by_key(TOPIC, key):
            return self.tracker.update(TOPIC, key, "id", b'{"n":1}')
        return self.tracker.track(TOPIC, key, "id", b"{}")


@given(steps)
def test_whoever_came_when_shows_what_a_fresh_list_shows(steps: list[Step]) -> None:
    room = Room()

    for verb, key in steps:
        room.step(verb, key)
    room.step("tell", "")

    fresh = refs(json.loads(presences(room.tracker.list(TOPIC))))
    assert all(refs(view.state) == fresh for view in room.views)
