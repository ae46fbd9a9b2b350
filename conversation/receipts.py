"""Receipts: how far each member has got, kept, told to the others and, as unread counts, to oneself.

A mark only grows and never passes the last seq: rows are locked, and what is asked is joined with
what is there, so that it does not matter which process writes first. Whoever does not share
receipts (preference `share_receipts`) is never told of to anybody else.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.utils import timezone

from commsite.clients import queries as clients
from commsite.realtime.errors import PushError
from commsite.realtime.pubsub import announce_on_commit
from commsite.realtime.telemetry import count
from conversation import queries
from conversation.attention_schema import (
    FetchReceipts,
    ReceiptCounts,
    ReceiptsChanged,
    ReceiptShape,
    SeenShape,
    UnreadShape,
)
from conversation.marks import Mark, Place
from conversation.models import Conversation, Member, Mention, Message, ReadMark, topic_of
from conversation.unread import Reader, unread

if TYPE_CHECKING:
    from django.db.models import QuerySet

MOST_COUNTS = 50
"""So many different marks, the furthest ones, are counted where there are too many members for names."""


# --- Reading -------------------------------------------------------------------------------------
class _Audience(NamedTuple):
    """Who is in a conversation, and who of them shares no receipts."""

    members: frozenset[int]
    private: frozenset[int]

    @property
    def is_crowd(self) -> bool:
        """True where people are told numbers in place of names."""
        most: int = settings.REALTIME["RECEIPTS_MEMBERS"]
        return len(self.members) > most


def receipts(conversation_id: uuid.UUID, user_id: int, asked: FetchReceipts) -> ReceiptsChanged:
    """Everybody's marks in the conversation itself or in one thread, as this member may see them.

    Raises PushError: "not_found" for strangers, "invalid_payload" for what is no thread of it.
    """
    queries.sender(conversation_id, user_id)
    check_thread(conversation_id, asked.thread_id)
    return _receipts(conversation_id, user_id, asked.thread_id)


def welcome_part(me: Member) -> dict[str, object]:
    """What every joiner learns: the others' marks, and what they themselves have not read."""
    mine = unread([me.user_id], [me.conversation_id])
    return {
        **_receipts(me.conversation_id, me.user_id, None),
        "unread": mine.get(Reader(me.conversation_id, me.user_id)),
    }


def user_part(user_id: int) -> dict[str, list[UnreadShape]]:
    """What each device of a user learns when it joins `user:<id>`: the conversations with something unread."""
    return {"unread": [each for each in unread([user_id]).values() if each["unread"]]}


def _receipts(
    conversation_id: uuid.UUID, user_id: int, thread_id: uuid.UUID | None
) -> ReceiptsChanged:
    audience = _audience(conversation_id)
    rows = _marks(conversation_id, audience, thread_id)
    if not audience.is_crowd:
        shown = rows.exclude(user_id__in=audience.private - {user_id}).order_by("user_id")
        return {"receipts": [receipt_shape(row) for row in shown], "receipt_counts": None}
    mine = [receipt_shape(row) for row in rows.filter(user_id=user_id)]
    return {"receipts": mine, "receipt_counts": _counts(rows, audience)}


def _audience(conversation_id: uuid.UUID) -> _Audience:
    members = Member.objects.filter(conversation_id=conversation_id)
    user_ids = frozenset(members.values_list("user_id", flat=True))
    private = clients.who_chose("share_receipts", value=False, among=user_ids)
    return _Audience(user_ids, frozenset(private))


def _marks(
    conversation_id: uuid.UUID, audience: _Audience, thread_id: uuid.UUID | None
) -> "QuerySet[ReadMark]":
    marks = ReadMark.objects.filter(conversation_id=conversation_id, thread_id=thread_id)
    return marks.filter(user_id__in=audience.members)


def _counts(rows: "QuerySet[ReadMark]", audience: _Audience) -> ReceiptCounts:
    shared = rows.exclude(user_id__in=audience.private)
    return {
        "members": len(audience.members),
        "delivered": _so_many(shared, "delivered_seq"),
        "read": _so_many(shared, "read_seq"),
    }


def _so_many(rows: "QuerySet[ReadMark]", mark: str) -> list[SeenShape]:
    marks = rows.filter(**{f"{mark}__gt": 0}).order_by(f"-{mark}").values_list(mark)
    so_many, total = list[SeenShape](), 0
    for seq, number in marks.annotate(number=Count("pk"))[:MOST_COUNTS]:
        total += number
        so_many.append({"seq": seq, "count": total})
    return so_many


def receipt_shape(row: ReadMark) -> ReceiptShape:
    """The marks on the wire."""
    return {
        "user_id": row.user_id,
        "thread_id": None if row.thread_id is None else str(row.thread_id),
        "delivered_seq": row.delivered_seq,
        "read_seq": row.read_seq,
    }


def check_thread(conversation_id: uuid.UUID, thread_id: uuid.UUID | None) -> None:
    """Raises PushError("invalid_payload") unless a thread can begin at this message."""
    if thread_id is None:
        return
    roots = Message.objects.filter(pk=thread_id, conversation_id=conversation_id, thread=None)
    if not roots.exists():
        raise PushError("invalid_payload", "thread_id names no message of this conversation.")


# --- Writing -------------------------------------------------------------------------------------
IsOnline = Callable[[int], bool]
"""Whether a user has a socket in any process: nobody else need be told of unread counts."""


def mark_now(
    conversation_id: uuid.UUID, place: Place, mark: Mark, is_online: IsOnline
) -> ReceiptShape:
    """One member's mark, written and told at once, and as it is now.

    Raises PushError: "not_found" for strangers, "invalid_payload" for what is no thread of it.
    """
    queries.sender(conversation_id, place.user_id)
    check_thread(conversation_id, place.thread_id)
    write(conversation_id, {place: mark}, None, is_online)
    row = ReadMark.objects.get(
        conversation_id=conversation_id, user_id=place.user_id, thread_id=place.thread_id
    )
    return receipt_shape(row)


def write(
    conversation_id: uuid.UUID,
    marks: Mapping[Place, Mark],
    news_from: int | None,
    is_online: IsOnline,
) -> None:
    """Moves marks on, and tells who has got further and who has how much unread.

    With `news_from` something was said, or taken back, from this seq on: then not only those who
    have read on are told their counts. The number of queries does not depend on the number of
    members or marks. What does not belong here is dropped: marks of whoever has left, or in what is
    no thread of this conversation.
    """
    audience = _audience(conversation_id)
    if not audience.members:  # the conversation is gone, or everybody has left it
        return
    try:
        readers = _move(conversation_id, marks, audience) if marks else set()
    except IntegrityError:  # a thread or an account has been deleted meanwhile
        count("receipts_dropped_total", len(marks))
        return
    told = readers
    if news_from is not None:
        told = readers | _concerned(conversation_id, audience, news_from)
    _tell_unread(conversation_id, [each for each in sorted(told) if is_online(each)])


def _concerned(conversation_id: uuid.UUID, audience: _Audience, news_from: int) -> Set[int]:
    """Everybody where people know each other; in a crowd only those who were named."""
    if not audience.is_crowd:
        return audience.members
    named = Mention.objects.filter(
        message__conversation_id=conversation_id, message__seq__gte=news_from
    )
    return audience.members & set(named.values_list("user_id", flat=True))


@transaction.atomic
def _move(conversation_id: uuid.UUID, marks: Mapping[Place, Mark], audience: _Audience) -> set[int]:
    """Joins these marks with what is there; returns whose read marks have moved."""
    last_seq = queries.last_seq(conversation_id)
    threads = {None, *_threads(conversation_id, marks)}
    places = sorted(
        (each for each in marks if each.user_id in audience.members and each.thread_id in threads),
        key=lambda place: (place.user_id, str(place.thread_id)),
    )
    rows = _rows(conversation_id, places)
    moved, readers = list[ReadMark](), set[int]()
    for place in places:
        row = rows[place]
        old = Mark(row.delivered_seq, row.read_seq)
        new = old.joined(marks[place].within(last_seq))
        if new == old:
            continue
        row.delivered_seq, row.read_seq = new
        if new.read > old.read:
            row.read_at = timezone.now()
            readers.add(place.user_id)
        moved.append(row)
    if moved:
        ReadMark.objects.bulk_update(moved, ["delivered_seq", "read_seq", "read_at"])
        count("receipts_written_total", len(moved))
        _tell_moved(conversation_id, moved, audience)
    return readers


def _threads(conversation_id: uuid.UUID, places: Iterable[Place]) -> Collection[uuid.UUID]:
    """Those of the threads named that there are."""
    named = {place.thread_id for place in places if place.thread_id is not None}
    if not named:
        return ()
    roots = Message.objects.filter(pk__in=named, conversation_id=conversation_id, thread=None)
    return roots.values_list("pk", flat=True)


def _rows(conversation_id: uuid.UUID, places: Collection[Place]) -> dict[Place, ReadMark]:
    """The rows of these places, made where there were none, locked in one order by every writer."""
    rows = _locked(conversation_id, places)
    missing = [place for place in places if place not in rows]
    if missing:
        ReadMark.objects.bulk_create(
            (ReadMark(conversation_id=conversation_id, **place._asdict()) for place in missing),
            ignore_conflicts=True,
        )
        rows |= _locked(conversation_id, missing)
    return rows


def _locked(conversation_id: uuid.UUID, places: Collection[Place]) -> dict[Place, ReadMark]:
    threads = {place.thread_id for place in places if place.thread_id is not None}
    found = ReadMark.objects.select_for_update(no_key=True).filter(
        Q(thread=None) | Q(thread_id__in=threads),
        conversation_id=conversation_id,
        user_id__in={place.user_id for place in places},
    )
    return {Place(row.user_id, row.thread_id): row for row in found.order_by("id")}


def _tell_moved(conversation_id: uuid.UUID, moved: Iterable[ReadMark], audience: _Audience) -> None:
    """One event for each mark: a slow client gets the newest of every person, whoever moved last."""
    if audience.is_crowd:
        counts = _counts(_marks(conversation_id, audience, None), audience)
        _tell(conversation_id, {"receipts": [], "receipt_counts": counts}, "counts")
        return
    for row in moved:
        if row.user_id not in audience.private:
            told: ReceiptsChanged = {"receipts": [receipt_shape(row)], "receipt_counts": None}
            _tell(conversation_id, told, f"{row.user_id}/{row.thread_id or ''}")


def _tell(conversation_id: uuid.UUID, told: ReceiptsChanged, key: str) -> None:
    announce_on_commit(topic_of(conversation_id), "receipts_changed", told, key=key)


def _tell_unread(conversation_id: uuid.UUID, user_ids: Collection[int]) -> None:
    """All devices of each of these users learn the same numbers."""
    if not user_ids:
        return
    for reader, mine in unread(user_ids, [conversation_id]).items():
        key = str(conversation_id)
        announce_on_commit(f"user:{reader.user_id}", "unread_changed", mine, key=key)
    count("unread_told_total", len(user_ids))


# --- Following -----------------------------------------------------------------------------------
def follow(message: Message, conversation: Conversation) -> None:
    """A reply makes followers of the thread: who wrote it, who began the thread, who is named in it.

    It counts from the reply on for the named, from the first one for whoever began. In the
    transaction of the message, because it would be missed for ever.
    """
    if message.thread_id is None:
        return
    root = message.thread
    named = Mention.objects.filter(message=message).values_list("user_id", flat=True)
    followers = dict.fromkeys(named, message.seq - 1)
    if root is not None and root.author_id is not None:
        followers[root.author_id] = 0
    if message.author_id is not None:
        followers[message.author_id] = message.seq
    its = {"conversation_id": conversation.id, "thread_id": message.thread_id}
    fresh = (
        ReadMark(user_id=user_id, followed_from=seq, **its)
        for user_id, seq in sorted(followers.items())
    )
    ReadMark.objects.bulk_create(fresh, ignore_conflicts=True)
    readers = ReadMark.objects.filter(**its, user_id__in=followers, followed_from=None)
    readers.update(followed_from=message.seq - 1)
