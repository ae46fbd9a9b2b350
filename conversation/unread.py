"""How much of a conversation somebody has not read: one definition for lists, joins and devices.

Unread is what others said after one's mark and after one came: in the conversation itself, and in
the threads that one follows. A thread is followed by whoever began it, has answered in it, or was
named in it. What is deleted, and what pages do not show because another alternative is selected, does not count.
Counting stops at MOST: people are shown `99+`.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from conversation.attention_schema import ThreadUnread, UnreadShape
from conversation.models import Member, Mention, Message, ReadMark
from conversation.shown import shown

MOST = 100
"""Nobody counts further: a person who was away for a year costs no more than one who was away for a day."""
FAR_BACK = 5_000
"""Nor further back than so many facts, however few of them count."""


class Reader(NamedTuple):
    """Whose unread messages, of what."""

    conversation_id: uuid.UUID
    user_id: int


class _Count(Subquery):
    """The number of rows of a subquery, which may be sliced."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def _count(rows: "QuerySet[Message] | QuerySet[Mention]", order: str) -> _Count:
    # The order is that of the index: PostgreSQL then reads from the mark on, and stops at MOST.
    return _Count(rows.order_by(order).values("pk")[:MOST])


def unread(
    user_ids: Collection[int], conversation_ids: Collection[uuid.UUID] | None = None
) -> dict[Reader, UnreadShape]:
    """What these users have not read of these conversations (None: of all of theirs).

    Two queries, however many there are of either; each costs what is unread, up to MOST, and not
    what was ever said. Users who are not members are left out.
    """
    members = Member.objects.filter(user_id__in=user_ids)
    marks = ReadMark.objects.filter(user_id__in=user_ids).exclude(followed_from=None)
    if conversation_ids is not None:
        members = members.filter(conversation_id__in=conversation_ids)
        marks = marks.filter(conversation_id__in=conversation_ids)
    threads = _threads(marks)
    return {reader: _shape(row, threads[reader]) for reader, row in _main(members).items()}


class _Main(NamedTuple):
    conversation_id: uuid.UUID
    user_id: int
    read_seq: int
    unread: int
    mentions: int


def _main(members: "QuerySet[Member]") -> dict[Reader, _Main]:
    """What is unread in the conversations themselves."""
    mine = {"conversation_id": OuterRef("conversation_id"), "user_id": OuterRef("user_id")}
    mark = ReadMark.objects.filter(**mine, thread=None).values("read_seq")[:1]
    after = {"seq__gt": OuterRef("floor"), "deleted_at": None, "thread": None}
    messages = Message.objects.filter(shown(), conversation_id=OuterRef("conversation_id"), **after)
    named = Mention.objects.filter(
        shown("message__"),
        user_id=OuterRef("user_id"),
        message__conversation_id=OuterRef("conversation_id"),
        **{f"message__{name}": value for name, value in after.items()},
    )
    rows = members.annotate(
        mark=Coalesce(Subquery(mark), 0),
        floor=Greatest(F("mark"), F("joined_seq"), F("conversation__last_seq") - FAR_BACK),
    ).annotate(
        unread=_count(messages.exclude(author_id=OuterRef("user_id")), "seq"),
        mentions=_count(named.exclude(message__author_id=OuterRef("user_id")), "message__seq"),
    )
    found = rows.values_list("conversation_id", "user_id", "mark", "unread", "mentions")
    return {Reader(*row[:2]): _Main(*row) for row in found}


def _threads(marks: "QuerySet[ReadMark]") -> dict[Reader, list[ThreadUnread]]:
    """What is unread in followed threads."""
    after = Q(thread_id=OuterRef("thread_id"), seq__gt=OuterRef("floor"), deleted_at=None)
    messages = Message.objects.filter(shown(), after).exclude(author_id=OuterRef("user_id"))
    named = Mention.objects.filter(
        shown("message__"),
        user_id=OuterRef("user_id"),
        message__thread_id=OuterRef("thread_id"),
        message__seq__gt=OuterRef("floor"),
        message__deleted_at=None,
    ).exclude(message__author_id=OuterRef("user_id"))
    rows = (
        marks.exclude(thread=None)
        .annotate(floor=Greatest(F("read_seq"), F("followed_from")))
        .filter(Exists(messages))
        .annotate(unread=_count(messages, "seq"), mentions=_count(named, "message__seq"))
        .order_by("thread_id")
    )
    fields = ("conversation_id", "user_id", "thread_id", "unread", "mentions", "read_seq")
    found: dict[Reader, list[ThreadUnread]] = defaultdict(list)
    for conversation_id, user_id, thread_id, count, mentions, read_seq in rows.values_list(*fields):
        found[Reader(conversation_id, user_id)].append(
            {
                "thread_id": str(thread_id),
                "unread": count,
                "mentions": mentions,
                "read_seq": read_seq,
            }
        )
    return found


def _shape(row: _Main, threads: list[ThreadUnread]) -> UnreadShape:
    return {
        "conversation_id": str(row.conversation_id),
        "unread": min(MOST, row.unread + sum(thread["unread"] for thread in threads)),
        "mentions": min(MOST, row.mentions + sum(thread["mentions"] for thread in threads)),
        "read_seq": row.read_seq,
        "threads": threads,
    }
