"""Typing and receipts over REST: for programs that hold no socket. A mark is written at once."""

import uuid

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from commsite.realtime.schema import parse
from conversation import attention, receipts
from conversation.attention_schema import (
    FetchReceipts,
    MarkDelivered,
    MarkRead,
    MyReceipt,
    ReceiptsChanged,
    StartTyping,
    TypingAnswer,
)
from conversation.rates import spend
from conversation.rest import REFUSED_READ, REFUSED_WRITE, ConversationView, described, me, takes

_THREAD = [OpenApiParameter("thread_id", uuid.UUID, description="Marks in this thread.")]


class Typing(ConversationView):
    """Whether I type."""

    @extend_schema(
        operation_id="typing_start",
        request=takes(StartTyping),
        responses={200: described(TypingAnswer), **REFUSED_WRITE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Say that I type, for the next ten seconds; `is_told` is false where there are too many members."""
        spend("typing", me(request))
        command = parse(StartTyping, request.data)
        return Response({"is_told": attention.start_typing(conversation_id, me(request), command)})

    @extend_schema(operation_id="typing_stop", request=None, responses={204: None, **REFUSED_WRITE})
    def delete(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Say that I do not type any more."""
        attention.stop_typing(conversation_id, me(request))
        return Response(status=204)


class Receipts(ConversationView):
    """How far members have got."""

    @extend_schema(
        operation_id="receipts_list",
        parameters=_THREAD,
        responses={200: described(ReceiptsChanged), **REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Read the marks of those who share them, in the conversation itself or in a thread."""
        spend("history", me(request))
        asked = parse(FetchReceipts, dict(request.query_params.items()))
        return Response(receipts.receipts(conversation_id, me(request), asked))


class Read(ConversationView):
    """How far I have read."""

    @extend_schema(
        operation_id="mark_read",
        request=takes(MarkRead),
        responses={200: described(MyReceipt), **REFUSED_WRITE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Move my mark on; one that is further already stays."""
        spend("read", me(request))
        command = parse(MarkRead, request.data)
        return Response({"receipt": attention.mark(conversation_id, me(request), command)})


class Delivered(ConversationView):
    """What has reached me."""

    @extend_schema(
        operation_id="mark_delivered",
        request=takes(MarkDelivered),
        responses={200: described(MyReceipt), **REFUSED_WRITE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """The same for what has arrived and was not read."""
        spend("read", me(request))
        command = parse(MarkDelivered, request.data)
        return Response({"receipt": attention.mark(conversation_id, me(request), command)})
