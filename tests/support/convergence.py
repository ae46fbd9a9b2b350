"""The convergence check: what people were told, applied to what they knew, is what newcomers see.

It tests what people feel: somebody who stays in the room and somebody who enters it afresh must see
the same conversation, whatever the actions in between were.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from conversation import queries
from conversation.schema import PAGE_MESSAGES

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable


class Told(NamedTuple):
    """One announcement."""

    topic: str
    event: str
    payload: dict[str, Any]
    seq: int | None = None


def snapshot(conversation_id: uuid.UUID, user_id: int) -> dict[str, Any]:
    """What a member who joins now is told, members by id."""
    me = queries.membership(conversation_id, user_id)
    welcome = queries.welcome(me)
    return {
        "seq": me.conversation.last_seq,
        "title": welcome["conversation"]["title"],
        "members": {member["id"]: member for member in welcome["members"]},
        "messages": queries.newest(conversation_id, me.conversation.last_seq),
    }


def apply(facts: Iterable[Told], before: dict[str, Any]) -> dict[str, Any]:
    """The snapshot as a client keeps it: one fact after another, none missing, none twice."""
    after = copy.deepcopy(before)
    for fact in facts:
        assert fact.seq == after["seq"] + 1, f"{fact.event} came as {fact.seq} after {after['seq']}"
        after["seq"] = fact.seq
        _APPLIERS[fact.event](after, fact.payload)
    return after


def _message_sent(after: dict[str, Any], payload: dict[str, Any]) -> None:
    after["messages"] = [*after["messages"], payload["message"]][-PAGE_MESSAGES:]


def _member_here(after: dict[str, Any], payload: dict[str, Any]) -> None:
    after["members"][payload["member"]["id"]] = payload["member"]


def _member_removed(after: dict[str, Any], payload: dict[str, Any]) -> None:
    del after["members"][payload["member"]["id"]]


def _conversation_renamed(after: dict[str, Any], payload: dict[str, Any]) -> None:
    after["title"] = payload["conversation"]["title"]


_APPLIERS = {
    "message_sent": _message_sent,
    "member_added": _member_here,
    "member_changed": _member_here,
    "member_removed": _member_removed,
    "conversation_renamed": _conversation_renamed,
}
