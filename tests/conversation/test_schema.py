"""What the commands accept and refuse, the same from JSON and from REST's decoded objects."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from commsite.realtime.errors import PushError
from commsite.realtime.schema import parse
from conversation.message_shape import time_shape
from conversation.schema import (
    AddMember,
    CreateConversation,
    FetchHistory,
    RenameConversation,
    SendMessage,
)

FIELDS = {"body", "client_id", "reply_to", "thread_id", "attachment_ids"}
MESSAGE: dict[str, Any] = {"body": "hello", "client_id": "c1"}


@pytest.mark.parametrize(
    "body", ["x", "x" * 16_384, "\n", "\U0001f40e" * 16_384, "\u0001\u202e", "<script>"]
)
def test_a_body_of_up_to_16384_characters_is_kept_as_it_is(body: str) -> None:
    command = parse(SendMessage, json.dumps(MESSAGE | {"body": body}).encode())

    assert command.body == body


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": "x" * 16_385},
        {"body": "a\x00b"},
        {"body": "a\n\x00"},
        {"body": None},
        {"body": 1},
        {"client_id": ""},
        {"client_id": "c" * 65},
        {"client_id": "c\x00"},
        {"reply_to": "not an id"},
    ],
)
def test_what_can_not_be_stored_is_refused_with_what_is_accepted(wrong: dict[str, Any]) -> None:
    for raw in (json.dumps(MESSAGE | wrong).encode(), MESSAGE | wrong):
        with pytest.raises(PushError) as refused:
            parse(SendMessage, raw)

        assert refused.value.reason == "invalid_payload"
        assert set(refused.value.details["expected"]) == FIELDS


def test_half_a_surrogate_pair_is_refused() -> None:
    """DRF's parser lets it through, and no database can store it."""
    with pytest.raises(PushError):
        parse(SendMessage, MESSAGE | {"body": json.loads('"\\ud83d"')})


@pytest.mark.parametrize("title", ["", " ", "\t", "two\nlines", "x" * 201, "nul\x00"])
def test_a_title_is_one_visible_line(title: str) -> None:
    for command in (RenameConversation, CreateConversation):
        with pytest.raises(PushError):
            parse(command, {"title": title})


def test_at_most_a_hundred_first_members_are_named() -> None:
    with pytest.raises(PushError):
        parse(CreateConversation, {"title": "Crowd", "members": ["ada"] * 101})


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 201}, {"before_seq": -1}])
def test_a_page_has_bounds(wrong: dict[str, int]) -> None:
    with pytest.raises(PushError):
        parse(FetchHistory, wrong)


def test_unknown_members_of_a_command_are_left_to_newer_servers() -> None:
    assert parse(AddMember, {"username": "ada", "as": "owner"}).username == "ada"


def test_times_are_utc_with_milliseconds() -> None:
    noon = datetime(2026, 11, 22, 13, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=1)))

    assert time_shape(noon) == "2026-11-22T12:00:00.123Z"
    assert time_shape(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"
