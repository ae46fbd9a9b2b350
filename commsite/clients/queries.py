"""Reads of clients' tables. Sync: from the event loop they go through `in_thread`."""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from commsite.clients.models import ClientSession, Connection, Preferences, Revocation, TokenVersion
from commsite.clients.schema import DEFAULT_PREFERENCES

CLOCK_SKEW_S = 60
"""How far the clocks of two processes may be apart."""


def token_version(user_id: int) -> int:
    """The version that this user's tokens must have; 0 until something was revoked."""
    found = TokenVersion.objects.filter(user_id=user_id).values_list("version", flat=True).first()
    return found or 0


def live_sessions(user: User) -> QuerySet[ClientSession]:
    """The user's client sessions that have not ended, newest first."""
    return ClientSession.objects.filter(_has_not_lapsed(), user_id=user.pk, revoked_at=None)


def _has_not_lapsed() -> Q:
    """A client that did not log in or refresh for so long could not speak for anybody."""
    now, kind = timezone.now(), ClientSession.Kind
    oldest = {
        kind.TOKEN: now - timedelta(seconds=settings.REFRESH_LIFETIME_S),
        kind.BROWSER: now - timedelta(seconds=settings.SESSION_COOKIE_AGE),
    }
    alive = Q()
    for each, begin in oldest.items():
        proved = Q(refreshed_at__gte=begin) | Q(refreshed_at=None, created_at__gte=begin)
        alive |= Q(kind=each) & proved
    return alive


def live_session(session_id: str | uuid.UUID, *, is_locked: bool = False) -> ClientSession | None:
    """The session with its user, or None when it ended or its user may not log in.

    Locked, nobody else changes its row before the transaction ends.
    """
    sessions = ClientSession.objects.select_related("user", "user__token_version")
    if is_locked:
        sessions = sessions.select_for_update(of=("self",))
    return sessions.filter(id=session_id, revoked_at=None, user__is_active=True).first()


def recent_revocations(since: datetime | None = None) -> list[Revocation]:
    """The revocations after `since`; without it, all that a token alive now may be older than."""
    return list(Revocation.objects.filter(created_at__gte=since or _oldest_that_matters()))


def forgettable_revocations() -> QuerySet[Revocation]:
    """The revocations that no living token can be older than."""
    return Revocation.objects.filter(created_at__lt=_oldest_that_matters())


def _oldest_that_matters() -> datetime:
    return timezone.now() - timedelta(seconds=settings.ACCESS_LIFETIME_S + CLOCK_SKEW_S)


def preferences_of(user_id: int) -> dict[str, object]:
    """Everything a user can set: as they set it, else the default."""
    row = Preferences.objects.filter(user_id=user_id).first()
    chosen = row.values if row else {}
    return DEFAULT_PREFERENCES | {k: v for k, v in chosen.items() if k in DEFAULT_PREFERENCES}


def who_chose(name: str, value: object, among: Collection[int]) -> set[int]:
    """Those of these users who have set a preference to this value (a default is nobody's choice)."""
    rows = Preferences.objects.filter(user_id__in=among, **{f"values__{name}": value})
    return set(rows.values_list("user_id", flat=True))


def live_connections() -> QuerySet[Connection]:
    """The connections of processes that are alive."""
    lease = timedelta(seconds=settings.REALTIME["CONNECTIONS_LEASE_S"])
    return Connection.objects.filter(node__seen_at__gte=timezone.now() - lease)
