"""How a name and a password become a user, and what happens to those who guess."""

import threading
from typing import Any

from axes.helpers import get_cool_off
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from commsite.realtime.telemetry import count

DEMO_PASSWORD = "commsite-demo"  # noqa: S105 (published in the README; development only)

_HASHING = threading.BoundedSemaphore(4)


class AccountBackend(ModelBackend):
    """Django's own accounts; the published demo password opens nothing in production."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The active user of this name and password, or None."""
        if password == DEMO_PASSWORD and not settings.ARE_DEMO_PASSWORDS_ALLOWED:
            return None
        # Argon2 takes 100 MiB and a tenth of a second; a crowd at the door must not take it all.
        with _HASHING:
            return super().authenticate(request, username=username, password=password, **kwargs)


def client_address(request: HttpRequest) -> str:
    """The client's address, already corrected by the server for the proxies it trusts."""
    return str(request.META.get("REMOTE_ADDR", ""))


def locked_out(request: HttpRequest, credentials: object, *args: object) -> HttpResponse:
    """The answer to someone who failed too often: 429, in the form the address speaks."""
    cool_off = get_cool_off(request)
    wait_s = int(cool_off.total_seconds()) if cool_off else 0
    message = f"Too many failed attempts. Try again in {max(1, wait_s // 60)} minutes."
    count("logins_locked_out_total")
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = JsonResponse(
            {"reason": "rate_limited", "message": message, "retry_after_ms": wait_s * 1000},
            status=429,
        )
    else:
        context = {"message": message, "wait_minutes": max(1, wait_s // 60)}
        response = render(request, "clients/locked_out.html", context, status=429)
    response["Retry-After"] = str(wait_s)
    return response
