"""The export of a conversation over REST."""

import uuid

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from commsite.clients.schema import Problem
from conversation import export
from conversation.rates import spend
from conversation.rest import REFUSED_READ, ConversationView, me

_DOCUMENT = {
    "type": "object",
    "required": [
        "format",
        "version",
        "conversation",
        "members",
        "messages",
        "changes",
        "is_complete",
    ],
    "properties": {
        "format": {"const": export.FORMAT},
        "version": {"const": export.VERSION},
        "exported_at": {"type": "string", "format": "date-time"},
        "exported_by": {"type": "object"},
        "conversation": {"type": "object"},
        "members": {"type": "array", "items": {"type": "object"}},
        "messages": {"type": "array", "items": {"type": "object"}},
        "changes": {"type": "array", "items": {"type": "object"}},
        "is_complete": {"const": True},
    },
}


class ExportConversation(ConversationView):
    """Everything that a member may see."""

    @extend_schema(
        operation_id="conversations_export",
        responses={200: _DOCUMENT, **REFUSED_READ, 503: Problem},
    )
    def get(self, request: Request, conversation_id: uuid.UUID) -> HttpResponseBase:
        """Download the conversation as JSON, written while it is read; `is_complete` is its last key."""
        spend("history", me(request))
        return export.of_member(conversation_id, me(request))
