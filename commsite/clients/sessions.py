"""Logins by cookie: how a Django session and a client session belong together."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.http.cookie import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from commsite.clients import queries
from commsite.clients.tokens import version_of
from commsite.realtime.auth import Identity
from commsite.realtime.errors import PushError

CLIENT_SESSION_KEY = "client_session"
"""Where a Django session names its client session."""


def identity_of_cookie(cookies: str) -> Identity:
    """Who a Cookie header speaks for, by what the database says now.

    Raises PushError: "bad_credentials" without a login that is still good, "token_revoked" when its
    client session has ended.
    """
    row = _session_row(parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, ""))
    if row is None:
        raise PushError("bad_credentials")
    data = row.get_decoded()
    if data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        raise PushError("bad_credentials")
    session = queries.live_session(data[CLIENT_SESSION_KEY]) if CLIENT_SESSION_KEY in data else None
    if session is None or str(session.user_id) != data.get(SESSION_KEY):
        raise PushError("token_revoked")
    expected = session.user.get_session_auth_hash()
    if not constant_time_compare(data.get(HASH_SESSION_KEY, ""), expected):
        raise PushError("token_revoked")
    return Identity(
        user_id=session.user_id,
        username=session.user.get_username(),
        session_id=str(session.id),
        token_version=version_of(session),
        expires_at=row.expire_date.timestamp(),
        is_staff=session.user.is_staff,
    )


def cookie_expires_at(session_key: str | None) -> datetime | None:
    """When the login of this Django session ends by itself."""
    row = _session_row(session_key or "")
    return row.expire_date if row else None


def _session_row(session_key: str) -> Session | None:
    if not session_key:
        return None
    return Session.objects.filter(session_key=session_key, expire_date__gt=timezone.now()).first()
