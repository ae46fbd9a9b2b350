"""Finds messages by their words: in one conversation, or in all of a member's. The newest first.

Only what pages show is found: nothing deleted, of alternatives the selected one.
"""

import uuid
from typing import TypedDict

from django.db import DEFAULT_DB_ALIAS

from conversation import queries
from conversation.message_parts import shapes
from conversation.message_shape import MessageShape
from conversation.models import Message
from conversation.plain_words import all_words, with_what_is_behind
from conversation.schema import Heading, SearchEverywhere, SearchMessages, heading_shape
from conversation.search_index import having
from conversation.search_terms import Snippet, Term, snippet, terms_of
from conversation.shown import shown


class Found(TypedDict):
    """A message with what was looked for."""

    message: MessageShape
    snippet: Snippet


class FoundEverywhere(Found):
    """The same with its conversation."""

    conversation: Heading


class SearchPage(TypedDict):
    """The newest that were found; with `has_more` go on from `before_seq` = that of the last."""

    results: list[Found]
    has_more: bool


class SearchEverywherePage(TypedDict):
    """The same over all conversations; go on from `before` = the id of the last message."""

    results: list[FoundEverywhere]
    has_more: bool


def search(conversation_id: uuid.UUID, user_id: int, command: SearchMessages) -> SearchPage:
    """One page of what is found in a conversation, for a member. Raises PushError("not_found")."""
    queries.sender(conversation_id, user_id)
    terms = terms_of(command.query)
    if not terms:
        return {"results": [], "has_more": False}
    rows = queries.on_selected_branches(conversation_id).filter(
        *having(terms, DEFAULT_DB_ALIAS, conversation_id), deleted_at=None
    )
    if command.before_seq is not None:
        rows = rows.filter(seq__lt=command.before_seq)
    found = list(rows.order_by("-seq")[: command.limit + 1])
    page = found[: command.limit]
    return {
        "results": [
            {"message": shape, "snippet": _found_in(shape["html"], terms)} for shape in shapes(page)
        ],
        "has_more": len(found) > command.limit,
    }


def search_everywhere(user_id: int, command: SearchEverywhere) -> SearchEverywherePage:
    """One page of what is found in all conversations of this user."""
    terms = terms_of(command.query)
    if not terms:
        return {"results": [], "has_more": False}
    rows = (
        Message.objects.filter(shown(), conversation__members__user_id=user_id)
        .filter(*having(terms, DEFAULT_DB_ALIAS), deleted_at=None)
        .select_related("author", "conversation")
    )
    if command.before is not None:
        rows = rows.filter(pk__lt=command.before)
    found = list(rows.order_by("-pk")[: command.limit + 1])
    page = found[: command.limit]
    return {
        "results": [
            {
                "message": shape,
                "snippet": _found_in(shape["html"], terms),
                "conversation": heading_shape(row.conversation),
            }
            for row, shape in zip(page, shapes(page), strict=True)
        ],
        "has_more": len(found) > command.limit,
    }


def _found_in(html: str, terms: list[Term]) -> Snippet:
    """What a reader sees around what was found. The source is what is searched: where only something behind the words
    was found, such as the address of a link, that is shown with them."""
    seen = snippet(all_words(html), terms)
    if seen["highlights"]:
        return seen
    whole = snippet(with_what_is_behind(html), terms)
    return whole if whole["highlights"] else seen
