"""Reads of conversations. Every read that a user asks for proves first that the user is a member.

Whoever is not a member gets "not_found", the same as for a conversation that does not exist: the
difference would tell strangers what exists.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.db.models import F, Q

from commsite.realtime.errors import PushError
from commsite.realtime.registry import Fact
from conversation import hooks, turn
from conversation.message_parts import shapes
from conversation.message_shape import MessageShape, root_shape
from conversation.models import Change, Conversation, Member, Message
from conversation.schema import (
    PAGE_MESSAGES,
    ConversationRow,
    ConversationShape,
    FetchHistory,
    HistoryPage,
    Welcome,
    here_shape,
    member_shape,
    person_shape,
    row_shape,
)
from conversation.shown import shown
from conversation.unread import Reader, unread

if TYPE_CHECKING:
    from django.db.models import QuerySet

_ONE_QUERY = 500
NO_SUCH_CONVERSATION = turn.NO_SUCH_CONVERSATION
sender = turn.sender
RETOLD = frozenset(
    (Change.Event.MESSAGE_EDITED, Change.Event.MESSAGE_DELETED, Change.Event.MESSAGE_COMPLETED)
)
"""Changes that show their message: it is told again as it is then."""
IS_FIRST = Q(branch_of=None) | Q(branch_of=F("id"))
"""Messages that are not an alternative to an earlier one."""


# --- Who may -------------------------------------------------------------------------------------
def membership(conversation_id: uuid.UUID, user_id: int) -> Member:
    """The user's place in the conversation, with both loaded.

    Raises PushError("not_found") for strangers and for conversations that do not exist.
    """
    members = Member.objects.select_related("conversation", "user")
    try:
        return members.get(conversation_id=conversation_id, user_id=user_id)
    except Member.DoesNotExist:
        raise PushError("not_found", NO_SUCH_CONVERSATION) from None


def may_see(user_id: int, topic_id: str) -> None:
    """Members see who is there. Raises PushError("not_found")."""
    sender(conversation_id_of(topic_id), user_id)


def members_named(conversation_id: uuid.UUID, usernames: Collection[str]) -> dict[str, int]:
    """The ids of those members who have one of these names, by name."""
    named = Member.objects.filter(conversation_id=conversation_id, user__username__in=usernames)
    return dict(named.values_list("user__username", "user_id"))


def strangers(pairs: Collection[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those (conversation id, user id) of which the user is not in the conversation."""
    conversations = sorted({text for text, _ in pairs if _canonical(text) is not None})
    places: set[tuple[str, int]] = set()
    for start in range(0, len(conversations), _ONE_QUERY):
        rows = Member.objects.filter(conversation_id__in=conversations[start : start + _ONE_QUERY])
        found = rows.values_list("conversation_id", "user_id")
        places |= {(str(conversation_id), user_id) for conversation_id, user_id in found}
    return [pair for pair in pairs if pair not in places]


def conversation_id_of(text: str) -> uuid.UUID:
    """The id behind the part of a topic after its colon.

    Raises PushError("not_found") for anything but the canonical spelling: under another one a
    joiner would listen to a topic on which nobody ever speaks.
    """
    conversation_id = _canonical(text)
    if conversation_id is None:
        raise PushError("not_found", NO_SUCH_CONVERSATION)
    return conversation_id


def _canonical(text: str) -> uuid.UUID | None:
    try:
        conversation_id = uuid.UUID(text)
    except ValueError:
        return None
    return conversation_id if str(conversation_id) == text else None


# --- Pages of history ----------------------------------------------------------------------------
def history(conversation_id: uuid.UUID, user_id: int, page: FetchHistory) -> HistoryPage:
    """One page of messages in ascending seq, as FetchHistory describes it, for a member."""
    membership(conversation_id, user_id)
    bounds = (page.before_seq, page.after_seq, page.around_seq)
    if sum(bound is not None for bound in bounds) > 1:
        raise PushError(
            "invalid_payload", "Expected at most one of before_seq, after_seq and around_seq."
        )
    messages = _timeline(conversation_id, page.thread_id)
    if page.around_seq is not None:
        return _around(messages, page.around_seq, page.limit)
    if page.after_seq is not None:
        return _after(messages, page.after_seq, page.limit)
    return _before(messages, page.before_seq, page.limit)


def _messages(conversation_id: uuid.UUID) -> "QuerySet[Message]":
    return Message.objects.filter(conversation_id=conversation_id).select_related("author")


def _timeline(
    conversation_id: uuid.UUID, thread_id: uuid.UUID | None = None
) -> "QuerySet[Message]":
    """The messages that pages show: of the main timeline or of one thread, on the selected branches.

    Of alternatives only the selected one, and no answer to a request that is not shown itself.
    """
    return on_selected_branches(conversation_id).filter(thread_id=thread_id)


def on_selected_branches(conversation_id: uuid.UUID) -> "QuerySet[Message]":
    """The same of the main timeline and all threads together."""
    return _messages(conversation_id).filter(shown())


def _before(messages: "QuerySet[Message]", seq: int | None, limit: int) -> HistoryPage:
    older = messages if seq is None else messages.filter(seq__lt=seq)
    rows = list(older.order_by("-seq")[: limit + 1])
    has_more = len(rows) > limit
    return {
        "messages": shapes(rows[:limit][::-1]),
        "has_more": has_more,
        "has_more_before": has_more,
        "has_more_after": seq is not None and messages.filter(seq__gte=seq).exists(),
    }


def _after(messages: "QuerySet[Message]", seq: int, limit: int) -> HistoryPage:
    rows = list(messages.filter(seq__gt=seq).order_by("seq")[: limit + 1])
    has_more = len(rows) > limit
    return {
        "messages": shapes(rows[:limit]),
        "has_more": has_more,
        "has_more_before": messages.filter(seq__lte=seq).exists(),
        "has_more_after": has_more,
    }


def _around(messages: "QuerySet[Message]", seq: int, limit: int) -> HistoryPage:
    # The message itself counts as older. A side that is short leaves its room to the other.
    older = list(messages.filter(seq__lte=seq).order_by("-seq")[: limit + 1])
    newer = list(messages.filter(seq__gt=seq).order_by("seq")[: limit + 1])
    older_count = min(len(older), max(limit - len(newer), (limit + 1) // 2))
    newer_count = min(len(newer), limit - older_count)
    has_more_before = len(older) > older_count
    has_more_after = len(newer) > newer_count
    rows = [*reversed(older[:older_count]), *newer[:newer_count]]
    return {
        "messages": shapes(rows),
        "has_more": has_more_before or has_more_after,
        "has_more_before": has_more_before,
        "has_more_after": has_more_after,
    }


# --- What a joiner and a returner need -----------------------------------------------------------
def newest(conversation_id: uuid.UUID, upto: int) -> list[MessageShape]:
    """The newest 50 messages of the main timeline up to that seq, in ascending seq.

    With a last seq read before, this is the conversation as of that seq: whatever is committed
    meanwhile has a higher one, and is told.
    """
    rows = _timeline(conversation_id).filter(seq__lte=upto).order_by("-seq")[:PAGE_MESSAGES]
    return shapes(list(rows)[::-1])


def welcome(me: Member) -> Welcome:
    """What every joiner is told: where they are, who is there, who they are.

    It may be newer than the seq of the reply: to hear of a member or a title again changes nothing.
    """
    added = hooks.welcome_parts(me)
    here = here_shape(me.conversation)
    own: Welcome = {
        "conversation": here,
        "members": [member_shape(row) for row in members(me.conversation_id)],
        "user": person_shape(me),
        "pins": [str(pk) for pk in pinned(me.conversation_id).values_list("id", flat=True)],
    }
    return cast("Welcome", own | added | {"conversation": here | added["conversation"]})


def message(conversation_id: uuid.UUID, user_id: int, message_id: uuid.UUID) -> MessageShape:
    """One message, for a member. Raises PushError("not_found")."""
    sender(conversation_id, user_id)
    return shapes([find(conversation_id, message_id)])[0]


def find(conversation_id: uuid.UUID, message_id: uuid.UUID) -> Message:
    """A message of the conversation with its author. Raises PushError("not_found")."""
    found = _messages(conversation_id).filter(pk=message_id).first()
    if found is None:
        raise PushError("not_found", "There is no such message.")
    return found


def pinned(conversation_id: uuid.UUID) -> "QuerySet[Message]":
    """The pinned messages, the newest pin first."""
    rows = Message.objects.filter(conversation_id=conversation_id, pinned_at__isnull=False)
    return rows.order_by("-pinned_at", "-seq")


def pins(conversation_id: uuid.UUID, user_id: int) -> list[MessageShape]:
    """The pinned messages, the newest pin first, for a member."""
    sender(conversation_id, user_id)
    return shapes(list(pinned(conversation_id).select_related("author")))


def last_seq(conversation_id: uuid.UUID) -> int:
    """The seq of the newest fact, 0 while there is none. Raises PushError("not_found")."""
    found = Conversation.objects.filter(pk=conversation_id)
    for seq in found.values_list("last_seq", flat=True):
        return seq
    raise PushError("not_found", NO_SUCH_CONVERSATION)


def brought_by(selected: Collection[uuid.UUID | None]) -> list[MessageShape]:
    """What comes into sight when these alternatives are selected: they and the answers to them, in ascending seq.

    Whoever came while they were hidden has none of it.
    """
    if not selected:
        return []
    rows = Message.objects.filter(shown(), Q(pk__in=selected) | Q(parent__in=selected))
    return shapes(list(rows.select_related("author").order_by("seq")))


def facts(conversation_id: uuid.UUID, after: int, upto: int) -> list[Fact]:
    """Every fact with after < seq <= upto, in order, as it was told (messages: as they are now)."""
    span = {"conversation_id": conversation_id, "seq__gt": after, "seq__lte": upto}
    changes = list(Change.objects.filter(**span).order_by("seq"))
    retold = {row.message_id for row in changes if row.event in RETOLD}
    rows = list(
        Message.objects.filter(Q(**span) | Q(pk__in=retold)).select_related("author", "thread")
    )
    messages = {row.id: (row, shape) for row, shape in zip(rows, shapes(rows), strict=True)}
    told = [
        Fact(event="message_sent", payload=with_root({"message": shape}, row.thread), seq=row.seq)
        for row, shape in messages.values()
        if after < row.seq <= upto
    ]
    told += [
        _changed(change, messages)
        for change in changes
        if change.event != Change.Event.BRANCH_SELECTED
    ]
    return sorted([*told, *_selected(changes)], key=lambda fact: fact.seq)


def _selected(changes: Collection[Change]) -> Iterator[Fact]:
    """Selections; with the last one at each place comes what it shows, but for what is told after it by itself."""
    selections = [row for row in changes if row.event == Change.Event.BRANCH_SELECTED]
    last = {row.payload["branch_of"]: row for row in selections}
    brought = brought_by([uuid.UUID(row.payload["message_id"]) for row in last.values()])
    for row in selections:
        is_last, its = last[row.payload["branch_of"]] is row, row.payload["message_id"]
        messages = [
            each
            for each in brought
            if is_last and each["seq"] < row.seq and its in (each["id"], each["parent_id"])
        ]
        yield Fact(event=row.event, payload={**row.payload, "messages": messages}, seq=row.seq)


def _changed(change: Change, messages: Mapping[uuid.UUID, tuple[Message, MessageShape]]) -> Fact:
    payload = change.payload
    if change.event in RETOLD and change.message_id is not None:
        message, shape = messages[change.message_id]
        payload = {**payload, "message": shape}
        if change.event == Change.Event.MESSAGE_DELETED:
            payload = with_root(payload, message.thread)
    return Fact(event=change.event, payload=payload, seq=change.seq)


def with_root(payload: Mapping[str, Any], root: Message | None) -> dict[str, Any]:
    """The payload with the numbers of the thread, where there is one."""
    return {**payload} if root is None else {**payload, "root": root_shape(root)}


def missed_facts(topic_id: str, after: int, upto: int) -> list[Fact]:
    """The same for the core, which knows topics and no conversations."""
    return facts(conversation_id_of(topic_id), after, upto)


# --- Conversations and members -------------------------------------------------------------------
def my_conversations(user_id: int) -> "QuerySet[Conversation]":
    """The user's conversations with their last messages, the liveliest first; one query."""
    return (
        Conversation.objects.filter(members__user_id=user_id)
        .select_related("last_message__author")
        .order_by("-last_activity_at", "-id")
    )


def my_conversation(conversation_id: uuid.UUID, user_id: int) -> ConversationShape:
    """One conversation with its members, for a member."""
    found = my_conversations(user_id).filter(pk=conversation_id).first()
    if found is None:
        raise PushError("not_found", NO_SUCH_CONVERSATION)
    (row,) = row_shapes([found], user_id)
    return {**row, "members": [member_shape(row) for row in members(conversation_id)]}


def row_shapes(conversations: Sequence[Conversation], user_id: int) -> list[ConversationRow]:
    """Conversations in this user's list, from rows of `my_conversations`."""
    lasts = [row.last_message for row in conversations if row.last_message is not None]
    shown = {last.id: shape for last, shape in zip(lasts, shapes(lasts), strict=True)}
    missed = unread([user_id], [row.id for row in conversations])
    return [
        row_shape(
            row,
            shown[row.last_message_id] if row.last_message_id else None,
            its["unread"] if its else 0,
            its["mentions"] if its else 0,
        )
        for row in conversations
        for its in [missed.get(Reader(row.id, user_id))]
    ]


def member_ids(topic_id: str) -> list[int]:
    """The user ids of a topic's members."""
    members = Member.objects.filter(conversation_id=conversation_id_of(topic_id))
    return list(members.values_list("user_id", flat=True))


def members(conversation_id: uuid.UUID) -> "QuerySet[Member]":
    """The members in the order they came."""
    return (
        Member.objects.filter(conversation_id=conversation_id)
        .select_related("user")
        .order_by("joined_at", "id")
    )


def sent_before(conversation_id: uuid.UUID, author_id: int, client_id: str) -> Message | None:
    """The message that this author has sent under this client_id, if any."""
    return _messages(conversation_id).filter(author_id=author_id, client_id=client_id).first()
