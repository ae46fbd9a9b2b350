"""From raw payloads to commands; an error lists what is accepted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from commsite.realtime.envelope import Binary
from commsite.realtime.errors import PushError
from commsite.realtime.schema import Payload, parse


class Order(Payload):
    """Every kind of member."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    count: Annotated[int, msgspec.Meta(ge=1, le=3)]
    size: Literal["s", "m"] = "m"
    note: str | None = None
    tags: list[str] = []  # noqa: RUF012  msgspec makes a new one each time


ACCEPTED = {
    "name": "string (at least 1, at most 5)",
    "count": "integer (from 1, to 3)",
    "size": "one of m, s, optional",
    "note": "string or null, optional",
    "tags": "array, optional",
}


@pytest.mark.parametrize(
    "raw", [b'{"name":"a","count":2,"more":1}', msgspec.Raw(b'{"name":"a","count":2}')]
)
def test_json_text_becomes_a_command(raw: Any) -> None:
    assert parse(Order, raw) == Order(name="a", count=2)


def test_what_is_decoded_already_becomes_a_command() -> None:
    assert parse(Order, {"name": "a", "count": 2, "tags": ["x"]}).tags == ["x"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"nonsense",
        b'{"name":"","count":1}',
        b'{"name":"abcdef","count":1}',
        b'{"name":"a","count":4}',
        b'{"name":"a","count":1.5}',
        b'{"name":"a","count":1,"size":"l"}',
        b'{"name":"a","count":1,"tags":[1]}',
        b'{"name":"\xff","count":1}',
        b'{"name":"\\ud800","count":1}',
        b'{"name":"a","count":1,"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        Binary(b'{"name":"a","count":1}'),
        {"name": 1, "count": 1},
        None,
        "text",
    ],
)
def test_what_does_not_fit_is_an_error_that_says_what_does(raw: Any) -> None:
    with pytest.raises(PushError) as caught:
        parse(Order, raw)
    response = caught.value.as_response()
    assert response["reason"] == "invalid_payload"
    assert response["message"]
    assert response["expected"] == ACCEPTED
    assert caught.value.http_status == 400


def test_a_message_does_not_repeat_what_may_be_megabytes() -> None:
    with pytest.raises(PushError) as caught:
        parse(Order, b'{"name":"' + b"x" * 100_000 + b'","count":1}')
    assert len(caught.value.message) < 300
