"""Receipts: how far each member has got, kept, told to the others and, as unread counts, to oneself.

A mark only grows and never passes the last seq: rows are locked, and what is asked is joined with
what is there, so that it does not matter which process writes first. Whoever does not share
receipts (preference `share_receipts`) is never told of to anybody else.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.db import transaction
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
    """Who is in a conversation, who of them shares no receipts, and how far one could have got."""

    members: frozenset[int]
    private: frozenset[int]
    last_seq: int

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
    audience = _audiences([conversation_id])[conversation_id]
    rows = _marks(conversation_id, audience, thread_id)
    if not audience.is_crowd:
        shown = rows.exclude(user_id__in=audience.private - {user_id}).order_by("user_id")
        return {"receipts": [receipt_shape(row) for row in shown], "receipt_counts": None}
    mine = [receipt_shape(row) for row in rows.filter(user_id=user_id)]
    return {"receipts": mine, "receipt_counts": _counts(rows, audience)}


def _audiences(conversation_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, _Audience]:
    """The audiences of those conversations that have members; two queries."""
    members: dict[uuid.UUID, set[int]] = defaultdict(set)
    last_seqs: dict[uuid.UUID, int] = {}
    rows = Member.objects.filter(conversation_id__in=list(conversation_ids))
    fields = ("conversation_id", "user_id", "conversation__last_seq")
    for conversation_id, user_id, last_seq in rows.values_list(*fields):
        members[conversation_id].add(user_id)
        last_seqs[conversation_id] = last_seq
    private = _private(set().union(*members.values()))
    return {
        key: _Audience(frozenset(each), frozenset(each & private), last_seqs[key])
        for key, each in members.items()
    }


def _private(user_ids: Collection[int]) -> set[int]:
    return clients.who_chose("share_receipts", value=False, among=user_ids)


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


class Work(NamedTuple):
    """What is to be written and told of one conversation.

    With `news_from` something was said, or taken back, from this seq on: then not only those who
    have read on are told their counts.
    """

    marks: Mapping[Place, Mark] = {}
    news_from: int | None = None


class _Spot(NamedTuple):
    """A place in some conversation."""

    conversation_id: uuid.UUID
    user_id: int
    thread_id: uuid.UUID | None


def mark_now(
    conversation_id: uuid.UUID, place: Place, mark: Mark, is_online: IsOnline
) -> ReceiptShape:
    """One member's mark, written and told at once, and as it is now.

    Raises PushError: "not_found" for strangers, "invalid_payload" for what is no thread of it.
    """
    queries.sender(conversation_id, place.user_id)
    check_thread(conversation_id, place.thread_id)
    write({conversation_id: Work({place: mark})}, is_online)
    row = ReadMark.objects.get(
        conversation_id=conversation_id, user_id=place.user_id, thread_id=place.thread_id
    )
    return receipt_shape(row)


def write(work: Mapping[uuid.UUID, Work], is_online: IsOnline) -> None:
    """Moves marks on, and tells who has got further and who has how much unread.

    The number of queries depends neither on the number of members and marks nor, but for crowds, on
    the number of conversations. What does not belong is dropped: marks of whoever has left, in what
    is no thread of the conversation, in conversations that are gone.
    """
    audiences = _audiences(work)
    told = set(_move(work, audiences))
    for conversation_id, audience in audiences.items():
        news_from = work[conversation_id].news_from
        if news_from is not None:
            concerned = _concerned(conversation_id, audience, news_from)
            told |= {Reader(conversation_id, user_id) for user_id in concerned}
    _tell_unread({reader for reader in told if is_online(reader.user_id)})


def _concerned(conversation_id: uuid.UUID, audience: _Audience, news_from: int) -> Set[int]:
    """Everybody where people know each other; in a crowd only those who were named."""
    if not audience.is_crowd:
        return audience.members
    named = Mention.objects.filter(
        message__conversation_id=conversation_id, message__seq__gte=news_from
    )
    return audience.members & set(named.values_list("user_id", flat=True))


@transaction.atomic
def _move(work: Mapping[uuid.UUID, Work], audiences: Mapping[uuid.UUID, _Audience]) -> list[Reader]:
    """Joins these marks with what is there; returns whose read marks have moved."""
    asked = _asked(work, audiences)
    if not asked:
        return []
    moved, readers = list[ReadMark](), list[Reader]()
    for spot, row in _rows(sorted(asked, key=str)).items():
        old = Mark(row.delivered_seq, row.read_seq)
        new = old.joined(asked[spot].within(audiences[spot.conversation_id].last_seq))
        if new == old:
            continue
        row.delivered_seq, row.read_seq = new
        if new.read > old.read:
            row.read_at = timezone.now()
            readers.append(Reader(spot.conversation_id, spot.user_id))
        moved.append(row)
    if moved:
        ReadMark.objects.bulk_update(moved, ["delivered_seq", "read_seq", "read_at"])
        count("receipts_written_total", len(moved))
        _tell_moved(moved, audiences)
    return readers


def _asked(
    work: Mapping[uuid.UUID, Work], audiences: Mapping[uuid.UUID, _Audience]
) -> dict[_Spot, Mark]:
    """The marks that belong where they say."""
    asked = {
        _Spot(conversation_id, *place): mark
        for conversation_id, audience in audiences.items()
        for place, mark in work[conversation_id].marks.items()
        if place.user_id in audience.members
    }
    named = {spot.thread_id for spot in asked if spot.thread_id is not None}
    if named:
        roots = Message.objects.filter(pk__in=named, thread=None)
        home: dict[uuid.UUID | None, uuid.UUID] = dict(roots.values_list("pk", "conversation_id"))
        for spot in [spot for spot in asked if spot.thread_id is not None]:
            if home.get(spot.thread_id) != spot.conversation_id:
                del asked[spot]
    return asked


def _rows(spots: Collection[_Spot]) -> dict[_Spot, ReadMark]:
    """Their rows, made where there were none, locked in one order by every writer."""
    rows = _locked(spots)
    missing = [spot for spot in spots if spot not in rows]
    if missing:
        fresh = (ReadMark(**spot._asdict()) for spot in missing)
        ReadMark.objects.bulk_create(fresh, ignore_conflicts=True)
        rows |= _locked(missing)
    return {spot: rows[spot] for spot in spots if spot in rows}


def _locked(spots: Collection[_Spot]) -> dict[_Spot, ReadMark]:
    threads = {spot.thread_id for spot in spots if spot.thread_id is not None}
    found = ReadMark.objects.select_for_update(no_key=True).filter(
        Q(thread=None) | Q(thread_id__in=threads),
        conversation_id__in={spot.conversation_id for spot in spots},
        user_id__in={spot.user_id for spot in spots},
    )
    rows = {
        _Spot(row.conversation_id, row.user_id, row.thread_id): row for row in found.order_by("id")
    }
    return {spot: rows[spot] for spot in spots if spot in rows}


def _tell_moved(moved: Iterable[ReadMark], audiences: Mapping[uuid.UUID, _Audience]) -> None:
    """One event for each mark: a slow client gets the newest of every person, whoever moved last."""
    # Asked anew, while the marks are held: `share` waits for them, so nothing that it takes back is told after it.
    private = _private({row.user_id for row in moved})
    crowds = set[uuid.UUID]()
    for row in moved:
        if audiences[row.conversation_id].is_crowd:
            crowds.add(row.conversation_id)
        elif row.user_id not in private:
            _tell_mark(row)
    for conversation_id in crowds:
        _tell_counts(conversation_id, audiences[conversation_id])


def _tell_mark(row: ReadMark, *, is_shared: bool = True) -> None:
    """Its newest mark, or that it has none for others any more: of both, the latest is what a slow client gets."""
    its = receipt_shape(row)
    told: ReceiptsChanged = {"receipts": [its] if is_shared else [], "receipt_counts": None}
    if not is_shared:
        told["retracted"] = [{"user_id": its["user_id"], "thread_id": its["thread_id"]}]
    _tell(row.conversation_id, told, f"{row.user_id}/{row.thread_id or ''}")


def _tell_counts(conversation_id: uuid.UUID, audience: _Audience) -> None:
    counts = _counts(_marks(conversation_id, audience, None), audience)
    _tell(conversation_id, {"receipts": [], "receipt_counts": counts}, "counts")


def _tell(conversation_id: uuid.UUID, told: ReceiptsChanged, key: str) -> None:
    announce_on_commit(topic_of(conversation_id), "receipts_changed", told, key=key)


def _tell_unread(readers: Set[Reader]) -> None:
    """All devices of each of these users learn the same numbers."""
    if not readers:
        return
    user_ids, conversation_ids = (
        {reader.user_id for reader in readers},
        {reader.conversation_id for reader in readers},
    )
    for reader, mine in unread(user_ids, conversation_ids).items():
        if reader in readers:
            key = str(reader.conversation_id)
            announce_on_commit(f"user:{reader.user_id}", "unread_changed", mine, key=key)
    count("unread_told_total", len(readers))


# --- Shared or not -------------------------------------------------------------------------------
def share(user_id: int, before: Mapping[str, object], now: Mapping[str, object]) -> None:
    """Takes somebody's marks away from the others, or shows them again; in the transaction in which they chose that."""
    is_shared = bool(now["share_receipts"])
    if is_shared == before["share_receipts"]:
        return
    rows = list(
        ReadMark.objects.select_for_update(no_key=True).filter(user_id=user_id).order_by("id")
    )
    audiences = _audiences({row.conversation_id for row in rows})
    theirs = {key: its for key, its in audiences.items() if user_id in its.members}
    for conversation_id, audience in theirs.items():
        if audience.is_crowd:
            _tell_counts(conversation_id, audience)
    for row in rows:
        if row.conversation_id in theirs and not theirs[row.conversation_id].is_crowd:
            _tell_mark(row, is_shared=is_shared)


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
