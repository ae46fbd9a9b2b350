"""Events from bytes, however the bytes were cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.assistant.event_stream import EventStream, TooLong


def events_of(*blocks: bytes, most_bytes: int = 1000) -> list[bytes]:
    stream = EventStream(most_bytes)
    return [*(event for block in blocks for event in stream.feed(block)), *stream.finish()]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_lines_end_in_any_of_three_ways(end: bytes) -> None:
    data = end.join([b"data: one", b"", b"data: two", b"", b""])

    assert events_of(data) == [b"one", b"two"]


def test_an_event_is_given_with_its_blank_line_not_later() -> None:
    stream = EventStream(1000)

    assert stream.feed(b"data: one\n") == []
    assert stream.feed(b"\n") == [b"one"]


def test_comments_and_other_fields_are_left_out() -> None:
    data = b": processing\n\nevent: message\nid: 7\nretry: 10\ndata: one\n\n: still\n\ndata:two\n\n"

    assert events_of(data) == [b"one", b"two"]


def test_several_data_lines_are_one_event() -> None:
    assert events_of(b'data: {"a":\ndata: 1}\n\n') == [b'{"a":\n1}']


def test_the_last_event_needs_no_blank_line_and_no_line_end() -> None:
    assert events_of(b"data: one\n\ndata: two\n") == [b"one", b"two"]
    assert events_of(b"data: one\n\ndata: two") == [b"one", b"two"]


def test_a_byte_order_mark_at_the_beginning_is_no_part_of_the_first_field() -> None:
    assert events_of(b"\xef\xbb\xbfdata: one\n\n") == [b"one"]


def test_only_carriage_return_and_line_feed_end_a_line() -> None:
    text = "a\u2028b\u0085c\x0bd"

    assert events_of(f"data: {text}\n\n".encode()) == [text.encode()]


def test_an_event_that_is_too_long_is_refused_before_its_end() -> None:
    stream = EventStream(100)
    stream.feed(b"data: " + b"x" * 50)

    with pytest.raises(TooLong):
        stream.feed(b"x" * 60)


def test_many_short_lines_of_one_event_are_too_long_together() -> None:
    stream = EventStream(100)

    with pytest.raises(TooLong):
        stream.feed(b"data: xxxx\n" * 20)


def test_events_after_each_other_do_not_add_up() -> None:
    stream = EventStream(100)

    assert sum(len(stream.feed(b"data: " + b"x" * 40 + b"\n\n")) for _ in range(50)) == 50


@given(
    events=st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
def test_where_the_bytes_are_cut_makes_no_difference(
    events: list[str], end: str, data: st.DataObject
) -> None:
    stream = "".join(f"data: {event}{end}{end}" for event in events).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    blocks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert events_of(*blocks, most_bytes=10_000) == [event.encode().strip() for event in events]
