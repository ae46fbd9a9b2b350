"""Conversations over REST, as a client sees them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from conversation.models import Conversation, Message
from conversation.rest import WriteThrottle
from tests.support.rest import rest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from tests.conversation.conftest import Ear, Say


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_throttles", "ear"),
]
LIST = "/api/v1/conversations/"


@pytest.fixture
def address(room: Conversation) -> str:
    return f"{LIST}{room.id}/"


# --- Conversations -------------------------------------------------------------------------------
def test_a_conversation_is_opened_listed_and_read(ada: User, grace: User) -> None:
    opened = rest(ada).post(LIST, {"title": "Compilers", "members": ["grace"]})

    assert opened.status_code == 201
    conversation = opened.json()
    assert [member["username"] for member in conversation["members"]] == ["ada", "grace"]
    for member in (ada, grace):
        listed = rest(member).get(LIST).json()
        assert [row["id"] for row in listed["results"]] == [conversation["id"]]
        assert (listed["next"], listed["previous"]) == (None, None)
        assert rest(member).get(f"{LIST}{conversation['id']}/").json() == conversation


def test_the_list_shows_the_last_message(room: Conversation, ada: User, say: Say) -> None:
    message = say(ada, "hello")

    (row,) = rest(ada).get(LIST).json()["results"]

    assert row["last_message"] == message
    assert row["last_seq"] == 1


def test_the_list_is_walked_by_cursor(ada: User) -> None:
    for number in range(7):
        rest(ada).post(LIST, {"title": f"Talk {number}"})

    titles: list[str] = []
    address: str | None = f"{LIST}?limit=3"
    while address:
        page = rest(ada).get(address).json()
        assert len(page["results"]) <= 3
        titles += [row["title"] for row in page["results"]]
        address = page["next"]

    assert titles == [f"Talk {number}" for number in reversed(range(7))]


def test_one_client_id_of_one_person_opens_one_conversation(ada: User, grace: User) -> None:
    asked = {"title": "Talk", "members": ["grace"], "client_id": "c1"}

    first, again, other = (
        rest(person).post(LIST, {**asked, "title": title})
        for person, title in ((ada, "Talk"), (ada, "Other"), (grace, "Talk"))
    )

    assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
    assert first.json() == again.json()
    assert first.json()["id"] != other.json()["id"]


def test_renaming_answers_the_conversation(ada: User, address: str) -> None:
    answer = rest(ada).patch(address, {"title": "COBOL"})

    assert answer.status_code == 200
    assert answer.json()["title"] == "COBOL"


def test_bad_commands_say_what_is_expected(ada: User, address: str) -> None:
    answer = rest(ada).post(LIST, {"title": "", "members": "grace"})

    assert answer.status_code == 400
    assert answer.json()["reason"] == "invalid_payload"
    assert set(answer.json()["expected"]) == {"title", "members", "client_id"}
    assert rest(ada).post(LIST, "[1, 2", content_type="application/json").status_code == 400


# --- Who may -------------------------------------------------------------------------------------
def test_a_stranger_gets_404_everywhere(linus: User, grace: User, address: str) -> None:
    stranger = rest(linus)
    answers = [
        stranger.get(address),
        stranger.patch(address, {"title": "Mine"}),
        stranger.get(f"{address}members/"),
        stranger.post(f"{address}members/", {"username": "linus"}),
        stranger.delete(f"{address}members/{grace.pk}/"),
        stranger.get(f"{address}messages/"),
        stranger.post(f"{address}messages/", {"body": "hi", "client_id": "c1"}),
        stranger.get(f"{LIST}{uuid.uuid4()}/"),
    ]

    assert {(answer.status_code, answer.json()["reason"]) for answer in answers} == {
        (404, "not_found")
    }


def test_nobody_is_let_in_without_logging_in(address: str) -> None:
    answer = APIClient().get(address)

    assert answer.status_code == 401
    assert answer.json()["reason"] == "unauthorized"


def test_a_member_may_not_rule(grace: User, ada: User, address: str) -> None:
    answers = [
        rest(grace).patch(address, {"title": "Mine"}),
        rest(grace).delete(f"{address}members/{ada.pk}/"),
    ]

    assert {(answer.status_code, answer.json()["reason"]) for answer in answers} == {
        (403, "forbidden")
    }


# --- Members -------------------------------------------------------------------------------------
def test_members_are_added_listed_and_removed(ada: User, linus: User, address: str) -> None:
    members = f"{address}members/"

    added = [rest(ada).post(members, {"username": "linus"}) for _ in range(2)]

    assert [answer.status_code for answer in added] == [201, 200]
    assert added[0].json() == added[1].json()
    listed = rest(linus).get(members).json()["results"]
    assert [member["username"] for member in listed] == ["ada", "grace", "linus"]
    assert rest(ada).delete(f"{members}{linus.pk}/").status_code == 204
    assert rest(ada).delete(f"{members}{linus.pk}/").status_code == 204
    assert rest(ada).delete(f"{members}4711/").status_code == 404
    assert rest(linus).get(members).status_code == 404


def test_a_member_leaves(grace: User, address: str) -> None:
    assert rest(grace).delete(f"{address}members/{grace.pk}/").status_code == 204
    assert rest(grace).get(address).status_code == 404


def test_a_name_that_is_nobodys_is_a_bad_command(ada: User, address: str) -> None:
    answer = rest(ada).post(f"{address}members/", {"username": "nobody"})

    assert (answer.status_code, answer.json()["reason"]) == (400, "invalid_payload")


# --- Messages ------------------------------------------------------------------------------------
def test_a_message_is_sent_once_however_often_it_is_posted(
    room: Conversation, ada: User, address: str, ear: Ear
) -> None:
    posted = [
        rest(ada).post(f"{address}messages/", {"body": "hello", "client_id": "c1"})
        for _ in range(3)
    ]

    assert [answer.status_code for answer in posted] == [201, 200, 200]
    assert posted[0].json() == posted[1].json() == posted[2].json()
    assert Message.objects.count() == 1
    assert [told.event for told in ear.on(room.id)] == ["message_sent"]


def test_history_is_walked_both_ways_by_its_links(ada: User, address: str, say: Say) -> None:
    for number in range(11):
        say(ada, f"message {number}")

    backwards: list[int] = []
    at: str | None = f"{address}messages/?limit=4"
    while at:
        page = rest(ada).get(at).json()
        backwards = [message["seq"] for message in page["results"]] + backwards
        at = page["previous"]
    forwards: list[int] = []
    at = f"{address}messages/?after_seq=0&limit=4"
    while at:
        page = rest(ada).get(at).json()
        forwards += [message["seq"] for message in page["results"]]
        at = page["next"]

    assert backwards == forwards == list(range(1, 12))


def test_a_page_around_a_seq_links_to_its_neighbours(ada: User, address: str, say: Say) -> None:
    for number in range(9):
        say(ada, f"message {number}")

    page = rest(ada).get(f"{address}messages/?around_seq=5&limit=3").json()

    assert [message["seq"] for message in page["results"]] == [4, 5, 6]
    older, newer = rest(ada).get(page["previous"]).json(), rest(ada).get(page["next"]).json()
    assert [message["seq"] for message in older["results"]] == [1, 2, 3]
    assert [message["seq"] for message in newer["results"]] == [7, 8, 9]


def test_an_empty_page_links_to_what_lies_beside_it(ada: User, address: str, say: Say) -> None:
    say(ada, "only one")

    beyond = rest(ada).get(f"{address}messages/?after_seq=1").json()
    ahead = rest(ada).get(f"{address}messages/?before_seq=1").json()

    assert (beyond["results"], beyond["next"]) == ([], None)
    assert len(rest(ada).get(beyond["previous"]).json()["results"]) == 1
    assert (ahead["results"], ahead["previous"]) == ([], None)
    assert len(rest(ada).get(ahead["next"]).json()["results"]) == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "before_seq=x", f"after_seq={10**30}"])
def test_bad_bounds_are_refused(ada: User, address: str, query: str) -> None:
    answer = rest(ada).get(f"{address}messages/?{query}")

    assert (answer.status_code, answer.json()["reason"]) == (400, "invalid_payload")


def test_a_page_of_messages_is_six_queries(
    ada: User, address: str, say: Say, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(9):
        say(ada, f"message {number}")

    with django_assert_num_queries(6):
        rest(ada).get(f"{address}messages/?before_seq=5")


def test_writing_too_fast_is_refused_with_the_time_to_wait(
    ada: User, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WriteThrottle, "THROTTLE_RATES", {"conversation_write": "2/min"})

    answers = [
        rest(ada).post(f"{address}messages/", {"body": "hello", "client_id": f"c{n}"})
        for n in range(3)
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json()["reason"] == "rate_limited"
    assert 0 < answers[2].json()["retry_after_ms"] <= 60_000
    assert rest(ada).get(address).status_code == 200


# --- Its description -----------------------------------------------------------------------------
def test_openapi_describes_every_address(ada: User) -> None:
    described: dict[str, Any] = json.loads(
        rest(ada).get(reverse("schema"), {"format": "json"}).content
    )
    paths = {
        path.removeprefix("/api/v1/conversations/"): sorted(methods)
        for path, methods in described["paths"].items()
        if path.startswith("/api/v1/conversations/")
    }
    send = described["paths"]["/api/v1/conversations/{conversation_id}/messages/"]["post"]
    accepted = send["requestBody"]["content"]["application/json"]["schema"]

    assert paths == {
        "": ["get", "post"],
        "{conversation_id}/": ["get", "patch"],
        "{conversation_id}/delivered/": ["post"],
        "{conversation_id}/attachments/": ["post"],
        "{conversation_id}/attachments/{attachment_id}/": ["delete", "get"],
        "{conversation_id}/members/": ["get", "post"],
        "{conversation_id}/members/{user_id}/": ["delete"],
        "{conversation_id}/read/": ["post"],
        "{conversation_id}/receipts/": ["get"],
        "{conversation_id}/typing/": ["delete", "post"],
        "{conversation_id}/messages/": ["get", "post"],
        "{conversation_id}/messages/{message_id}/": ["delete", "get", "patch"],
        "{conversation_id}/messages/{message_id}/pin/": ["delete", "put"],
        "{conversation_id}/messages/{message_id}/reactions/": ["post"],
        "{conversation_id}/messages/{message_id}/reactions/{emoji}/": ["delete"],
        "{conversation_id}/pins/": ["get"],
        "{conversation_id}/export/": ["get"],
        "{conversation_id}/search/": ["get"],
        "{conversation_id}/messages/{message_id}/branches/": ["post"],
        "{conversation_id}/messages/{message_id}/regenerate/": ["post"],
        "{conversation_id}/messages/{message_id}/select/": ["post"],
        "{conversation_id}/runs/": ["get", "post"],
        "{conversation_id}/runs/{run_id}/": ["get"],
        "{conversation_id}/runs/{run_id}/approvals/{tool_call_id}/": ["post"],
        "{conversation_id}/runs/{run_id}/cancel/": ["post"],
        "{conversation_id}/runs/{run_id}/continue/": ["post"],
    }
    assert accepted["required"] == ["body", "client_id"]
    assert accepted["properties"]["body"]["maxLength"] == 16_384
    assert set(send["responses"]) == {"200", "201", "400", "401", "403", "404", "429"}
