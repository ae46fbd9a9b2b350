"""Conversations over REST: the same commands, actions and shapes as on the socket."""

import uuid
from typing import Any, cast

import msgspec
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from commsite.clients.schema import Problem
from commsite.realtime.schema import parse
from commsite.rest import CursorPage
from conversation import actions, queries
from conversation.message_shape import MessageShape
from conversation.schema import (
    MAX_PAGE_MESSAGES,
    PAGE_MESSAGES,
    AddMember,
    ConversationRow,
    ConversationShape,
    CreateConversation,
    FetchHistory,
    HistoryPage,
    MemberAnswer,
    MemberShape,
    MessageAnswer,
    RemoveMember,
    RenameConversation,
    SendMessage,
    member_shape,
)


class WriteThrottle(ScopedRateThrottle):
    """Counts what changes something; reading is not held up."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Reads are allowed; writes as often as the scope's rate says."""
        return request.method in SAFE_METHODS or super().allow_request(request, view)


class LiveliestFirst(CursorPage):
    """Pages of conversations."""

    ordering = ("-last_activity_at", "-id")


class LongestFirst(CursorPage):
    """Pages of members."""

    ordering = ("joined_at", "id")


# --- Shapes in the OpenAPI document --------------------------------------------------------------
def _described(kind: Any) -> dict[str, Any]:
    """The JSON schema of a wire shape, its parts written out in place."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    return dict(_written_out(schema, parts))


def _written_out(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_written_out(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _written_out(parts[node["$ref"]], parts)
    return {key: _written_out(value, parts) for key, value in node.items()}


def _pages_of(kind: Any) -> dict[str, Any]:
    link = {"type": "string", "format": "uri", "nullable": True}
    return {
        "type": "object",
        "required": ["results", "next", "previous"],
        "properties": {
            "results": {"type": "array", "items": _described(kind)},
            "next": link,
            "previous": link,
        },
    }


def _takes(command: Any) -> dict[str, Any]:
    return {"application/json": _described(command)}


_CURSOR = [
    OpenApiParameter("cursor", str, description="As found in `next` and `previous`."),
    OpenApiParameter("limit", int, description="Rows of a page, 50 by default, at most 200."),
]
_HISTORY = [
    OpenApiParameter("before_seq", int, description="Messages before this seq."),
    OpenApiParameter("after_seq", int, description="Messages after this seq."),
    OpenApiParameter("around_seq", int, description="Messages on both sides of this seq."),
    OpenApiParameter(
        "limit", int, description=f"{PAGE_MESSAGES} by default, at most {MAX_PAGE_MESSAGES}."
    ),
]
_REFUSED_READ: dict[int, Any] = dict.fromkeys((400, 401, 404), Problem)
_REFUSED_WRITE: dict[int, Any] = dict.fromkeys((400, 401, 403, 404, 429), Problem)


class _ConversationView(APIView):
    throttle_classes = (WriteThrottle,)
    throttle_scope = "conversation_write"


# --- Conversations -------------------------------------------------------------------------------
class ConversationList(_ConversationView):
    """My conversations."""

    @extend_schema(
        operation_id="conversations_list",
        parameters=_CURSOR,
        responses={200: _pages_of(ConversationRow), **_REFUSED_READ},
    )
    def get(self, request: Request) -> Response:
        """List my conversations with their last messages, the liveliest first."""
        pages = LiveliestFirst()
        rows = pages.paginate_queryset(queries.my_conversations(_me(request)), request, view=self)
        return pages.get_paginated_response(queries.row_shapes(rows or []))

    @extend_schema(
        operation_id="conversations_create",
        request=_takes(CreateConversation),
        responses={201: _described(ConversationShape), **_REFUSED_WRITE},
    )
    def post(self, request: Request) -> Response:
        """Open a conversation that I own, with the members named."""
        command = parse(CreateConversation, request.data)
        return Response(actions.create_conversation(_me(request), command), status=201)


class ConversationDetail(_ConversationView):
    """One conversation."""

    @extend_schema(
        operation_id="conversations_read",
        responses={200: _described(ConversationShape), **_REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Read a conversation and its members."""
        return Response(queries.my_conversation(conversation_id, _me(request)))

    @extend_schema(
        operation_id="conversations_rename",
        request=_takes(RenameConversation),
        responses={200: _described(ConversationShape), **_REFUSED_WRITE},
    )
    def patch(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Rename a conversation that I own."""
        command = parse(RenameConversation, request.data)
        actions.rename_conversation(conversation_id, _me(request), command)
        return Response(queries.my_conversation(conversation_id, _me(request)))


# --- Members -------------------------------------------------------------------------------------
class MemberList(_ConversationView):
    """The members of one conversation."""

    @extend_schema(
        operation_id="members_list",
        parameters=_CURSOR,
        responses={200: _pages_of(MemberShape), **_REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """List the members in the order they came."""
        queries.membership(conversation_id, _me(request))
        pages = LongestFirst()
        rows = pages.paginate_queryset(queries.members(conversation_id), request, view=self)
        return pages.get_paginated_response([member_shape(row) for row in rows or ()])

    @extend_schema(
        operation_id="members_add",
        request=_takes(AddMember),
        responses={201: _described(MemberAnswer), 200: _described(MemberAnswer), **_REFUSED_WRITE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Let a user into a conversation that I own; 200 when they were in already."""
        command = parse(AddMember, request.data)
        added = actions.add_member(conversation_id, _me(request), command)
        return Response({"member": added.member}, status=201 if added.is_new else 200)


class MemberDetail(_ConversationView):
    """One member of one conversation."""

    @extend_schema(
        operation_id="members_remove", request=None, responses={204: None, **_REFUSED_WRITE}
    )
    def delete(self, request: Request, conversation_id: uuid.UUID, user_id: int) -> Response:
        """Take a member out of a conversation that I own, or leave it with my own id."""
        command = parse(RemoveMember, {"user_id": user_id})
        actions.remove_member(conversation_id, _me(request), command)
        return Response(status=204)


# --- Messages ------------------------------------------------------------------------------------
class MessageList(_ConversationView):
    """The messages of one conversation."""

    @extend_schema(
        operation_id="messages_list",
        parameters=_HISTORY,
        responses={200: _pages_of(MessageShape), **_REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Read one page in ascending seq: the newest, or before, after or around a seq."""
        asked = parse(
            FetchHistory, {key: _number(request.query_params[key]) for key in request.query_params}
        )
        page = queries.history(conversation_id, _me(request), asked)
        return Response({"results": page["messages"], **_links(request, asked, page)})

    @extend_schema(
        operation_id="messages_send",
        request=_takes(SendMessage),
        responses={
            201: _described(MessageAnswer),
            200: _described(MessageAnswer),
            **_REFUSED_WRITE,
        },
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Send a message once: the same `client_id` again answers 200 with the same message."""
        command = parse(SendMessage, request.data)
        sent = actions.send_message(conversation_id, _me(request), command)
        return Response({"message": sent.message}, status=201 if sent.is_new else 200)


def _me(request: Request) -> int:
    return cast("int", request.user.pk)  # nobody anonymous gets here


def _number(text: str) -> int | str:
    """The number that a query parameter means; anything else is left for the schema to refuse."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else text


def _links(request: Request, asked: FetchHistory, page: HistoryPage) -> dict[str, str | None]:
    """Where the pages of newer (`next`) and older (`previous`) messages are."""
    messages = page["messages"]
    # An empty page stands between its neighbours too.
    empty_at: int = (asked.after_seq or 0) + 1 if asked.before_seq is None else asked.before_seq
    first = messages[0]["seq"] if messages else empty_at
    last = messages[-1]["seq"] if messages else empty_at - 1
    return {
        "next": _link(request, "after_seq", last) if page["has_more_after"] else None,
        "previous": _link(request, "before_seq", first) if page["has_more_before"] else None,
    }


def _link(request: Request, bound: str, seq: int) -> str:
    address = request.build_absolute_uri()
    for other in ("before_seq", "after_seq", "around_seq"):
        address = remove_query_param(address, other)
    return str(replace_query_param(address, bound, seq))
