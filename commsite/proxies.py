"""What a trusted proxy says of a request: the client's address and whether it came by HTTPS.

uvicorn has believed the same proxies before us, and then there is nothing left to do; daphne
believes all or none. Headers from any other address change nothing.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from commsite.realtime.auth import address_of

SCHEME = "HTTP_X_COMMSITE_SCHEME"
"""Where settings.SECURE_PROXY_SSL_HEADER finds the scheme. Set here only."""

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class TrustedProxyMiddleware:
    """Puts the client's own address into ``REMOTE_ADDR``, for limits, lock-outs and sessions."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Reads the headers, if their sender may be believed, and goes on."""
        believe(request)
        return self.get_response(request)


def believe(request: HttpRequest) -> None:
    """Corrects the request by what its trusted proxies say."""
    request.META.pop(SCHEME, None)
    peer = request.META.get("REMOTE_ADDR", "")
    if not _is_trusted(peer):
        return
    forwarded = request.headers.get("X-Forwarded-For", "").encode("latin-1", "replace")
    scope = {"client": (peer, 0), "headers": [(b"x-forwarded-for", forwarded)]}
    request.META["REMOTE_ADDR"] = address_of(scope)
    request.META[SCHEME] = request.headers.get("X-Forwarded-Proto", "http").lower()


def _is_trusted(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in ip_network(net, strict=False) for net in settings.TRUSTED_PROXIES)
