"""Writes of presence: a person's status line, told to every process so that their entries show it."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from commsite.realtime.pubsub import control, control_on_commit
from presence.models import PersonStatus
from presence.queries import status_shape
from presence.schema import SetStatus, StatusShape

STATUS_CONTROL = "presence_status"
UNTRACK_CONTROL = "presence_untrack"


def set_status(user_id: int, command: SetStatus) -> StatusShape | None:
    """Stores or clears the status line; every connection of this person shows it, in every process."""
    with transaction.atomic():
        status = _store(user_id, command)
        control_on_commit(STATUS_CONTROL, {"user_id": user_id, "status": status})
    return status


def _store(user_id: int, command: SetStatus) -> StatusShape | None:
    if not command.text and not command.emoji:
        PersonStatus.objects.filter(user_id=user_id).delete()
        return None
    expires_at = None
    if command.expires_in_s is not None:
        expires_at = timezone.now() + timedelta(seconds=command.expires_in_s)
    row, _ = PersonStatus.objects.update_or_create(
        user_id=user_id,
        defaults={"text": command.text, "emoji": command.emoji, "expires_at": expires_at},
    )
    return status_shape(row)


def untrack(topic: str, key: str, id: str) -> None:  # noqa: A002  the entry's word
    """Takes one entry away, whichever process holds it. Its socket stays; joining again brings it back."""
    control(UNTRACK_CONTROL, {"topic": topic, "key": key, "id": id})
