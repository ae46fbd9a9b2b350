"""What should have come of each process is held against what came."""

from __future__ import annotations

from commsite.realtime.heads import Heads


def test_what_is_between_what_came_and_what_should_have_come_is_missing() -> None:
    heads = Heads()
    assert heads.missing("a", 1, 7, 3) == 3  # from the first word on
    heads.put("a", 1, 7, 3)
    assert heads.missing("a", 1, 7, 3) == 0
    assert heads.missing("a", 1, 7, 5) == 2


def test_every_shard_and_every_run_of_a_process_is_counted_by_itself() -> None:
    heads = Heads()
    heads.put("a", 1, 7, 3)
    assert heads.missing("a", 1, 8, 3) == 3
    assert heads.missing("a", 2, 7, 3) == 3
    assert heads.missing("b", 1, 7, 3) == 3


def test_what_comes_late_does_not_make_what_has_come_a_gap() -> None:
    heads = Heads()
    heads.put("a", 1, 7, 9)
    heads.put("a", 1, 7, 4)
    assert heads.missing("a", 1, 7, 9) == 0


def test_of_a_process_that_is_gone_nothing_is_kept() -> None:
    heads = Heads()
    heads.put("a", 1, 7, 3)
    heads.put("b", 1, 7, 3)
    heads.forget("a")
    assert heads.nodes == {"b"}
