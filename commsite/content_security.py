"""The Content-Security-Policy of every answer, with the address of this host's own socket in it."""

from contextlib import suppress

from csp.middleware import CSPMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBase


class ContentSecurityMiddleware(CSPMiddleware):
    """Adds ``ws://host`` or ``wss://host`` to ``connect-src``.

    For Safari and older browsers ``'self'`` does not cover WebSockets, even of the same host.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Name the socket's address before the policy is written."""
        update = dict(getattr(response, "_csp_update", None) or {})
        scheme = "wss" if request.is_secure() else "ws"
        # A host that is none of ours has no socket; its refusal has a policy all the same.
        with suppress(DisallowedHost):
            update["connect-src"] = [
                *update.get("connect-src", []),
                f"{scheme}://{request.get_host()}",
            ]
        # django-csp's own way to hand a change over.
        setattr(response, "_csp_update", update)  # noqa: B010
        return super().process_response(request, response)
