"""Search finds what members may see, by its words, on whichever database this runs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commsite.realtime.errors import PushError
from conversation import actions, search_index
from conversation.models import Conversation, Message
from conversation.schema import (
    CreateConversation,
    EditMessage,
    NameMessage,
    SearchEverywhere,
    SearchMessages,
    SendMessage,
)
from conversation.search import search, search_everywhere
from conversation.search_terms import terms_of
from tests.support.rest import rest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from conversation.search_terms import Snippet
    from tests.conversation.conftest import Say


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ear", "fresh_throttles"),
]
on_postgres = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="of PostgreSQL alone")
on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="of SQLite alone")


def bodies(room: Conversation, user: User, query: str) -> list[str]:
    page = search(room.id, user.pk, SearchMessages(query=query))
    return [found["message"]["body"] for found in page["results"]]


SAID = [
    "Green tea, please",
    "teapots are round",
    "Tea is green here",
    "call conversation.queries.read_body() now",
    "Zürich trains",
    "日本語の本を読む",
    "it's 3.14 or so, see https://example.org/path?x=1",
    "the “Café Ångström”, naïve…",
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tea ", [2, 0]),
        ("tea", [2, 1, 0]),
        ("TEA green ", [2, 0]),
        ('"green tea"', [0]),
        ("tea coffee", []),
        ("read_body", [3]),
        ("queries ", [3]),
        ("conversation.queries", [3]),
        ("Zürich ", [4]),
        ("本", [5]),
        ("3.14 ", [6]),
        ("example.org", [6]),
        ("' OR 1=1 --", []),
        ("!!!", []),
        ("cafe ", [7]),
        ("CAFE\u0301 angstrom ", [7]),
        ("naive ", [7]),
        ("zurich", [4]),
    ],
    ids=range(18),
)
def test_messages_are_found_by_their_words(
    room: Conversation, ada: User, say: Say, query: str, found: list[int]
) -> None:
    for body in SAID:
        say(ada, body)

    assert bodies(room, ada, query) == [SAID[index] for index in found]


@pytest.mark.parametrize(
    ("body", "query", "seen"),
    [
        ("see **the plan** and _tea_", "plan ", "see the [plan] and tea"),
        ("- one\n- **tea**\n\n> said", "tea ", "one [tea] said"),
        ("```python\ndef  boil_it():\n    pass\n```", "boil_it", "def [boil_it](): pass"),
        ("run `make **tea**` now", "tea ", "run make **[tea]** now"),
        ("**green** _tea_", '"green tea"', "[green tea]"),
        ("a &amp; tea <b>&lt;", "tea ", "a & [tea] <b><"),
        ("[the plan](https://example.org/tea) of tea", "tea ", "the plan of [tea]"),
        ("[the plan](https://example.org/)", "example.org", "the plan (https://[example.org]/)"),
        ("```python\nx = 1\n```", "python ", "[python]: x = 1"),
        ("f**tea**g", "tea ", "fteag"),
    ],
    ids=range(10),
)
def test_what_was_found_is_shown_as_a_reader_sees_it(
    room: Conversation, ada: User, say: Say, body: str, query: str, seen: str
) -> None:
    say(ada, body)

    (found,) = search(room.id, ada.pk, SearchMessages(query=query))["results"]
    (everywhere,) = search_everywhere(ada.pk, SearchEverywhere(query=query))["results"]

    assert marked(found["snippet"]) == marked(everywhere["snippet"]) == seen


def marked(snippet: Snippet) -> str:
    """The text with what was found in brackets."""
    text = snippet["text"]
    for start, end in reversed(snippet["highlights"]):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


def test_what_was_edited_is_found_as_it_is_now(room: Conversation, ada: User, say: Say) -> None:
    message = say(ada, "first words")
    command = EditMessage(message_id=uuid.UUID(message["id"]), revision=1, body="second thoughts")
    actions.edit_message(room.id, ada.pk, command)

    assert bodies(room, ada, "words") == []
    assert bodies(room, ada, "thoughts") == ["second thoughts"]


def test_what_was_deleted_is_not_found(room: Conversation, ada: User, say: Say) -> None:
    message = say(ada, "secret")
    actions.delete_message(room.id, ada.pk, NameMessage(message_id=uuid.UUID(message["id"])))

    assert bodies(room, ada, "secret") == []


def test_of_alternatives_only_the_selected_one_is_found(
    room: Conversation, ada: User, say: Say
) -> None:
    first, second = (uuid.UUID(say(ada, body)["id"]) for body in ("tea one", "tea two"))
    Message.objects.filter(pk__in=[first, second]).update(branch_of=first)
    Message.objects.filter(pk=first).update(selected_branch=second)

    assert bodies(room, ada, "tea") == ["tea two"]


def test_replies_in_threads_are_found(room: Conversation, ada: User, say: Say) -> None:
    root = say(ada, "root")
    reply = SendMessage(body="tea", client_id="r", thread_id=uuid.UUID(root["id"]))
    actions.send_message(room.id, ada.pk, reply)

    (found,) = search(room.id, ada.pk, SearchMessages(query="tea"))["results"]

    assert found["message"]["thread_id"] == root["id"]


def test_a_send_that_is_undone_is_not_found(room: Conversation, ada: User, say: Say) -> None:
    with transaction.atomic():
        say(ada, "tea")
        transaction.set_rollback(True)

    assert bodies(room, ada, "tea") == []


def test_the_pages_go_from_the_newest_to_the_oldest(
    room: Conversation, ada: User, say: Say
) -> None:
    for number in range(7):
        say(ada, f"tea {number}")
        say(ada, f"coffee {number}")

    seqs: list[int] = []
    command = SearchMessages(query="tea", limit=3)
    while True:
        page = search(room.id, ada.pk, command)
        seqs += [found["message"]["seq"] for found in page["results"]]
        if not page["has_more"]:
            break
        command = SearchMessages(query="tea", limit=3, before_seq=seqs[-1])

    assert seqs == [13, 11, 9, 7, 5, 3, 1]


def test_only_members_find_anything(room: Conversation, ada: User, linus: User, say: Say) -> None:
    say(ada, "tea")

    with pytest.raises(PushError, match="not_found"):
        bodies(room, linus, "tea")
    assert search_everywhere(linus.pk, SearchEverywhere(query="tea"))["results"] == []


def test_all_of_ones_conversations_are_searched_together(
    room: Conversation, ada: User, grace: User, say: Say
) -> None:
    other = actions.create_conversation(ada.pk, CreateConversation(title="Other"))
    say(ada, "tea here")
    actions.send_message(
        uuid.UUID(other["id"]), ada.pk, SendMessage(body="tea there", client_id="1")
    )
    say(ada, "tea again")

    def found(user: User, **how: Any) -> list[tuple[str, str]]:
        page = search_everywhere(user.pk, SearchEverywhere(query="tea", **how))
        return [(row["conversation"]["title"], row["message"]["body"]) for row in page["results"]]

    assert found(ada) == [
        ("Compilers", "tea again"),
        ("Other", "tea there"),
        ("Compilers", "tea here"),
    ]
    assert found(grace) == [("Compilers", "tea again"), ("Compilers", "tea here")]
    page = search_everywhere(ada.pk, SearchEverywhere(query="tea", limit=2))
    assert page["has_more"]
    assert found(ada, before=uuid.UUID(page["results"][1]["message"]["id"])) == [
        ("Compilers", "tea here")
    ]


def test_a_page_is_a_bounded_number_of_queries(
    room: Conversation, ada: User, say: Say, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(9):
        say(ada, f"tea {number}")

    with django_assert_max_num_queries(6):
        assert len(bodies(room, ada, "tea")) == 9


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab '\"*():-^{}[]&|!<>\\%_;,.é日\x1b", min_size=1, max_size=30))
def test_no_query_fails(room: Conversation, ada: User, query: str) -> None:
    assert search(room.id, ada.pk, SearchMessages(query=query))["results"] == []
    assert search_everywhere(ada.pk, SearchEverywhere(query=query))["results"] == []


# --- REST ----------------------------------------------------------------------------------------
def test_search_over_rest(room: Conversation, ada: User, linus: User, say: Say) -> None:
    message = say(ada, "green tea")
    here = f"/api/v1/conversations/{room.id}/search/"
    client = rest(ada)

    found = client.get(f"{here}?q=tea&limit=5&before_seq=9").json()
    everywhere = client.get("/api/v1/search/", {"q": "tea"}).json()
    bad = [
        client.get(here),
        client.get(here, {"q": "x", "limit": "51"}),
        client.get("/api/v1/search/", {"q": "x", "before": "y"}),
    ]
    client.force_authenticate(linus)

    snippet = {"text": "green tea", "highlights": [[6, 9]]}
    assert found == {"results": [{"message": message, "snippet": snippet}], "has_more": False}
    assert everywhere["results"][0]["conversation"] == {"id": str(room.id), "title": "Compilers"}
    assert {(answer.status_code, answer.json()["reason"]) for answer in bad} == {
        (400, "invalid_payload")
    }
    assert client.get(here, {"q": "tea"}).status_code == 404


# --- The index -----------------------------------------------------------------------------------
def test_a_body_of_any_length_can_be_stored_and_its_beginning_found(
    room: Conversation, ada: User, say: Say
) -> None:
    say(ada, "tea")
    Message.objects.update(body="".join(f"{number:x} " for number in range(60_000)))

    assert len(bodies(room, ada, "100 ")) == 1


@on_sqlite
def test_an_index_that_lost_its_triggers_is_made_anew(
    room: Conversation, ada: User, say: Say
) -> None:
    say(ada, "tea one")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER conversation_search_insert_1")
    say(ada, "tea two")
    assert bodies(room, ada, "tea") == ["tea one"]

    search_index.ensure("default")

    assert bodies(room, ada, "tea") == ["tea two", "tea one"]
    say(ada, "tea three")
    assert len(bodies(room, ada, "tea")) == 3


@on_sqlite
def test_without_an_index_the_text_itself_is_searched(
    room: Conversation, ada: User, say: Say
) -> None:
    say(ada, "Green tea")
    search_index.drop("default")
    try:
        assert bodies(room, ada, "tea green") == ["Green tea"]
    finally:
        search_index.ensure("default")
    assert bodies(room, ada, "tea green") == ["Green tea"]


@on_sqlite
def test_nothing_is_left_in_the_index_of_what_is_gone(
    room: Conversation, ada: User, say: Say
) -> None:
    say(ada, "tea")
    room.delete()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM conversation_searchrow")
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT count(*) FROM conversation_search WHERE conversation_search MATCH 'tea'"
        )
        assert cursor.fetchone() == (0,)


@on_postgres
def test_an_index_that_could_not_be_finished_is_made_anew(room: Conversation) -> None:
    name = search_index.POSTGRES_INDEX
    state = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", (name,)
        )

        search_index.ensure("default")

        cursor.execute(state, (name,))
        assert cursor.fetchone() == (True,)


@on_postgres
def test_the_index_is_what_the_query_asks_for(room: Conversation, ada: User, say: Say) -> None:
    say(ada, "green tea")
    found = Message.objects.filter(*search_index.having(terms_of("tea"), "default"))
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        try:
            assert search_index.POSTGRES_INDEX in found.explain()
        finally:
            cursor.execute("RESET enable_seqscan")
