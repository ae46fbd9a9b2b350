"""Rows of the assistant into shapes: `R` of the protocol, as messages, joins and replies show it."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from conversation.assistant.models import ACTIVE, Run, RunEvent
from conversation.assistant.quotes import shown, shown_parts
from conversation.assistant.transcript import Transcript
from conversation.message_shape import RunShape, moment, time_shape, user_shape

if TYPE_CHECKING:
    from django.db.models import QuerySet


def runs() -> "QuerySet[Run]":
    """Runs with the people that their shapes name."""
    return Run.objects.select_related("started_by", "cancelled_by")


def run_shape(run: Run) -> RunShape:
    """The run as its row has it; its people must be loaded. Without `text`."""
    by = run.cancelled_by
    error = {"code": run.error_code, "message": run.error_message} if run.error_code else None
    return cast(
        "RunShape",
        {
            "id": str(run.id),
            "message_id": str(run.message_id),
            "request_id": None if run.request_id is None else str(run.request_id),
            "conversation_id": str(run.conversation_id),
            "status": run.status,
            "backend": run.backend,
            "model": run.model,
            "started_by": user_shape(run.started_by),
            "seq": run.seq,
            "offset": run.offset,
            "parts": run.parts,
            "usage": run.usage,
            "error": error,
            "cancelled_by": None if by is None else user_shape(by),
            "continues": None if run.continues_id is None else str(run.continues_id),
            "created_at": time_shape(run.created_at),
            "started_at": moment(run.started_at),
            "ended_at": moment(run.ended_at),
        },
    )


def runs_of(message_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, RunShape]:
    """The runs behind these messages."""
    found = list(runs().filter(message__in=message_ids))
    parts = shown_parts({run: run.parts for run in found if run.status in ACTIVE})
    return {
        run.message_id: {**run_shape(run), "parts": cast("Any", parts.get(run.id, run.parts))}
        for run in found
    }


def live_shape(run: Run, said: Transcript) -> RunShape:
    """The run with everything that it has said up to now: what it says next is no part of this."""
    return {
        **run_shape(run),
        "seq": said.seq,
        "offset": said.offset,
        "text": said.text,
        "parts": cast("Any", [dict(part) for part in said.parts]),
    }


# --- What is stored of active runs ---------------------------------------------------------------
# Events are always read before the rows of their runs: a checkpoint made in between is then in the
# row, and what it took away has been read. The other way round there could be a hole.


def stored_events(events: "QuerySet[RunEvent]") -> Mapping[uuid.UUID, list[str]]:
    """The events by run, in order."""
    found: dict[uuid.UUID, list[str]] = defaultdict(list)
    for run_id, payload in events.order_by("seq").values_list("run_id", "payload"):
        found[run_id].append(payload)
    return found


def transcript_of(run: Run, events: Iterable[str]) -> Transcript:
    """What an active run has said: its checkpoint, and those of its stored events that are later."""
    said = Transcript(run.text, run.parts, run.seq)
    for payload in events:
        event = msgspec.json.decode(payload)
        if event["seq"] > said.seq:
            said.apply(event)
    return said


def active_shapes(conversation_id: uuid.UUID) -> list[RunShape]:
    """The queued and running runs of a conversation with their texts, the oldest first."""
    events = stored_events(RunEvent.objects.filter(run__conversation=conversation_id))
    active = runs().filter(conversation=conversation_id, status__in=ACTIVE).order_by("id")
    return readable({run: transcript_of(run, events.get(run.id, ())) for run in active})


def readable(said: Mapping[Run, Transcript]) -> list[RunShape]:
    """Active runs with everything that they have said, as whoever reads it now may see it."""
    seen = shown(said)
    return [
        {
            **live_shape(run, its),
            "text": seen[run.id].text,
            "parts": cast("Any", seen[run.id].parts),
        }
        for run, its in said.items()
    ]
