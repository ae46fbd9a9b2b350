"""Reads: pages that neither skip nor repeat, whatever the seqs look like; few queries; no strangers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime.errors import PushError
from conversation import actions, queries
from conversation.models import Conversation, Member, Message
from conversation.schema import AddMember, CreateConversation, FetchHistory

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from conversation.schema import HistoryPage
    from tests.conversation.conftest import Say


pytestmark = [pytest.mark.django_db, pytest.mark.timeout(90)]

# Between messages lie the seqs of other facts.
GAPS = st.lists(st.integers(1, 3), max_size=24)
LIMITS = st.integers(1, 12)


def talk(author: User, gaps: list[int]) -> tuple[uuid.UUID, list[int]]:
    """A conversation whose messages have these distances, and their seqs."""
    seqs = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    conversation = Conversation.objects.create(title="Talk", last_seq=sum(gaps))
    Member.objects.create(conversation=conversation, user=author)
    Message.objects.bulk_create(
        Message(conversation=conversation, seq=seq, author=author, client_id=str(seq), body="x")
        for seq in seqs
    )
    return conversation.id, seqs


def seqs_of(page: HistoryPage) -> list[int]:
    return [message["seq"] for message in page["messages"]]


# --- Pages ---------------------------------------------------------------------------------------
def test_walking_backwards_meets_every_message_once(ada: User) -> None:
    @given(GAPS, LIMITS)
    def walk(gaps: list[int], limit: int) -> None:
        conversation_id, seqs = talk(ada, gaps)
        met: list[int] = []
        page = queries.history(conversation_id, ada.pk, FetchHistory(limit=limit))
        met = seqs_of(page)
        while page["has_more"]:
            page = queries.history(
                conversation_id, ada.pk, FetchHistory(before_seq=met[0], limit=limit)
            )
            assert 0 < len(page["messages"]) <= limit
            met = seqs_of(page) + met
        assert met == seqs

    walk()


def test_walking_forwards_meets_every_message_once(ada: User) -> None:
    @given(GAPS, LIMITS, st.integers(0, 60))
    def walk(gaps: list[int], limit: int, start: int) -> None:
        conversation_id, seqs = talk(ada, gaps)
        met: list[int] = []
        has_more = True
        while has_more:
            after = met[-1] if met else start
            page = queries.history(
                conversation_id, ada.pk, FetchHistory(after_seq=after, limit=limit)
            )
            assert len(page["messages"]) <= limit
            met += seqs_of(page)
            has_more = page["has_more"]
        assert met == [seq for seq in seqs if seq > start]

    walk()


def test_a_page_around_a_seq_continues_both_ways_without_gap_or_repeat(ada: User) -> None:
    @given(GAPS, LIMITS, st.integers(0, 130))
    def walk(gaps: list[int], limit: int, middle: int) -> None:
        conversation_id, seqs = talk(ada, gaps)
        page = queries.history(
            conversation_id, ada.pk, FetchHistory(around_seq=middle, limit=limit)
        )
        met = seqs_of(page)
        older = [seq for seq in seqs if met and seq < met[0]]
        newer = [seq for seq in seqs if met and seq > met[-1]]

        assert older + met + newer == seqs
        assert len(met) == min(limit, len(seqs))
        assert middle in met or middle not in seqs
        assert (page["has_more_before"], page["has_more_after"]) == (bool(older), bool(newer))
        assert page["has_more"] == bool(older or newer)

    walk()


def test_every_page_says_what_lies_on_both_sides(ada: User) -> None:
    @given(GAPS, LIMITS, st.integers(0, 60), st.sampled_from(["before_seq", "after_seq"]))
    def look(gaps: list[int], limit: int, seq: int, bound: str) -> None:
        conversation_id, seqs = talk(ada, gaps)
        asked = msgspec.convert({"limit": limit, bound: seq}, FetchHistory)
        page = queries.history(conversation_id, ada.pk, asked)
        met = seqs_of(page)
        # An empty page lies between its neighbours.
        first, last = (met[0], met[-1]) if met else (seq, seq)

        assert page["has_more_before"] == any(
            each < first or (not met and bound == "after_seq" and each == seq) for each in seqs
        )
        assert page["has_more_after"] == any(
            each > last or (not met and bound == "before_seq" and each == seq) for each in seqs
        )

    look()


def test_without_a_bound_the_newest_fifty_come(ada: User) -> None:
    conversation_id, seqs = talk(ada, [1] * 60)

    page = queries.history(conversation_id, ada.pk, FetchHistory())

    assert seqs_of(page) == seqs[-50:]
    assert page["has_more"]


def test_two_bounds_at_once_are_refused(room: Conversation, ada: User) -> None:
    with pytest.raises(PushError, match="at most one"):
        queries.history(room.id, ada.pk, FetchHistory(before_seq=3, after_seq=1))


# --- Replay --------------------------------------------------------------------------------------
def test_every_seq_can_be_replayed(room: Conversation, ada: User, linus: User, say: Say) -> None:
    say(ada, "one")
    actions.add_member(room.id, ada.pk, AddMember(username="linus"))
    say(linus, "two")

    facts = queries.facts(room.id, 0, 3)

    assert [(fact.seq, fact.event) for fact in facts] == [
        (1, "message_sent"),
        (2, "member_added"),
        (3, "message_sent"),
    ]
    assert [fact.seq for fact in queries.facts(room.id, 1, 2)] == [2]
    assert queries.missed_facts(str(room.id), 0, 3) == facts


def test_the_newest_messages_are_those_of_the_moment_asked_for(ada: User) -> None:
    """Whatever is committed between the reading of the seq and of the messages is told, not shown."""
    conversation_id, seqs = talk(ada, [1] * 55)

    shown = [message["seq"] for message in queries.newest(conversation_id, 52)]

    assert shown == seqs[2:52]


# --- Strangers -----------------------------------------------------------------------------------
def test_a_stranger_reads_nothing(room: Conversation, linus: User) -> None:
    attempts = [
        lambda: queries.membership(room.id, linus.pk),
        lambda: queries.history(room.id, linus.pk, FetchHistory()),
        lambda: queries.my_conversation(room.id, linus.pk),
    ]

    for attempt in attempts:
        with pytest.raises(PushError) as refused:
            attempt()
        assert refused.value.reason == "not_found"

    assert not queries.my_conversations(linus.pk).exists()


@pytest.mark.parametrize(
    "text", ["", "lobby", "{0}", "0" * 32, "A" * 8 + "-0000-4000-8000-" + "0" * 12]
)
def test_only_the_canonical_spelling_of_an_id_is_a_topic(text: str) -> None:
    with pytest.raises(PushError) as refused:
        queries.conversation_id_of(text)

    assert refused.value.reason == "not_found"


def test_strangers_are_told_from_members(
    room: Conversation, ada: User, grace: User, linus: User
) -> None:
    here, nowhere = str(room.id), str(uuid.uuid4())
    pairs = {(here, ada.pk), (here, linus.pk), (nowhere, grace.pk), ("lobby", grace.pk)}

    assert set(queries.strangers(pairs)) == pairs - {(here, ada.pk)}


# --- Costs ---------------------------------------------------------------------------------------
def test_the_list_is_one_query_however_many_conversations(
    ada: User, grace: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        conversation_id, _ = talk(grace, [1, 1])
        Member.objects.create(conversation_id=conversation_id, user=ada)
        last = Message.objects.get(conversation_id=conversation_id, seq=2)
        Conversation.objects.filter(pk=conversation_id).update(
            last_message=last, title=f"Talk {number}"
        )

    with django_assert_num_queries(1):
        rows = list(queries.my_conversations(ada.pk))
        authors = [row.last_message.author for row in rows if row.last_message]

    assert authors == [grace] * 5


def test_the_liveliest_conversation_comes_first(ada: User, room: Conversation, say: Say) -> None:
    actions.create_conversation(ada.pk, CreateConversation(title="Newer"))
    titles = [row.title for row in queries.my_conversations(ada.pk)]
    say(ada, "still here")

    assert titles == ["Newer", "Compilers"]
    assert [row.title for row in queries.my_conversations(ada.pk)] == ["Compilers", "Newer"]


def test_a_page_costs_the_same_for_one_author_or_many(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversation_id, _ = talk(ada, [1] * 60)

    with django_assert_num_queries(5):  # the membership, the page, what belongs to it: three
        queries.history(conversation_id, ada.pk, FetchHistory())
    with django_assert_num_queries(6):  # and whether there is more on the other side
        queries.history(conversation_id, ada.pk, FetchHistory(before_seq=30))
    with django_assert_num_queries(6):
        queries.history(conversation_id, ada.pk, FetchHistory(after_seq=30))
    with django_assert_num_queries(6):
        queries.history(conversation_id, ada.pk, FetchHistory(around_seq=30))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's own words")
@pytest.mark.parametrize("bound", [{}, {"seq__lt": 500}, {"seq__gt": 500}])
def test_a_page_of_a_long_history_is_read_from_the_index(ada: User, bound: dict[str, int]) -> None:
    conversation_id, _ = talk(ada, [1] * 5)
    page = queries._timeline(conversation_id).filter(**bound).order_by("-seq")[:51]

    plan = page.explain()

    assert "SEARCH conversation_message USING INDEX" in plan
    assert "TEMP B-TREE" not in plan


def test_replay_is_five_queries(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversation_id, seqs = talk(ada, [1] * 60)

    with django_assert_num_queries(5):
        facts = queries.facts(conversation_id, 10, 60)

    assert [fact.seq for fact in facts] == seqs[10:]
