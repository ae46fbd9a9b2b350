"""Reads what other tables hold of messages, for any number of messages in the same few queries."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from django.contrib.auth.models import User

from conversation import hooks
from conversation.message_shape import (
    AttachmentShape,
    BranchShape,
    MessageShape,
    Parts,
    Person,
    ReactionShape,
    attachment_shape,
    message_shape,
)
from conversation.models import Attachment, Mention, Message, Reaction

AS_LISTED: Final = ("position", "created_at", "id")
"""The files of a message in the order in which its author listed them; old ones as they were uploaded."""


def shapes(messages: Sequence[Message]) -> list[MessageShape]:
    """The messages on the wire, in their order; their authors must be loaded.

    Three queries, and one more each where some of them are pinned, have siblings, or are answers.
    """
    if not messages:
        return []
    ids = [message.id for message in messages]
    mentions, attachments, reactions = _mentions(ids), _attachments(ids), _reactions(ids)
    branches = _branches({row.branch_of_id for row in messages if row.branch_of_id})
    runs = hooks.runs_of([row.id for row in messages if row.role == Message.Role.ASSISTANT])
    pinners = _people({row.pinned_by_id for row in messages if row.pinned_by_id})
    return [
        message_shape(
            row,
            Parts(
                mentions[row.id],
                attachments[row.id],
                reactions[row.id],
                branches.get(row.id),
                runs.get(row.id),
                pinners.get(row.pinned_by_id or 0),
            ),
        )
        for row in messages
    ]


def shape(message: Message) -> MessageShape:
    """The same for one message."""
    (one,) = shapes([message])
    return one


def _mentions(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[int]]:
    found: dict[uuid.UUID, list[int]] = defaultdict(list)
    rows = Mention.objects.filter(message_id__in=ids).order_by("user_id")
    for message_id, user_id in rows.values_list("message_id", "user_id"):
        found[message_id].append(user_id)
    return found


def _attachments(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[AttachmentShape]]:
    found: dict[uuid.UUID, list[AttachmentShape]] = defaultdict(list)
    rows = Attachment.objects.filter(message_id__in=ids).order_by(*AS_LISTED)
    for row in rows:
        if row.message_id is not None:
            found[row.message_id].append(attachment_shape(row))
    return found


def _reactions(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[ReactionShape]]:
    """Emoji in the order of their code points, people by id.

    An order that depends on nothing but the set: whoever followed every fact has the same one as
    whoever comes now.
    """
    users: dict[uuid.UUID, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    rows = Reaction.objects.filter(message_id__in=ids)
    for message_id, emoji, user_id in rows.values_list("message_id", "emoji", "user_id"):
        users[message_id][emoji].append(user_id)
    found: dict[uuid.UUID, list[ReactionShape]] = defaultdict(list)
    for message_id, by_emoji in users.items():
        found[message_id] = [
            {"emoji": emoji, "user_ids": sorted(by_emoji[emoji])} for emoji in sorted(by_emoji)
        ]
    return found


def _branches(roots: Collection[uuid.UUID]) -> dict[uuid.UUID, BranchShape]:
    if not roots:
        return {}
    siblings: dict[uuid.UUID, list[tuple[uuid.UUID, bool]]] = defaultdict(list)
    rows = Message.objects.filter(branch_of_id__in=roots).order_by("seq")
    for root, one, selected in rows.values_list("branch_of_id", "id", "branch_of__selected_branch"):
        if root is not None:
            siblings[root].append((one, one == selected))
    return {
        one: {"index": index, "count": len(group), "selected": is_selected}
        for group in siblings.values()
        for index, (one, is_selected) in enumerate(group, 1)
    }


def _people(ids: Iterable[int]) -> dict[int, Person]:
    wanted = set(ids)
    if not wanted:
        return {}
    rows = User.objects.filter(pk__in=wanted).values_list("id", "username")
    return {pk: {"id": pk, "username": username} for pk, username in rows}
