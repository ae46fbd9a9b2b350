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
from django.db import transaction
from django.db.models.functions import Now

from commsite.realtime.pubsub import announce
from conversation.assistant.models import Run, RunEvent
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
        RunEvent.objects.bulk_create(
            [
                RunEvent(
                    run_id=claim.run_id,
                    seq=event["seq"],
                    type=event["type"],
                    payload=payload.decode(),
                )
                for claim, event, payload in written
            ],
            ignore_conflicts=True,
        )
        for batch in kept:
            if batch.checkpoint is not None:
                _compact(batch.claim.run_id, batch.checkpoint)
    for claim, event, payload in written:
        tell(claim, event, payload)
    return ours


def tell(claim: Claim, event: dict[str, Any], payload: bytes | None = None) -> None:
    """Announces a stored event."""
    announce(
        topic_of(claim.conversation_id),
        RUN_EVENT,
        msgspec.json.encode(event) if payload is None else payload,
        key=str(claim.run_id),
        version=event["seq"],
    )


def held(claims: Collection[Claim]) -> set[uuid.UUID]:
    """Those of the claims that still count; their rows are held until the transaction ends.

    In the order of their ids, as everybody does who holds more than one.
    """
    rows = Run.objects.select_for_update().filter(
        lease__in=[claim.lease for claim in claims], status=Run.Status.RUNNING
    )
    return set(rows.order_by("id").values_list("id", flat=True))


def renew(claims: Collection[Claim], lease_s: float) -> set[uuid.UUID]:
    """Says that this process lives; returns the runs that are still ours."""
    with transaction.atomic():
        ours = held(claims)
        Run.objects.filter(id__in=ours).update(lease_until=Now() + timedelta(seconds=lease_s))
    return ours


def _compact(run_id: uuid.UUID, point: Checkpoint) -> None:
    Run.objects.filter(id=run_id).update(
        seq=point.seq, offset=point.offset, text=point.text, parts=point.parts
    )
    RunEvent.objects.filter(run=run_id, seq__lte=point.seq).delete()
