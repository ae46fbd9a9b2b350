"""Files of conversations over REST. There is no socket command for them: bytes go by HTTP."""

import uuid
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from commsite.clients.schema import Problem
from commsite.realtime.errors import PushError
from conversation import attachments, download
from conversation.message_shape import AttachmentShape
from conversation.rest import (
    REFUSED_CHANGE,
    REFUSED_READ,
    REFUSED_WRITE,
    ConversationView,
    described,
    me,
)
from conversation.uploads import OneFileToDisk


class AttachmentList(ConversationView):
    """Where files are uploaded to."""

    parser_classes = (MultiPartParser,)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Says, before anything is read, that it is read to disk."""
        request.upload_handlers = [OneFileToDisk(request)]
        return super().dispatch(request, *args, **kwargs)

    @extend_schema(
        operation_id="attachments_upload",
        request={
            "multipart/form-data": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        responses={
            201: described(AttachmentShape),
            **REFUSED_CHANGE,
            503: Problem,
        },
    )
    def post(self, request: Request, conversation_id: uuid.UUID) -> Response:
        """Upload one file; `send_message` with its id in `attachment_ids` shows it to the others.

        What it is, is found out from its content. A file that no message has within a day is
        removed.
        """
        upload = request.FILES.get("file")
        if not isinstance(upload, UploadedFile):
            raise PushError("invalid_payload", "Expected a file in the field `file`.")
        return Response(attachments.receive(conversation_id, me(request), upload), status=201)


class AttachmentDetail(ConversationView):
    """One file."""

    @extend_schema(
        operation_id="attachments_read",
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="You have it."),
            416: OpenApiResponse(description="It ends before that range."),
            **REFUSED_READ,
        },
    )
    def get(
        self, request: Request, conversation_id: uuid.UUID, attachment_id: uuid.UUID
    ) -> HttpResponseBase:
        """Fetch the file; `Range`, `If-Range` and `If-None-Match` are understood.

        Pictures and plain text may be shown by a browser, everything else is saved.
        """
        found = attachments.readable(conversation_id, me(request), attachment_id)
        return download.answer(found, request)

    @extend_schema(
        operation_id="attachments_withdraw",
        responses={204: None, **REFUSED_WRITE},
    )
    def delete(
        self, request: Request, conversation_id: uuid.UUID, attachment_id: uuid.UUID
    ) -> Response:
        """Remove an upload of mine that no message has yet."""
        attachments.withdraw(conversation_id, me(request), attachment_id)
        return Response(status=204)
