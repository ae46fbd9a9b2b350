"""The answers where no view has one to give: JSON below ``/api/``, else pages in the style of the site.

They must come out whatever is broken: no database, session or context processor is asked, only the request's own
cookie, for the colours that its reader likes.
"""

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import get_template
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import url_has_allowed_host_and_scheme
from redis import RedisError

from commsite.realtime.errors import REASONS

logger = logging.getLogger(__name__)

UNCOUNTED_RETRY_AFTER_S = 2
LAST_WORDS = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width"><title>Commsite</title>
<h1>That went wrong</h1><p>Please try again in a moment. <a href="/">Go to Commsite</a></p></html>
"""
"""What is said where not even the page can be made, as when the front end was not built."""


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer to a request that cannot be meant well, such as one for a host that is none of ours."""
    return _answer(request, 400, "bad_request")


def unproven(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a form without its token (CSRF), with the way to the page where it stands."""
    return _answer(request, 403, "forbidden", "403_csrf.html", back=_form_of(request))


def crashed(request: HttpRequest) -> HttpResponse:
    """The answer when a view has crashed; nothing is told of how."""
    return _answer(request, 500, "internal_error")


class UncountedMiddleware(MiddlewareMixin):
    """What must be counted (who guesses passwords) is not done while Redis, which counts, is away."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer then; of any other exception nothing."""
        if not isinstance(exception, RedisError):
            return None
        logger.warning("what counts requests cannot be reached: %r", exception)
        answer = _answer(request, 503, "overloaded")
        answer["Retry-After"] = str(UNCOUNTED_RETRY_AFTER_S)
        return answer


def _form_of(request: HttpRequest) -> str:
    """The page of this site that sent the request; empty where the browser does not say."""
    page = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, request.is_secure())
    return page if is_ours else ""


def _answer(
    request: HttpRequest, status: int, reason: str, template: str = "", **words: str
) -> HttpResponse:
    if request.path.startswith("/api/"):
        body = {"reason": reason, "message": REASONS[reason].message}
        return JsonResponse(body, status=status)
    try:
        # Given as a value, not as the request of this rendering: that would call the context processors.
        page = get_template(template or f"{status}.html").render({"request": request, **words})
    except Exception:
        logger.exception("the page for status %s could not be made", status)
        page = LAST_WORDS
    return HttpResponse(page, status=status)
