"""The convergence check: what people were told, applied to what they knew, is what newcomers see.

It tests what people feel: somebody who stays in the room and somebody who enters it afresh must see
the same conversation, whatever the actions in between were.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from conversation import queries
from conversation.models import Message
from conversation.schema import PAGE_MESSAGES, FetchHistory

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator


class Told(NamedTuple):
    """One announcement."""

    topic: str
    event: str
    payload: dict[str, Any]
    seq: int | None = None


def snapshot(conversation_id: uuid.UUID, user_id: int) -> dict[str, Any]:
    """What a member who joins now and opens every thread is told; members and threads by id."""
    me = queries.membership(conversation_id, user_id)
    welcome = queries.welcome(me)
    last = me.conversation.last_seq
    roots = Message.objects.filter(conversation=conversation_id, thread=None)
    return {
        "seq": last,
        "title": welcome["conversation"]["title"],
        "assistant": welcome["conversation"]["assistant"],
        "members": {member["id"]: member for member in welcome["members"]},
        "pins": welcome["pins"],
        "messages": queries.newest(conversation_id, last),
        "threads": {
            str(root.id): replies
            for root in roots
            if (replies := _thread(conversation_id, user_id, root.id))
        },
    }


def _thread(conversation_id: uuid.UUID, user_id: int, root_id: uuid.UUID) -> list[Any]:
    page = FetchHistory(thread_id=root_id, limit=200)
    return list(queries.history(conversation_id, user_id, page)["messages"])


def replayed(conversation_id: uuid.UUID, after: int, upto: int) -> list[Told]:
    """What somebody is told who was away from `after` on."""
    facts = queries.facts(conversation_id, after, upto)
    return [Told("", fact.event, fact.payload, fact.seq) for fact in facts]


def apply(facts: Iterable[Told], before: dict[str, Any]) -> dict[str, Any]:
    """The snapshot as a client keeps it: one fact after another, none missing, none twice."""
    after = copy.deepcopy(before)
    for fact in facts:
        assert fact.seq == after["seq"] + 1, f"{fact.event} came as {fact.seq} after {after['seq']}"
        after["seq"] = fact.seq
        _APPLIERS[fact.event](after, copy.deepcopy(fact.payload))
    _hide(after)
    return after


def _hide(after: dict[str, Any]) -> None:
    """Of alternatives a page shows the selected one, and no answer to what it does not show."""
    every = [*after["messages"], *(each for thread in after["threads"].values() for each in thread)]
    hidden = {each["id"] for each in every if each["branch"] and not each["branch"]["selected"]}
    after["messages"] = _shown(after["messages"], hidden)[-PAGE_MESSAGES:]
    threads = {root: _shown(thread, hidden) for root, thread in after["threads"].items()}
    after["threads"] = {root: thread for root, thread in threads.items() if thread}


def _shown(messages: list[Any], hidden: set[str]) -> list[Any]:
    return [each for each in messages if not hidden & {each["id"], each["parent_id"]}]


def _kept(after: dict[str, Any], message_id: str) -> Iterator[dict[str, Any]]:
    """The message, where the client has it."""
    for messages in (after["messages"], *after["threads"].values()):
        yield from (message for message in messages if message["id"] == message_id)


def _message_sent(after: dict[str, Any], payload: dict[str, Any]) -> None:
    message = payload["message"]
    if message["thread_id"] is None:
        after["messages"].append(message)
    else:
        after["threads"].setdefault(message["thread_id"], []).append(message)
    _count_replies(after, payload)
    if message["branch"] is not None:
        for index, sibling in enumerate(_alternatives(after, message["branch_of"]), 1):
            selected = message["branch"]["selected"] and sibling["id"] == message["id"]
            count = message["branch"]["count"]
            sibling["branch"] = {"index": index, "count": count, "selected": selected}


def _place(after: dict[str, Any], message: dict[str, Any]) -> None:
    """What comes into sight, at its place."""
    thread = message["thread_id"]
    its = after["messages"] if thread is None else after["threads"].setdefault(thread, [])
    its.append(message)
    its.sort(key=lambda each: each["seq"])


def _alternatives(after: dict[str, Any], first: str) -> Iterator[dict[str, Any]]:
    """The messages at one place, in their order; the first one may not know yet that it has others."""
    for messages in (after["messages"], *after["threads"].values()):
        for message in messages:
            if first in (message["id"], message["branch_of"]):
                message["branch_of"] = first
                yield message


def _branch_selected(after: dict[str, Any], payload: dict[str, Any]) -> None:
    for message in payload["messages"]:
        if not any(_kept(after, message["id"])):
            _place(after, message)
    for sibling in _alternatives(after, payload["branch_of"]):
        sibling["branch"]["selected"] = sibling["id"] == payload["message_id"]


def _count_replies(after: dict[str, Any], payload: dict[str, Any]) -> None:
    if "root" in payload:
        for root in _kept(after, payload["root"]["id"]):
            root.update(payload["root"])


def _message_changed(after: dict[str, Any], payload: dict[str, Any]) -> None:
    message = payload["message"]
    for kept in _kept(after, message["id"]):
        kept.update(message)
    if message["deleted_at"]:
        after["pins"] = [each for each in after["pins"] if each != message["id"]]
    _count_replies(after, payload)


def _reaction_added(after: dict[str, Any], payload: dict[str, Any]) -> None:
    _react(after, payload, is_added=True)


def _reaction_removed(after: dict[str, Any], payload: dict[str, Any]) -> None:
    _react(after, payload, is_added=False)


def _react(after: dict[str, Any], payload: dict[str, Any], *, is_added: bool) -> None:
    emoji, user_id = payload["emoji"], payload["user"]["id"]
    for message in _kept(after, payload["message_id"]):
        chosen = {each["emoji"]: set(each["user_ids"]) for each in message["reactions"]}
        people = chosen.setdefault(emoji, set())
        (people.add if is_added else people.discard)(user_id)
        message["reactions"] = [
            {"emoji": each, "user_ids": sorted(chosen[each])}
            for each in sorted(chosen)
            if chosen[each]
        ]


def _message_pinned(after: dict[str, Any], payload: dict[str, Any]) -> None:
    message_id, is_pinned = payload["message_id"], payload["pinned_at"] is not None
    for message in _kept(after, message_id):
        message["pinned_at"] = payload["pinned_at"]
        message["pinned_by"] = payload["by"] if is_pinned else None
    rest = [each for each in after["pins"] if each != message_id]
    after["pins"] = [message_id, *rest] if is_pinned else rest


def _member_here(after: dict[str, Any], payload: dict[str, Any]) -> None:
    after["members"][payload["member"]["id"]] = payload["member"]


def _member_removed(after: dict[str, Any], payload: dict[str, Any]) -> None:
    del after["members"][payload["member"]["id"]]


def _conversation_changed(after: dict[str, Any], payload: dict[str, Any]) -> None:
    after["title"] = payload["conversation"]["title"]
    after["assistant"] = payload["conversation"].get("assistant", after["assistant"])


_APPLIERS = {
    "message_sent": _message_sent,
    "message_edited": _message_changed,
    "message_deleted": _message_changed,
    "message_completed": _message_changed,
    "reaction_added": _reaction_added,
    "reaction_removed": _reaction_removed,
    "message_pinned": _message_pinned,
    "message_unpinned": _message_pinned,
    "member_added": _member_here,
    "member_changed": _member_here,
    "member_removed": _member_removed,
    "conversation_renamed": _conversation_changed,
    "conversation_changed": _conversation_changed,
    "branch_selected": _branch_selected,
}
FACTS = frozenset(_APPLIERS)
"""The events that move what a client keeps."""
