"""Typing and receipts over REST, and what lists say of unread messages."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from conversation import actions
from conversation.schema import SendMessage
from tests.support.rest import rest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client
    from pytest_django.fixtures import Settings

    from conversation.models import Conversation
    from tests.conversation.conftest import Say


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_throttles", "a_clock_that_stands", "ear"),
]


@pytest.fixture
def address(room: Conversation) -> str:
    return f"/api/v1/conversations/{room.id}/"


def test_a_mark_is_answered_as_it_is_then(address: str, ada: User, grace: User, say: Say) -> None:
    for n in range(3):
        say(ada, f"message {n}")

    read = rest(grace).post(f"{address}read/", {"seq": 2})
    lower = rest(grace).post(f"{address}read/", {"seq": 1})
    arrived = rest(grace).post(f"{address}delivered/", {"seq": 99})

    mark = {"user_id": grace.pk, "thread_id": None, "delivered_seq": 2, "read_seq": 2}
    assert (read.status_code, read.json()) == (200, {"receipt": mark})
    assert lower.json() == read.json()
    assert arrived.json() == {"receipt": {**mark, "delivered_seq": 3}}
    shown = rest(ada).get(f"{address}receipts/")
    assert shown.json() == {"receipts": [arrived.json()["receipt"]], "receipt_counts": None}


def test_a_thread_is_read_by_its_id(
    room: Conversation, address: str, ada: User, grace: User, say: Say
) -> None:
    root = say(ada, "root")
    command = SendMessage(body="reply", client_id="r", thread_id=uuid.UUID(root["id"]))
    actions.send_message(room.id, ada.pk, command)

    marked = rest(grace).post(f"{address}read/", {"seq": 2, "thread_id": root["id"]})
    of_thread = rest(ada).get(f"{address}receipts/", {"thread_id": root["id"]})
    of_none = rest(ada).get(f"{address}receipts/", {"thread_id": str(room.id)})

    assert marked.json()["receipt"]["thread_id"] == root["id"]
    assert marked.json()["receipt"] in of_thread.json()["receipts"]
    assert rest(ada).get(f"{address}receipts/").json()["receipts"] == []
    assert (of_none.status_code, of_none.json()["reason"]) == (400, "invalid_payload")


def test_typing_is_accepted_where_it_is_told(
    address: str, ada: User, grace: User, settings: Settings
) -> None:
    started = rest(ada).post(f"{address}typing/", {})
    again = rest(ada).post(f"{address}typing/", {})
    stopped = rest(ada).delete(f"{address}typing/")
    settings.REALTIME = {**settings.REALTIME, "TYPING_MEMBERS": 1}
    in_a_crowd = rest(grace).post(f"{address}typing/", {})

    assert (started.status_code, started.json()) == (200, {"is_told": True})
    assert (again.status_code, again.json()["reason"]) == (429, "rate_limited")
    assert again.json()["retry_after_ms"] == 1000
    assert stopped.status_code == 204
    assert in_a_crowd.json() == {"is_told": False}


def test_strangers_find_nothing(address: str, linus: User) -> None:
    stranger = rest(linus)

    answers = [
        stranger.get(f"{address}receipts/"),
        stranger.post(f"{address}read/", {"seq": 1}),
        stranger.post(f"{address}delivered/", {"seq": 1}),
        stranger.post(f"{address}typing/", {}),
        stranger.delete(f"{address}typing/"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["reason"] for answer in answers} == {"not_found"}


def test_lists_say_how_much_is_unread(address: str, ada: User, grace: User, say: Say) -> None:
    say(ada, "@grace one")
    say(ada, "two")

    (listed,) = rest(grace).get("/api/v1/conversations/").json()["results"]
    rest(grace).post(f"{address}read/", {"seq": 1})
    one = rest(grace).get(address).json()
    (mine,) = rest(ada).get("/api/v1/conversations/").json()["results"]

    assert (listed["unread"], listed["mentions"]) == (2, 1)
    assert (one["unread"], one["mentions"]) == (1, 0)
    assert (mine["unread"], mine["mentions"]) == (0, 0)


def test_pages_know_how_much_is_unread(
    client: Client, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    say(ada, "@grace one")
    client.force_login(grace)

    (row,) = client.get("/").context["rows"]
    start = client.get(f"/conversations/{room.id}/").context["start"]

    assert (row["unread"], row["mentions"]) == (1, 1)
    assert (start["unread"]["unread"], start["unread"]["read_seq"]) == (1, 0)
    assert start["receipts"] == []
