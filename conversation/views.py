"""Conversations over REST: the same commands, actions and shapes as on the socket."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from commsite.realtime.schema import parse
from commsite.rest import CursorPage
from conversation import actions, queries
from conversation.rates import spend
from conversation.rest import (
    CURSOR,
    REFUSED_READ,
    REFUSED_WRITE,
    ConversationView,
    described,
    me,
    pages_of,
    takes,
)
from conversation.schema import (
    AddMember,
    ChangeConversation,
    ConversationRow,
    ConversationShape,
    CreateConversation,
    MemberAnswer,
    MemberShape,
    RemoveMember,
    member_shape,
)


class LiveliestFirst(CursorPage):
    """Pages of conversations."""

    ordering = ("-last_activity_at", "-id")


class LongestFirst(CursorPage):
    """Pages of members."""

    ordering = ("joined_at", "id")


# --- Conversations -------------------------------------------------------------------------------
class ConversationList(ConversationView):
    """My conversations."""

    @extend_schema(
        operation_id="conversations_list",
        parameters=CURSOR,
        responses={200: pages_of(ConversationRow), **REFUSED_READ},
    )
    def get(self, request: Request) -> Response:
        """List my conversations with their last messages, the liveliest first."""
        pages = LiveliestFirst()
        rows = pages.paginate_queryset(queries.my_conversations(me(request)), request, view=self)
        return pages.get_paginated_response(queries.row_shapes(rows or [], me(request)))

    @extend_schema(
        operation_id="conversations_create",
        request=takes(CreateConversation),
        responses={
            201: described(ConversationShape),
            200: described(ConversationShape),
            **REFUSED_WRITE,
        },
    )
    def post(self, request: Request) -> Response:
        """Open a conversation that I own, with the members named; the same `client_id` again answers 200 with it."""
        command = parse(CreateConversation, request.data)
        opened = actions.open_conversation(me(request), command)
        return Response(opened.conversation, status=201 if opened.is_new else 200)


class ConversationDetail(ConversationView):
    """One conversation."""

    @extend_schema(
        operation_id="conversations_read",
        responses={200: described(ConversationShape), **REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Read a conversation and its members."""
        return Response(queries.my_conversation(conversation_id, me(request)))

    @extend_schema(
        operation_id="conversations_change",
        request=takes(ChangeConversation),
        responses={200: described(ConversationShape), **REFUSED_WRITE},
    )
    def patch(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Rename a conversation that I own, or say when its assistant answers of itself."""
        spend("change", me(request))
        changed = parse(ChangeConversation, request.data)
        actions.change_conversation(conversation_id, me(request), changed)
        return Response(queries.my_conversation(conversation_id, me(request)))


# --- Members -------------------------------------------------------------------------------------
class MemberList(ConversationView):
    """The members of one conversation."""

    @extend_schema(
        operation_id="members_list",
        parameters=CURSOR,
        responses={200: pages_of(MemberShape), **REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """List the members in the order they came."""
        queries.membership(conversation_id, me(request))
        pages = LongestFirst()
        rows = pages.paginate_queryset(queries.members(conversation_id), request, view=self)
        return pages.get_paginated_response([member_shape(row) for row in rows or ()])

    @extend_schema(
        operation_id="members_add",
        request=takes(AddMember),
        responses={201: described(MemberAnswer), 200: described(MemberAnswer), **REFUSED_WRITE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Let a user into a conversation that I own; 200 when they were in already."""
        spend("change", me(request))
        command = parse(AddMember, request.data)
        added = actions.add_member(conversation_id, me(request), command)
        return Response({"member": added.member}, status=201 if added.is_new else 200)


class MemberDetail(ConversationView):
    """One member of one conversation."""

    @extend_schema(
        operation_id="members_remove", request=None, responses={204: None, **REFUSED_WRITE}
    )
    def delete(self, request: Request, conversation_id: uuid.UUID, user_id: int) -> Response:
        """Take a member out of a conversation that I own, or leave it with my own id."""
        spend("change", me(request))
        command = parse(RemoveMember, {"user_id": user_id})
        actions.remove_member(conversation_id, me(request), command)
        return Response(status=204)
