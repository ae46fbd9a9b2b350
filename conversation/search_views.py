"""Search over REST."""

import uuid

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from commsite.realtime.schema import parse
from conversation.rates import spend
from conversation.rest import REFUSED_READ, ConversationView, described, me
from conversation.schema import SearchEverywhere, SearchMessages
from conversation.search import SearchEverywherePage, SearchPage, search, search_everywhere

_QUERY = [
    OpenApiParameter(
        "q",
        str,
        required=True,
        description="Words; the last may be a beginning. Quotes: side by side.",
    ),
    OpenApiParameter("limit", int, description="20 by default, at most 50."),
]


class SearchConversation(ConversationView):
    """What is found in one conversation."""

    @extend_schema(
        operation_id="messages_search",
        parameters=[
            *_QUERY,
            OpenApiParameter("before_seq", int, description="Found before this seq."),
        ],
        responses={200: described(SearchPage), **REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Find messages by their words, the newest first."""
        spend("history", me(request))
        return Response(
            search(conversation_id, me(request), parse(SearchMessages, _asked(request)))
        )


class SearchAll(ConversationView):
    """What is found in all my conversations."""

    @extend_schema(
        operation_id="messages_search_everywhere",
        parameters=[
            *_QUERY,
            OpenApiParameter("before", uuid.UUID, description="Found before this message."),
        ],
        responses={200: described(SearchEverywherePage), **REFUSED_READ},
    )
    def get(self, request: Request) -> Response:
        """Find messages in all my conversations, the newest first."""
        spend("history", me(request))
        return Response(search_everywhere(me(request), parse(SearchEverywhere, _asked(request))))


def _asked(request: Request) -> dict[str, object]:
    """The query parameters as a payload; what is no number is left for the schema to refuse."""
    given = {key: request.query_params[key] for key in request.query_params}
    query = given.pop("q", "")
    return {"query": query, **{key: _number(key, text) for key, text in given.items()}}


def _number(key: str, text: str) -> int | str:
    is_number = text.isascii() and text.isdecimal() and len(text) < 20
    return int(text) if is_number and key in {"limit", "before_seq"} else text
