"""Reads of presence that need the database."""

from collections.abc import Collection
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.utils import timezone

from commsite.clients import queries as clients
from presence.models import LastSeen, PersonStatus
from presence.schema import Manner, StatusShape


def manner_of(user_id: int) -> Manner:
    """What the person has chosen about being seen: a status line, to appear offline, not to be remembered."""
    return manners_of([user_id])[user_id]


def manners_of(user_ids: Collection[int]) -> dict[int, Manner]:
    """The same of many people, in three queries."""
    rows = PersonStatus.objects.filter(user_id__in=user_ids)
    statuses = {row.pk: status_shape(row) for row in rows}
    hiding = clients.who_chose("visibility", "nobody", user_ids)
    opted_out = clients.who_chose("last_seen", "off", user_ids)
    return {
        user_id: Manner(statuses.get(user_id), user_id in hiding, user_id not in opted_out)
        for user_id in user_ids
    }


def status_of(user_id: int) -> StatusShape | None:
    """The person's status line, None when there is none or it is over."""
    row = PersonStatus.objects.filter(user_id=user_id).first()
    return None if row is None else status_shape(row)


def status_shape(row: PersonStatus) -> StatusShape | None:
    """The row as others see it now."""
    if row.expires_at is not None and row.expires_at <= timezone.now():
        return None
    expires_at = None if row.expires_at is None else row.expires_at.timestamp()
    return {"text": row.text, "emoji": row.emoji, "expires_at": expires_at}


def last_seen(user_ids: Collection[int]) -> dict[int, str]:
    """When each of these people was last here (ISO 8601, UTC); those of whom nothing is stored are left out."""
    rows = LastSeen.objects.filter(user_id__in=user_ids).values_list("user_id", "at")
    opted_out = clients.who_chose("last_seen", "off", user_ids)
    return {user_id: iso(at) for user_id, at in rows if user_id not in opted_out}


def rememberable(user_ids: Collection[int]) -> set[int]:
    """Those of these people who exist and have not opted out of being remembered."""
    alive = set(User.objects.filter(pk__in=user_ids).values_list("pk", flat=True))
    return alive - clients.who_chose("last_seen", "off", user_ids)


def iso(at: datetime) -> str:
    """A moment as it travels: to the second, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
