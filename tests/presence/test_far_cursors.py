"""What a process knows of the cursors of others."""

from __future__ import annotations

import json

import pytest

from presence.far_cursors import FarCursors, gone, read

FACE = b'{"connection":"c1","user":{"id":7,"username":"\\"anchor\\":,\\"expires_in_s\\":0}"},'
PLACE = FACE + b'"anchor":{"anchor":1,"expires_in_s":0},"selection":null,"expires_in_s":60}'
KEY = ("conversation:1", "socket.1")


def test_a_cursor_is_told_again_as_it_was_with_the_time_that_is_left() -> None:
    far = FarCursors()
    far.hear(KEY, PLACE, 100.0)

    (cursor,) = far.on(KEY[0], 118.2)

    assert json.loads(cursor.payload(118.2)) == {**json.loads(PLACE), "expires_in_s": 42}


def test_its_end_says_whose_it_was() -> None:
    cursor = read(PLACE, 0.0)
    assert cursor is not None

    assert json.loads(cursor.end) == {
        **json.loads(PLACE),
        "anchor": None,
        "selection": None,
        "expires_in_s": 0,
    }
    assert read(cursor.end, 0.0) is None


@pytest.mark.parametrize("way", ["end", "told", "forget", "expire"])
def test_nothing_is_left_of_one_that_is_gone(way: str) -> None:
    far = FarCursors()
    far.hear(KEY, PLACE, 0.0)
    assert KEY[0] in far

    if way == "end":
        assert far.end(KEY) is not None
        assert far.end(KEY) is None
    elif way == "told":
        far.hear(KEY, gone(FACE), 1.0)
    elif way == "forget":
        far.forget(KEY[0])
    else:
        far.expire(60.0)

    assert len(far) == 0
    assert KEY[0] not in far


def test_of_one_that_moves_only_the_latest_place_is_known_and_it_lasts_longer() -> None:
    far = FarCursors()
    far.hear(KEY, PLACE, 0.0)
    far.hear((KEY[0], "socket.2"), PLACE, 10.0)
    far.hear(KEY, PLACE.replace(b'{"anchor":1,', b'{"anchor":2,'), 30.0)

    far.expire(75.0)

    (cursor,) = far.on(KEY[0], 75.0)
    assert b'{"anchor":2,' in cursor.body
    assert far.on(KEY[0], 90.0) == []
