"""Who is shown, by topic and key; and diffs."""

from __future__ import annotations

from presence.tracker.delta import Change, Entry
from presence.tracker.diff import Diff
from presence.tracker.roster import Roster

ADA_TAB = Entry("lobby", "ada", "tab", b"1", "ref1")
ADA_PHONE = Entry("lobby", "ada", "phone", b"2", "ref2")
GRACE = Entry("office", "grace", "tab", b"3", "ref3")


def test_a_person_with_two_devices_is_one_key_with_two_entries() -> None:
    roster = Roster()
    roster.show([ADA_TAB, GRACE, ADA_PHONE])

    assert roster.list("lobby") == [ADA_TAB, ADA_PHONE]
    assert roster.get_by_key("lobby", "ada") == (ADA_TAB, ADA_PHONE)
    assert roster.topics() == {"lobby": 1, "office": 1}
    assert len(roster) == 3


def test_a_topic_that_everybody_left_takes_no_room() -> None:
    roster = Roster()
    roster.show([ADA_TAB, ADA_PHONE])
    roster.apply(Change([], [ADA_TAB, ADA_PHONE]))
    roster.drop([ADA_TAB])

    assert roster.topics() == {}
    assert roster.list("lobby") == []
    assert roster.get_by_key("lobby", "ada") == ()
    assert len(roster) == 0


def test_an_entry_shown_twice_counts_once() -> None:
    roster = Roster()
    roster.show([ADA_TAB, ADA_TAB])

    assert len(roster) == 1


def test_a_diff_leaves_out_who_came_and_went_and_who_went_and_came_back() -> None:
    diff = Diff()
    diff.join([ADA_TAB])
    diff.leave([ADA_TAB, GRACE])
    diff.join([GRACE])

    assert not diff
    assert diff.topics == {}


def test_a_diff_stands_by_topic() -> None:
    diff = Diff([ADA_PHONE, GRACE], [ADA_TAB])

    assert diff.topics["lobby"].joins == {"ref2": ADA_PHONE}
    assert diff.topics["lobby"].leaves == {"ref1": ADA_TAB}
    assert diff.topics["office"].joins == {"ref3": GRACE}
