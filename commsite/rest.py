"""How the REST side speaks: errors as ``{"reason", "message", ...}`` and pages by cursor."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from redis import RedisError
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import APIView, exception_handler, set_rollback

from commsite.error_pages import UNCOUNTED_RETRY_AFTER_S
from commsite.realtime.errors import PushError
from commsite.realtime.telemetry import count

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

# DRF's codes in the words of the one table of reasons (commsite.realtime.errors).
_REASONS: Mapping[type[Exception], str] = {
    exceptions.ValidationError: "invalid_payload",
    exceptions.ParseError: "invalid_payload",
    exceptions.NotAuthenticated: "unauthorized",
    exceptions.AuthenticationFailed: "unauthorized",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "rate_limited",
}


class CursorPage(CursorPagination):
    """Fifty rows a page, newest first: ``{"results", "next", "previous"}``."""

    ordering: str | tuple[str, ...] = "-created_at"
    page_size_query_param = "limit"
    max_page_size = 200

    def paginate_queryset(
        self,
        queryset: "QuerySet[Any] | Sequence[Any]",
        request: Request,
        view: APIView | None = None,
    ) -> list[Any] | None:
        """The page; raises NotFound for a cursor that we cannot have made, whatever is in it."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError):
            if self.cursor_query_param not in request.query_params:
                raise
            raise exceptions.NotFound(self.invalid_cursor_message) from None


class NoSuchAddress(APIView):
    """Every address below ``/api/`` that leads nowhere, so that even this is said in JSON."""

    authentication_classes = ()
    permission_classes = ()
    schema = None  # not an address that the OpenAPI document should know

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuses any method."""
        raise PushError("not_found", "There is nothing at this address; all of them end with /.")


def answer_with_reason(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The error as ``{"reason", "message", ...}`` with its status, or None if it is a crash."""
    if isinstance(error, RedisError):  # it counts throttles and lock-outs: nothing was done
        logger.warning("rest: what counts requests cannot be reached: %r", error)
        error = PushError("overloaded", retry_after_ms=1000 * UNCOUNTED_RETRY_AFTER_S)
    if isinstance(error, PushError):
        set_rollback()
        answer = Response(error.as_response(), status=error.http_status)
        if error.http_status == HTTPStatus.UNAUTHORIZED:
            answer["WWW-Authenticate"] = 'Bearer realm="api"'
        retry_after_ms = error.as_response().get("retry_after_ms")
        if retry_after_ms:
            answer["Retry-After"] = str(-(-int(retry_after_ms) // 1000))
        return answer
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    answered = exception_handler(error, dict(context))
    if answered is not None and isinstance(error, exceptions.APIException):
        answered.data = _body(error)
    return answered


def _body(error: exceptions.APIException) -> dict[str, Any]:
    reason = next((word for kind, word in _REASONS.items() if isinstance(error, kind)), None)
    if isinstance(error, exceptions.ValidationError):
        return {
            "reason": reason,
            "message": "The request does not have the expected form.",
            "fields": as_serializer_error(error),
        }
    if isinstance(error, exceptions.Throttled):
        count("rest_throttled_total")
    codes = error.get_codes()
    body: dict[str, Any] = {
        "reason": reason or (codes if isinstance(codes, str) else "error"),
        "message": str(error.detail),
    }
    wait_s = getattr(error, "wait", None)
    if wait_s is not None:
        body["retry_after_ms"] = int(wait_s * 1000)
    return body
