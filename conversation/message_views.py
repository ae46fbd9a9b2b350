"""Messages over REST: the same commands, actions, shapes and rates as on the socket."""

import uuid

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from commsite.realtime.schema import parse
from conversation import actions, queries
from conversation.message_shape import MessageShape
from conversation.rates import spend
from conversation.rest import (
    REFUSED_CHANGE,
    REFUSED_READ,
    REFUSED_WRITE,
    ConversationView,
    described,
    me,
    pages_of,
    takes,
)
from conversation.schema import (
    MAX_PAGE_MESSAGES,
    PAGE_MESSAGES,
    EditBody,
    EditMessage,
    Emoji,
    FetchHistory,
    HistoryPage,
    MessageAnswer,
    NameMessage,
    PinAnswer,
    PinList,
    React,
    ReactionAnswer,
    SendMessage,
)

HISTORY = [
    OpenApiParameter("before_seq", int, description="Messages before this seq."),
    OpenApiParameter("after_seq", int, description="Messages after this seq."),
    OpenApiParameter("around_seq", int, description="Messages on both sides of this seq."),
    OpenApiParameter("thread_id", uuid.UUID, description="Messages of this thread."),
    OpenApiParameter(
        "limit", int, description=f"{PAGE_MESSAGES} by default, at most {MAX_PAGE_MESSAGES}."
    ),
]


# --- Messages ------------------------------------------------------------------------------------
class MessageList(ConversationView):
    """The messages of one conversation."""

    @extend_schema(
        operation_id="messages_list",
        parameters=HISTORY,
        responses={200: pages_of(MessageShape), **REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Read one page in ascending seq: the newest, or before, after or around a seq."""
        spend("history", me(request))
        asked = parse(
            FetchHistory, {key: _number(request.query_params[key]) for key in request.query_params}
        )
        page = queries.history(conversation_id, me(request), asked)
        return Response({"results": page["messages"], **_links(request, asked, page)})

    @extend_schema(
        operation_id="messages_send",
        request=takes(SendMessage),
        responses={
            201: described(MessageAnswer),
            200: described(MessageAnswer),
            **REFUSED_WRITE,
        },
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Send a message once: the same `client_id` again answers 200 with the same message."""
        spend("message", me(request))
        command = parse(SendMessage, request.data)
        sent = actions.send_message(conversation_id, me(request), command)
        return Response({"message": sent.message}, status=201 if sent.is_new else 200)


class MessageDetail(ConversationView):
    """One message."""

    @extend_schema(
        operation_id="messages_read",
        responses={200: described(MessageAnswer), **REFUSED_READ},
    )
    def get(self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Read a message, also of a thread or of a branch that is not selected."""
        spend("history", me(request))
        return Response({"message": queries.message(conversation_id, me(request), message_id)})

    @extend_schema(
        operation_id="messages_edit",
        request=takes(EditBody),
        responses={200: described(MessageAnswer), **REFUSED_CHANGE},
    )
    def patch(
        self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID
    ) -> Response:
        """Say it otherwise; 409 with the message as it is (`current`) when it has changed since."""
        spend("change", me(request))
        edit = parse(EditBody, request.data)
        command = EditMessage(message_id=message_id, revision=edit.revision, body=edit.body)
        return Response({"message": actions.edit_message(conversation_id, me(request), command)})

    @extend_schema(
        operation_id="messages_delete",
        responses={200: described(MessageAnswer), **REFUSED_CHANGE},
    )
    def delete(
        self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID
    ) -> Response:
        """Delete a message and answer what is left of it: its place."""
        spend("change", me(request))
        command = NameMessage(message_id=message_id)
        return Response({"message": actions.delete_message(conversation_id, me(request), command)})


# --- Reactions and pins --------------------------------------------------------------------------
class ReactionList(ConversationView):
    """The reactions to one message."""

    @extend_schema(
        operation_id="reactions_add",
        request=takes(Emoji),
        responses={200: described(ReactionAnswer), **REFUSED_CHANGE},
    )
    def post(self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Add my emoji; the same again changes nothing."""
        spend("change", me(request))
        command = React(message_id=message_id, emoji=parse(Emoji, request.data).emoji)
        return Response(actions.add_reaction(conversation_id, me(request), command))


class ReactionDetail(ConversationView):
    """My own emoji on one message."""

    @extend_schema(
        operation_id="reactions_remove",
        responses={200: described(ReactionAnswer), **REFUSED_CHANGE},
    )
    def delete(
        self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID, emoji: str
    ) -> Response:
        """Take my emoji back."""
        spend("change", me(request))
        command = parse(React, {"message_id": message_id, "emoji": emoji})
        return Response(actions.remove_reaction(conversation_id, me(request), command))


class PinsOfConversation(ConversationView):
    """The pinned messages of one conversation."""

    @extend_schema(operation_id="pins_list", responses={200: described(PinList), **REFUSED_READ})
    def get(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Read the pinned messages, at most a hundred, the newest pin first."""
        spend("history", me(request))
        return Response({"messages": queries.pins(conversation_id, me(request))})


class PinDetail(ConversationView):
    """The pin of one message."""

    @extend_schema(
        operation_id="pins_set",
        request=None,
        responses={200: described(PinAnswer), **REFUSED_CHANGE},
    )
    def put(self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Pin a message for all."""
        spend("change", me(request))
        command = NameMessage(message_id=message_id)
        return Response(actions.pin_message(conversation_id, me(request), command))

    @extend_schema(
        operation_id="pins_remove", responses={200: described(PinAnswer), **REFUSED_CHANGE}
    )
    def delete(
        self, request: Request, conversation_id: uuid.UUID, message_id: uuid.UUID
    ) -> Response:
        """Take the pin away."""
        spend("change", me(request))
        command = NameMessage(message_id=message_id)
        return Response(actions.unpin_message(conversation_id, me(request), command))


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
