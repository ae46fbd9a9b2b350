"""Messages over REST: read, edit, delete, react, pin; the same rates as on the socket."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User

from conversation import rates
from tests.support.rest import rest

if TYPE_CHECKING:
    from conversation.models import Conversation
    from tests.conversation.conftest import Say


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_throttles", "a_clock_that_stands", "ear"),
]


@pytest.fixture
def messages(room: Conversation) -> str:
    return f"/api/v1/conversations/{room.id}/messages/"


def test_a_message_is_read_edited_and_deleted(messages: str, ada: User, say: Say) -> None:
    said = say(ada, "helo")
    one = f"{messages}{said['id']}/"

    read = rest(ada).get(one)
    edited = rest(ada).patch(one, {"revision": 1, "body": "hello"})
    stale = rest(ada).patch(one, {"revision": 1, "body": "hullo"})
    deleted = rest(ada).delete(one)

    assert (read.status_code, read.json()) == (200, {"message": said})
    assert (edited.status_code, edited.json()["message"]["body"]) == (200, "hello")
    assert (stale.status_code, stale.json()["reason"]) == (409, "conflict")
    assert stale.json()["current"] == edited.json()["message"]
    assert (deleted.status_code, deleted.json()["message"]["body"]) == (200, "")


def test_strangers_find_no_message(messages: str, ada: User, linus: User, say: Say) -> None:
    one = f"{messages}{say(ada, 'hello')['id']}/"
    stranger = rest(linus)

    answers = [
        stranger.get(one),
        stranger.patch(one, {"revision": 1, "body": "x"}),
        stranger.delete(one),
        stranger.post(f"{one}reactions/", {"emoji": "🐎"}),
        stranger.delete(f"{one}reactions/{quote('🐎')}/"),
        stranger.put(f"{one}pin/"),
        rest(User.objects.create_user("ken")).delete(f"{one}pin/"),  # five at once is the rate
        stranger.get(f"{messages.removesuffix('messages/')}pins/"),
    ]

    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize("emoji", ["🐎", "#️⃣", ":shipit:"], ids=ascii)
def test_a_reaction_is_added_and_taken_back(
    messages: str, ada: User, grace: User, say: Say, emoji: str
) -> None:
    reactions = f"{messages}{say(ada, 'hello')['id']}/reactions/"

    added = rest(grace).post(reactions, {"emoji": emoji})
    removed = rest(grace).delete(f"{reactions}{quote(emoji, safe='')}/")

    assert added.json()["reactions"] == [{"emoji": emoji, "user_ids": [grace.pk]}]
    assert (removed.status_code, removed.json()["reactions"]) == (200, [])


def test_pins_are_set_listed_and_removed(
    room: Conversation, messages: str, ada: User, grace: User, say: Say
) -> None:
    said = say(ada, "hello")
    pin, pins = f"{messages}{said['id']}/pin/", f"/api/v1/conversations/{room.id}/pins/"

    pinned = rest(grace).put(pin).json()
    listed = rest(ada).get(pins).json()["messages"]
    removed = rest(ada).delete(pin).json()

    assert [(each["id"], each["pinned_at"]) for each in listed] == [
        (said["id"], pinned["pinned_at"])
    ]
    assert removed == {"message_id": said["id"], "pinned_at": None}
    assert rest(ada).get(pins).json() == {"messages": []}


def test_a_thread_is_a_list_of_its_own(messages: str, ada: User, say: Say) -> None:
    root = say(ada, "why?")
    sent = [
        rest(ada).post(messages, {"body": "so", "client_id": f"t{n}", "thread_id": root["id"]})
        for n in range(3)
    ]
    thread = f"{messages}?thread_id={root['id']}&limit=2"

    page = rest(ada).get(thread).json()
    older = rest(ada).get(page["previous"]).json()
    main = rest(ada).get(messages).json()["results"]

    assert page["results"] == [each.json()["message"] for each in sent[1:]]
    assert older["results"] == [sent[0].json()["message"]]
    assert [(each["id"], each["reply_count"]) for each in main] == [(root["id"], 3)]


def test_an_owner_sets_the_assistant_and_the_title_together_or_neither(
    room: Conversation, ada: User, grace: User
) -> None:
    address = f"/api/v1/conversations/{room.id}/"

    changed = rest(ada).patch(address, {"title": "COBOL", "assistant": "always"})
    refused = rest(grace).patch(address, {"assistant": "off"})
    wrong = rest(ada).patch(address, {"title": "Ada", "assistant": "sometimes"})

    assert (changed.json()["title"], changed.json()["assistant"]) == ("COBOL", "always")
    assert (refused.status_code, wrong.status_code) == (403, 400)
    assert rest(ada).get(address).json()["title"] == "COBOL"


def test_sending_too_fast_is_refused_whichever_door_was_used_before(
    messages: str, ada: User
) -> None:
    for _ in range(10):
        rates.spend("message", ada.pk)  # as the socket does

    answer = rest(ada).post(messages, {"body": "hello", "client_id": str(uuid.uuid4())})

    assert (answer.status_code, answer.json()["reason"]) == (429, "rate_limited")
    assert answer.json()["retry_after_ms"] == 200
