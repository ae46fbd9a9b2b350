"""Where the events of running runs are kept: stored first, then told. Runs in database threads.

One transaction takes the events of all runs of a process. A run whose lease is no longer the one
that the process holds (it was stopped, or taken for dead) takes none: whoever ended it has told its
last word.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.functions import Now

from commsite.realtime.pubsub import announce
from conversation.assistant.models import Run
from conversation.models import topic_of

RUN_EVENT = "run_event"


class Checkpoint(NamedTuple):
    """Everything that a run has said up to event `seq`: stored in place of the events."""

    seq: int
    offset: int
    text: str
    parts: list[dict[str, Any]]


class Claim(NamedTuple):
    """A running run and the right to write it, as long as the lease in its row is this one."""

    run_id: uuid.UUID
    conversation_id: uuid.UUID
    lease: uuid.UUID


class Batch(NamedTuple):
    """What one run adds: its events, already numbered, and now and then a checkpoint."""

    claim: Claim
    events: list[dict[str, Any]]
    checkpoint: Checkpoint | None = None


def store(batches: Sequence[Batch]) -> set[uuid.UUID]:
    """Stores all of it, then tells it; returns the runs that are still ours.

    May be repeated after a failure: what is stored already stays as it is.
    """
    with transaction.atomic():
        ours = held([batch.claim for batch in batches])
        kept = [batch for batch in batches if batch.claim.run_id in ours]
        written = [
            (batch.claim, event, msgspec.json.encode(event))
            for batch in kept
            for event in batch.events
        ]
        _insert(written)
        for batch in kept:
            if batch.checkpoint is not None:
                _compact(batch.claim.run_id, batch.checkpoint)
    for claim, event, payload in written:
        tell(claim, event, payload)
    return ours


# Twenty-five times a second and process, on the way of every word: these statements are written out, for a fifth
# of what the ORM needs to make them, and without the log that DEBUG keeps.
_INSERT = (
    "INSERT INTO assistant_runevent (run_id, seq, type, payload) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT DO NOTHING"
)
_DELETE = "DELETE FROM assistant_runevent WHERE run_id = %s AND seq <= %s"
_HELD = "SELECT id FROM assistant_run WHERE status = 'running' AND lease IN (%s) ORDER BY id"


def _insert(written: Sequence[tuple[Claim, dict[str, Any], bytes]]) -> None:
    if written:
        rows = [
            (_stored(claim.run_id), event["seq"], event["type"], payload.decode())
            for claim, event, payload in written
        ]
        with _cursor() as cursor:
            cursor.executemany(_INSERT, rows)


def held(claims: Collection[Claim]) -> set[uuid.UUID]:
    """Those of the claims that still count; their rows are held until the transaction ends.

    In the order of their ids, as everybody does who holds more than one.
    """
    if not claims:  # the last one has ended meanwhile; PostgreSQL knows no empty list
        return set()
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with _cursor() as cursor:
        marks = ", ".join(["%s"] * len(claims))
        cursor.execute(_HELD % marks + lock, [_stored(claim.lease) for claim in claims])
        found = {str(row[0]).replace("-", "") for row in cursor.fetchall()}
    return {claim.run_id for claim in claims if claim.run_id.hex in found}


def _cursor() -> CursorWrapper:
    """Inside a transaction: the connection is there."""
    return connection.make_cursor(connection.create_cursor())


def _stored(value: uuid.UUID) -> uuid.UUID | str:
    """As the database keeps it: SQLite knows no UUIDs."""
    return value if connection.features.has_native_uuid_field else value.hex


def tell(claim: Claim, event: dict[str, Any], payload: bytes | None = None) -> None:
    """Announces a stored event."""
    announce(
        topic_of(claim.conversation_id),
        RUN_EVENT,
        msgspec.json.encode(event) if payload is None else payload,
        key=str(claim.run_id),
        version=event["seq"],
    )


def renew(claims: Collection[Claim], lease_s: float) -> set[uuid.UUID]:
    """Says that this process lives; returns the runs that are still ours."""
    if not claims:
        return set()
    with transaction.atomic():
        ours = held(claims)
        Run.objects.filter(id__in=ours).update(lease_until=Now() + timedelta(seconds=lease_s))
    return ours


def _compact(run_id: uuid.UUID, point: Checkpoint) -> None:
    Run.objects.filter(id=run_id).update(
        seq=point.seq, offset=point.offset, text=point.text, parts=point.parts
    )
    with _cursor() as cursor:
        cursor.execute(_DELETE, [_stored(run_id), point.seq])
