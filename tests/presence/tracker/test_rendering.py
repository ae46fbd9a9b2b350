"""Entries as Presence clients read them; and diffs that wait never leave a client with a ghost."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence.tracker.delta import Entry
from presence.tracker.diff import Diff, TopicDiff
from presence.tracker.rendering import (
    DIFF,
    STATE,
    Collector,
    diff_parts,
    diff_payload,
    meta_of,
    presences,
    state_parts,
)
from presence.tracker.replica import Replica
from presence.tracker.tracker import Tracker
from tests.presence.phoenix_presence import PhoenixPresence, refs

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(180)  # the nightly profile has twenty times the examples

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


def crowd(number: int, refs_from: int = 0) -> list[Entry]:
    meta = b'{"x":"%s"}' % (b"y" * 200)
    return [entry(refs_from + each, meta, f"{each % 7}") for each in range(number)]


def told_parts(entries: list[Entry], most_bytes: int) -> list[tuple[str, bytes]]:
    def read_key(key: str) -> list[Entry]:
        return [each for each in entries if each.key == key]

    return list(state_parts(lambda: entries, read_key, most_bytes))


def test_a_large_state_goes_in_parts_that_add_up_to_it() -> None:
    entries = sorted(crowd(50), key=lambda each: each.key)

    parts = told_parts(entries, 3_000)

    assert [event for event, _ in parts] == [STATE] + [DIFF] * (len(parts) - 1)
    assert len(parts) > 5
    assert max(len(payload) for _, payload in parts) <= 3_000
    in_pieces: dict[str, Any] = {}  # whoever does not know Presence merges the joins
    for _, payload in parts:
        in_pieces |= json.loads(payload).get("joins", json.loads(payload))
    view = PhoenixPresence()
    for event, payload in parts:
        view.on(event, json.loads(payload))
    assert view.state == in_pieces == json.loads(presences(entries))


def test_a_large_state_has_whole_metas_as_long_as_there_is_room() -> None:
    (_, state), *_ = told_parts(crowd(50), 5_000)

    metas = [meta for person in json.loads(state).values() for meta in person["metas"]]
    assert len(metas) == 50
    assert 3 < sum("x" in meta for meta in metas) < 20


@pytest.mark.parametrize("number", [100, 1_000])
def test_no_part_of_a_state_is_too_long_however_many_there_are(number: int) -> None:
    entries = [
        entry(each, b'{"x":"%s"}' % (b"y" * (each % 300)), f"{each}") for each in range(number)
    ]

    parts = told_parts(entries, 4_000)

    assert max(len(payload) for _, payload in parts) <= 4_000 + len('{"joins":,"leaves":{}}')
    view = PhoenixPresence()
    for event, payload in parts:
        view.on(event, json.loads(payload))
    assert view.state == json.loads(presences(entries))


def test_nobody_seems_to_leave_for_one_who_comes_back_and_is_told_a_large_state() -> None:
    entries = crowd(50)
    view = PhoenixPresence()
    view.on(STATE, json.loads(presences(entries)))

    view.rejoin()
    for event, payload in told_parts(crowd(50, refs_from=25), 3_000):
        view.on(event, json.loads(payload))

    assert view.left == []
    assert view.state == json.loads(presences(crowd(50, refs_from=25)))


def test_who_leaves_between_the_parts_is_in_none_that_follows() -> None:
    entries = crowd(50)
    parts = state_parts(
        lambda: entries, lambda key: [each for each in entries if each.key == key], 3_000
    )
    next(parts)

    entries = [each for each in entries if each.key != "6"]

    assert all("6" not in json.loads(payload)["joins"] for _, payload in parts)


@pytest.mark.parametrize("most_bytes", [300, 1_000, 100_000])
def test_a_large_diff_goes_in_parts_that_add_up_to_it(most_bytes: int) -> None:
    meta = b'{"x":"%s"}' % (b"y" * 200)
    gone = {f"ref{number}": entry(number, meta, f"{number}") for number in range(20)}
    updated = {
        f"new{number}": Entry(TOPIC, f"{number}", f"id{number}", meta, f"new{number}")
        for number in range(15, 30)
    }

    payloads = list(diff_parts(TopicDiff(updated, gone), most_bytes))

    view = PhoenixPresence()
    view.on(STATE, json.loads(presences(gone.values())))
    for payload in payloads:
        view.on(DIFF, json.loads(payload))
    assert refs(view.state) == {f"{number}": {f"new{number}"} for number in range(15, 30)}
    assert view.left == [f"{number}" for number in range(15)]
    assert max(map(len, payloads)) <= most_bytes + 700
    assert (len(payloads) == 1) == (most_bytes == 100_000)


def test_an_empty_topic_has_a_state_too() -> None:
    assert told_parts([], 1_000) == [(STATE, b"{}")]


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
    st.tuples(
        st.sampled_from(["track", "untrack", "tell", "newcomer", "next part"]),
        st.sampled_from("abc"),
    ),
    max_size=40,
)


class Room:
    """A tracker, and the clients that are told what it changes."""

    def __init__(self) -> None:
        self.tracker = Tracker(Replica("one", 1), 0.0, random=lambda: 0.5)
        self.collector = Collector()
        self.views: list[PhoenixPresence] = []
        self.parts: list[tuple[PhoenixPresence, Iterator[tuple[str, bytes]]]] = []

    def tell(self, topics: dict[str, Any]) -> None:
        for change in topics.values():
            for view in self.views:
                view.on(DIFF, json.loads(diff_payload(change)))

    def welcome(self) -> None:
        """A client comes, to whom the parts of the state are told one by one while other things happen."""
        view = PhoenixPresence()
        parts = state_parts(
            lambda: self.tracker.list(TOPIC), lambda key: self.tracker.get_by_key(TOPIC, key), 100
        )
        self.views.append(view)
        self.parts.append((view, parts))
        self.tell_next_part()

    def tell_next_part(self) -> None:
        for view, parts in self.parts:
            for event, payload in itertools.islice(parts, 1):
                view.on(event, json.loads(payload))

    def step(self, verb: str, key: str) -> None:
        if verb == "tell":
            self.tell(self.collector.take())
        elif verb == "newcomer":
            self.welcome()
        elif verb == "next part":
            self.tell_next_part()
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
    for _ in "abc?":
        room.tell_next_part()
    room.step("tell", "")

    fresh = refs(json.loads(presences(room.tracker.list(TOPIC))))
    assert all(refs(view.state) == fresh for view in room.views)
