"""Reads of presence that need the database."""

from django.utils import timezone

from presence.models import PersonStatus
from presence.schema import StatusShape


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
