"""Topics are read and written alike; shards are stable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.topic import SHARDS, Topic, is_too_long, shard_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(TEXT)
def test_every_topic_is_written_as_it_was_read(text: str) -> None:
    assert str(Topic.parse(text)) == text


@given(TEXT)
def test_a_topic_is_too_long_by_its_bytes(text: str) -> None:
    assert is_too_long(text) is (len(text.encode()) > 255)


@given(TEXT)
def test_every_topic_has_a_shard(text: str) -> None:
    assert 0 <= shard_of(text) < SHARDS


def test_shards_do_not_change_between_releases() -> None:
    assert [shard_of(f"room:{n}") for n in range(4)] == [6, 16, 42, 60]


def test_the_id_is_all_behind_the_first_colon() -> None:
    assert Topic.parse("document:a:b.3") == Topic("document", "a:b.3")
