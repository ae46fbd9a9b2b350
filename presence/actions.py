"""Writes of presence: a status line, when people were last here, and what they choose about being seen."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from commsite.realtime.pubsub import control, control_on_commit
from presence import queries
from presence.models import LastSeen, PersonStatus
from presence.queries import status_shape
from presence.schema import SetStatus, StatusShape

STATUS_CONTROL = "presence_status"
MANNER_CONTROL = "presence_manner"
UNTRACK_CONTROL = "presence_untrack"


# --- Status --------------------------------------------------------------------------------------
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


# --- Being seen ----------------------------------------------------------------------------------
def follow_preferences(user_id: int) -> None:
    """After a change of preferences: forgets whoever does not want to be remembered, and tells every process."""
    manner = queries.manner_of(user_id)
    if not manner.is_remembered:
        LastSeen.objects.filter(user_id=user_id).delete()
    chosen = {"is_hidden": manner.is_hidden, "is_remembered": manner.is_remembered}
    control_on_commit(MANNER_CONTROL, {"user_id": user_id, **chosen})


@transaction.atomic
def store_last_seen(seen: Mapping[int, int]) -> None:
    """When people were last here, by user id, in unix seconds. What is stored only ever grows.

    Several processes may write of the same person at the same time. Who opted out, or is gone, is left out.
    """
    moments = {
        user_id: datetime.fromtimestamp(seen[user_id], UTC)
        for user_id in sorted(queries.rememberable(seen))  # one order everywhere: no deadlock
    }
    LastSeen.objects.bulk_create(
        [LastSeen(user_id=user_id, at=at) for user_id, at in moments.items()],
        ignore_conflicts=True,
    )
    stored = LastSeen.objects.select_for_update().filter(user_id__in=moments).order_by("pk")
    older: dict[datetime, list[int]] = defaultdict(list)  # most have the moment of the batch
    for user_id, at in stored.values_list("pk", "at"):
        if at < moments[user_id]:
            older[moments[user_id]].append(user_id)
    for moment, people in older.items():
        LastSeen.objects.filter(pk__in=people).update(at=moment)


def forget_opted_out(user_ids: Collection[int]) -> None:
    """Removes what may have been written of these people while they opted out."""
    LastSeen.objects.filter(user_id__in=set(user_ids) - queries.rememberable(user_ids)).delete()


# --- For operators -------------------------------------------------------------------------------
def untrack(topic: str, key: str, id: str) -> None:  # noqa: A002  the entry's word
    """Takes one entry away, whichever process holds it. Its socket stays; joining again brings it back."""
    control(UNTRACK_CONTROL, {"topic": topic, "key": key, "id": id})
