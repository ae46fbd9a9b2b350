"""Writes of runs: begin, claim, end. Each change of `status` names the one before: one outcome.

Whoever ends a run tells its last event and completes its message in the same transaction, in
whichever process that is; the process that runs it learns of it by its lease, and at once by a
control message. Locks are taken in one order: the conversation, then the run.
"""

import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from commsite.realtime import telemetry
from commsite.realtime.pubsub import control_on_commit
from conversation import one_person
from conversation.assistant import shapes, store
from conversation.assistant.models import Approval, Run, RunEvent
from conversation.assistant.quotes import without_deleted
from conversation.assistant.rendered import Page, rendered
from conversation.assistant.store import Claim
from conversation.assistant.transcript import Transcript
from conversation.facts import lock
from conversation.message_actions import complete_message
from conversation.message_shape import Person, user_shape
from conversation.models import Conversation, Message

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

RUN_ENDED_CONTROL = "assistant_run_ended"
"""Control message {run_id}: the process that runs it stops at once."""
MOST_CLAIMED = 20


class Outcome(NamedTuple):
    """How a run ended."""

    status: str
    code: str = ""
    message: str = ""
    usage: dict[str, Any] | None = None
    by: Person | None = None


INTERRUPTED = Outcome(
    "interrupted", "server_restarted", "The server that wrote the answer was restarted."
)


# --- Where runs run ------------------------------------------------------------------------------
class Host(NamedTuple):
    """What runs in this process: its name, None while nothing can run here, and how a run begins."""

    node: Callable[[], str | None]
    launch: Callable[[Claim], None]


_hosts: list[Host] = []


def run_here(host: Host) -> None:
    """Lets runs that are started in this process run in it."""
    _hosts[:] = [host]


def node_here() -> str | None:
    """The name under which this process may claim runs; None where others have to."""
    return _hosts[0].node() if _hosts else None


def launch_on_commit(run: Run) -> None:
    """Begins a run that was claimed for this process once that is committed."""
    if run.lease is not None:
        claim = Claim(run.id, run.conversation_id, run.lease)
        transaction.on_commit(partial(_hosts[0].launch, claim))


def claimed(node: str) -> dict[str, Any]:
    """The columns of a run that runs from now on in the process of that name."""
    return {
        "status": Run.Status.RUNNING,
        "owner": node,
        "lease": uuid.uuid4(),
        "lease_until": Now() + timedelta(seconds=settings.REALTIME["ASSISTANT_LEASE_S"]),
        "started_at": timezone.now(),
    }


def claim_queued(node: str) -> list[Claim]:
    """Claims the queued runs that may begin: the oldest of each conversation without a running one.

    Those whose people have enough that runs stand in nobody's way, however many they are.
    """
    waiting = _claimable().order_by("id")
    claims: dict[uuid.UUID, Claim] = {}
    for run in waiting[:MOST_CLAIMED]:
        if run.conversation_id not in claims:
            claim = _claim(run, node)
            if claim is not None:
                claims[run.conversation_id] = claim
    return list(claims.values())


def _claimable() -> "QuerySet[Run]":
    running = Run.objects.filter(status=Run.Status.RUNNING)
    busy = running.filter(conversation=OuterRef("conversation"))
    waiting = Run.objects.filter(~Exists(busy), status=Run.Status.QUEUED)
    if settings.REALTIME["BENCH"]:
        return waiting
    most = int(settings.REALTIME["ASSISTANT_RUNS_PER_USER"])
    enough = running.filter(started_by=OuterRef("started_by"))[most - 1 : most]
    return waiting.exclude(Exists(enough))


def may_run(user_id: int) -> bool:
    """Whether one more run of this person may run now; it holds until the transaction ends."""
    if settings.REALTIME["BENCH"]:
        return True
    one_person.hold(user_id)
    mine = Run.objects.filter(started_by=user_id, status=Run.Status.RUNNING).count()
    return mine < int(settings.REALTIME["ASSISTANT_RUNS_PER_USER"])


def _claim(run: Run, node: str) -> Claim | None:
    columns = claimed(node)
    try:
        with transaction.atomic():
            waiting = Run.objects.filter(id=run.id, status=Run.Status.QUEUED)
            if not may_run(run.started_by_id) or not waiting.update(**columns):
                return None
    except IntegrityError:  # another one of the conversation was quicker
        return None
    return Claim(run.id, run.conversation_id, columns["lease"])


# --- How runs end --------------------------------------------------------------------------------
def end(claim: Claim, outcome: Outcome, said: Transcript | None) -> bool:
    """Ends a run that this process holds; False when someone else has ended it before.

    `said` is everything that was stored; None: it is read.
    """
    page = rendered_now(claim.run_id) if said is None else rendered(said.text)
    with transaction.atomic():
        conversation = lock(claim.conversation_id)
        run = find_for_update(claim.run_id)
        if run is None or run.status != Run.Status.RUNNING or run.lease != claim.lease:
            return False
        finish(conversation, run, outcome, said, page)
    return True


def interrupt_expired() -> list[uuid.UUID]:
    """Ends the runs whose process has died: their leases ran out. Returns which it ended itself."""
    ended = []
    for run_id, conversation_id in _expired().values_list("id", "conversation_id"):
        try:
            if _interrupt(run_id, conversation_id):
                ended.append(run_id)
        except (OperationalError, InterfaceError):  # no database: not now, for none of them
            raise
        except Exception:  # one that cannot be ended holds up neither the others nor what waits
            logger.exception("run %s of a dead process could not be ended", run_id)
    return ended


def _expired() -> "QuerySet[Run]":
    """By the database's clock: those of processes may differ."""
    return Run.objects.filter(status=Run.Status.RUNNING, lease_until__lt=Now())


def _interrupt(run_id: uuid.UUID, conversation_id: uuid.UUID) -> bool:
    if not seal(_expired().filter(id=run_id)):
        return False
    page = rendered_now(run_id)
    with transaction.atomic():
        conversation = lock(conversation_id)
        run = find_for_update(run_id)
        if run is None or not _expired().filter(id=run_id).exists():
            return False
        finish(conversation, run, INTERRUPTED, page=page)
        stop_elsewhere(run.id)
    return True


# --- Rendered before anything is held ------------------------------------------------------------
def seal(run: "QuerySet[Run]") -> bool:
    """Takes the lease of a running run away: from here on nothing is added to what it has said.

    Its text can then be rendered before the conversation is locked. Whoever does this ends the run; should they
    die before, the lease still runs out when it would have. False when no such run is running.
    """
    return bool(run.filter(status=Run.Status.RUNNING).update(lease=uuid.uuid4()))


def rendered_now(run_id: uuid.UUID) -> Page:
    """What a run has said so far, with its HTML."""
    return rendered(_text_of(run_id))


def _text_of(run_id: uuid.UUID) -> str:
    events = shapes.stored_events(RunEvent.objects.filter(run=run_id)).get(run_id, ())
    run = Run.objects.filter(id=run_id).first()
    return "" if run is None else shapes.transcript_of(run, events).text


def stop_elsewhere(run_id: uuid.UUID) -> None:
    """Lets the process that runs it know at once that the run has ended."""
    control_on_commit(RUN_ENDED_CONTROL, {"run_id": str(run_id)})


def find_for_update(run_id: uuid.UUID) -> Run | None:
    """The run with its people, held until the transaction ends."""
    return shapes.runs().select_for_update(of=("self",)).filter(id=run_id).first()


def finish(
    conversation: Conversation,
    run: Run,
    outcome: Outcome,
    said: Transcript | None = None,
    page: Page | None = None,
) -> None:
    """Ends an active run: conversation and run are held. Its text becomes its message's body.

    `said` is everything that was stored; None: it is read. `page` is its text rendered, as far as that is known.
    """
    if said is None:
        events = RunEvent.objects.filter(run=run)
        said = shapes.transcript_of(run, shapes.stored_events(events).get(run.id, ()))
    Approval.objects.filter(run=run, state=Approval.State.WAITING).update(
        state=Approval.State.EXPIRED
    )
    last = _last_event(run, outcome, said)
    said.apply(last)
    said = without_deleted(run, said)
    _settle(run, outcome, said)
    RunEvent.objects.filter(run=run).delete()
    claim = Claim(run.id, run.conversation_id, run.lease or uuid.UUID(int=0))
    transaction.on_commit(partial(store.tell, claim, last))
    message = Message.objects.select_related("author", "thread").get(pk=run.message_id)
    if page is None or page.text != said.text:
        page = rendered(said.text)
    complete_message(conversation, message, page.text, page.html)
    telemetry.count("assistant_runs_total", outcome=outcome.status)


def _settle(run: Run, outcome: Outcome, said: Transcript) -> None:
    run.status = Run.Status(outcome.status)
    run.seq, run.offset, run.text = said.seq, said.offset, ""
    run.parts = [_ended(part, run) for part in said.parts]
    run.usage = usage_of(run, outcome, said)
    run.error_code, run.error_message = outcome.code, outcome.message
    run.cancelled_by_id = None if outcome.by is None else outcome.by["id"]
    run.lease = run.lease_until = None
    run.ended_at = timezone.now()
    run.save()


def usage_of(run: Run, outcome: Outcome, said: Transcript) -> dict[str, Any] | None:
    """What the run has cost; where its model has not said so, an estimate of four characters a token."""
    if outcome.usage is not None or run.usage is None:
        return outcome.usage
    return {**run.usage, "output_tokens": -(-len(said.text) // 4)}


def _ended(part: dict[str, Any], run: Run) -> dict[str, Any]:
    """A tool call that never came to its end, in a run that has."""
    approval = part["approval"]
    if approval is not None and approval["state"] == "waiting":
        part = {**part, "approval": {**approval, **_answered(run, part["id"])}}
    if part["status"] in ("running", "waiting_approval"):
        part = {**part, "status": "error"}
    return part


def _answered(run: Run, tool_call_id: str) -> dict[str, Any]:
    """What became of a question whose answer the run has not told: whoever gave it was told that it counts."""
    asked = Approval.objects.select_related("answered_by").filter(run=run)
    approval = asked.filter(tool_call_id=tool_call_id).first()
    if approval is None:
        return {"state": Approval.State.EXPIRED.value}
    by = approval.answered_by
    return {"state": approval.state, "by": None if by is None else user_shape(by)}


def _last_event(run: Run, outcome: Outcome, said: Transcript) -> dict[str, Any]:
    event: dict[str, Any] = {
        "run_id": str(run.id),
        "message_id": str(run.message_id),
        "seq": said.seq + 1,
        "offset": said.offset,
    }
    if outcome.status in (Run.Status.FINISHED, Run.Status.CANCELLED):
        is_cancelled = outcome.status == Run.Status.CANCELLED
        return {
            **event,
            "type": "RUN_FINISHED",
            "threadId": str(run.conversation_id),
            "runId": str(run.id),
            "outcome": {"type": "cancelled" if is_cancelled else "success"},
            "by": cast("Any", outcome.by),
        }
    return {**event, "type": "RUN_ERROR", "code": outcome.code, "message": outcome.message}
