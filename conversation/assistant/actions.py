"""What people do with runs: start, stop, read. Socket, REST and admin all end here.

`branches` has what makes alternatives, `approvals` what gives leave.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from commsite.realtime.errors import PushError
from conversation import queries
from conversation.assistant import quotes, runs, shapes
from conversation.assistant.backend import configured_backend
from conversation.assistant.commands import known_command
from conversation.assistant.models import ACTIVE, Run, RunEvent
from conversation.assistant.runs import Outcome
from conversation.assistant.schema import CancelVerdict, StartRun, Stopped
from conversation.facts import lock
from conversation.message_actions import (
    Said,
    place_message,
    read_body,
    send_message,
    tell_message,
)
from conversation.message_parts import shape as shape_of
from conversation.message_shape import MessageShape, Person, RunShape
from conversation.models import AssistantMode, Conversation, Member, Message
from conversation.rates import spend
from conversation.schema import SendMessage, person_shape
from conversation.time_ordered import time_ordered_id


class Started(NamedTuple):
    """A run and the message that it writes; `is_new` is False when it had been started before."""

    run: RunShape
    message: MessageShape
    is_new: bool


Start = Callable[[Conversation, Said], Run]
"""(the locked conversation, what is said with it if anything is) -> the run."""
NO_SUCH_RUN = "There is no such run."
VERDICTS: dict[str, Stopped] = {Run.Status.RUNNING: "stopped", Run.Status.QUEUED: "dequeued"}
"""What stopping does, by the status before; "already_finished" in any other."""
_is_asking: ContextVar[bool] = ContextVar("is_asking", default=False)


class Asked(NamedTuple):
    """Who wants which message answered, and how."""

    request: Message
    user_id: int
    client_id: str = ""
    may_queue: bool = True
    continues: Run | None = None


# --- Start ---------------------------------------------------------------------------------------
def start_run(conversation_id: uuid.UUID, user_id: int, command: StartRun) -> Started:
    """Has a message answered, once per `client_id`.

    Raises PushError: "not_found" for strangers and unknown messages, "run_active" with `run_id`
    where another run is active (or, with `queue`, too many wait), "rate_limited".
    """
    if (command.message_id is None) == (command.body is None):
        raise PushError("invalid_payload", "Expected one of message_id and body.")

    def start(conversation: Conversation, said: Said) -> Run:
        request = _request(conversation, user_id, command, said)
        asked = Asked(request, user_id, command.client_id, command.queue)
        return _adopted(asked) or create_run(lock(conversation.id), asked)

    return once(conversation_id, user_id, command.client_id, start, body=command.body or "")


def once(
    conversation_id: uuid.UUID,
    user_id: int,
    client_id: str,
    start: Start,
    *,
    body: str = "",
) -> Started:
    """What `start` makes of the locked conversation; what it made before under this client_id.

    What is said with it is rendered before the conversation is locked, and after it was paid for.
    """
    queries.sender(conversation_id, user_id)
    mine = Run.objects.filter(conversation=conversation_id, started_by=user_id, client_id=client_id)
    earlier = mine.first()
    if earlier is not None:
        return _started(earlier, is_new=False)
    spend("assistant", user_id)
    said = read_body(conversation_id, body)
    with transaction.atomic():
        conversation = lock(conversation_id)
        queries.sender(conversation_id, user_id)
        earlier = mine.first()
        run = earlier or start(conversation, said)
        return _started(run, is_new=earlier is None)


@contextmanager
def asking() -> Iterator[None]:
    """What is said inside is asked by a command of its own: it is answered because of that, and once."""
    token = _is_asking.set(True)
    try:
        yield
    finally:
        _is_asking.reset(token)


def _started(run: Run, *, is_new: bool) -> Started:
    message = Message.objects.select_related("author").get(pk=run.message_id)
    return Started(shapes.run_shape(shapes.runs().get(pk=run.pk)), shape_of(message), is_new)


def _request(conversation: Conversation, user_id: int, command: StartRun, said: Said) -> Message:
    if command.body is not None:
        message = SendMessage(body=command.body, client_id=command.client_id)
        with asking():
            sent = send_message(conversation.id, user_id, message, said)
        return queries.find(conversation.id, uuid.UUID(sent.message["id"]))
    request = queries.find(conversation.id, command.message_id or uuid.UUID(int=0))
    if request.role != Message.Role.USER or request.deleted_at is not None:
        raise PushError("invalid_payload", "message_id names nothing that can be answered.")
    return request


def _adopted(asked: Asked) -> Run | None:
    """The run that the request has started by itself when it was sent, by the same person under the same client_id."""
    if (asked.user_id, asked.client_id) != (asked.request.author_id, asked.request.client_id):
        return None
    run = Run.objects.filter(request=asked.request, client_id="").first()
    if run is None:
        return None
    if run.status == Run.Status.QUEUED and not asked.may_queue:
        raise _busy(run.conversation_id, asked.user_id)
    run.client_id = asked.client_id
    run.save(update_fields=["client_id"])
    return run


def answer_message(message: Message, conversation: Conversation) -> None:
    """Starts a run for a new message that mentions the assistant or is a command, or wherever it always answers.

    In the transaction of the message, which is never held up: a run that may not start is told as
    one that has failed, and says why.
    """
    is_asked = conversation.assistant == AssistantMode.ALWAYS or (
        conversation.assistant == AssistantMode.MENTION
        and (message.mentions_assistant or known_command(message.body) is not None)
    )
    if not is_asked or message.author_id is None or _is_asking.get():
        return
    asked = Asked(message, message.author_id)
    try:
        spend("assistant", message.author_id)
        create_run(conversation, asked)
    except PushError as error:
        run = _place(conversation, asked, {"status": Run.Status.QUEUED})
        runs.finish(conversation, run, Outcome("error", error.reason, error.message))


def create_run(conversation: Conversation, asked: Asked, first: Message | None = None) -> Run:
    """A run of a locked conversation: it begins at once, or waits for its turn.

    With `first`, its answer becomes the selected alternative to that message. Raises
    PushError("run_active").
    """
    columns: dict[str, Any] = {"status": Run.Status.QUEUED}
    is_free = not Run.objects.filter(conversation=conversation, status__in=ACTIVE).exists()
    if is_free and runs.may_run(asked.user_id):
        node = runs.node_here()
        columns = columns if node is None else runs.claimed(node)
    elif not asked.may_queue:
        raise _busy(conversation.id, asked.user_id)
    else:
        _check_room(conversation.id, asked.user_id)
    run = _place(conversation, asked, columns, first)
    runs.launch_on_commit(run)
    return run


def _place(
    conversation: Conversation,
    asked: Asked,
    columns: dict[str, Any],
    first: Message | None = None,
) -> Run:
    run_id, kept, backend = time_ordered_id(), asked.continues, configured_backend()
    body = "" if kept is None else kept.message.body
    message = place_message(
        conversation,
        role=Message.Role.ASSISTANT,
        client_id=str(run_id),
        body=body,
        html="" if kept is None else kept.message.html,
        parent=asked.request,
        thread=asked.request.thread,
        branch_of=first,
    )
    run = Run.objects.create(
        id=run_id,
        message=message,
        request=asked.request,
        conversation=conversation,
        started_by_id=asked.user_id,
        client_id=asked.client_id,
        continues=kept,
        backend=backend.kind,
        model=backend.model,
        text=body,
        parts=[] if kept is None else kept.parts,
        offset=0 if kept is None else kept.offset,
        **columns,
    )
    if kept is not None:
        quotes.carry_over(kept, run)
    if first is not None:
        first.selected_branch = message
        first.save(update_fields=["selected_branch"])
    tell_message(message)
    return run


def _check_room(conversation_id: uuid.UUID, user_id: int) -> None:
    waiting = Run.objects.filter(status=Run.Status.QUEUED)
    known = settings.REALTIME
    if waiting.filter(conversation=conversation_id).count() >= known["ASSISTANT_QUEUE"]:
        raise _busy(conversation_id, user_id, "Too many questions wait for the assistant here.")
    if waiting.filter(started_by=user_id).count() >= known["ASSISTANT_QUEUED_PER_USER"]:
        raise _busy(conversation_id, user_id, "Too many of your questions wait for the assistant.")


def _busy(conversation_id: uuid.UUID, user_id: int, message: str | None = None) -> PushError:
    active = Run.objects.filter(status__in=ACTIVE).order_by("id")
    run = active.filter(conversation=conversation_id).first()
    if run is None:
        run = active.filter(started_by=user_id).first()
        message = message or "The assistant answers you in another conversation."
    return PushError("run_active", message, run_id=None if run is None else str(run.id))


# --- Stop ----------------------------------------------------------------------------------------
def cancel_run(conversation_id: uuid.UUID, user_id: int, run_id: uuid.UUID) -> CancelVerdict:
    """Stops the run, wherever it runs, and says what that did. Its text so far stays.

    Whoever started it may, and owners of the conversation. Raises PushError: "not_found",
    "forbidden".
    """
    me = queries.membership(conversation_id, user_id)
    found = Run.objects.filter(id=run_id, conversation=conversation_id).first()
    if found is None:
        raise PushError("not_found", NO_SUCH_RUN)
    if me.role != Member.Role.OWNER and found.started_by_id != user_id:
        raise PushError("forbidden", "Only who started a run and owners may stop it.")
    return stop_run(found, by=person_shape(me))


def stop_run(found: Run, *, by: Person) -> CancelVerdict:
    """Stops a run for somebody who may, and tells everybody: in one go, but for its text, which is rendered before."""
    page = None
    if runs.seal(Run.objects.filter(id=found.id)):
        page = runs.rendered_now(found.id)
    with transaction.atomic():
        conversation = lock(found.conversation_id)
        run = find_run(conversation.id, found.id)
        was = run.status
        if was in ACTIVE:
            runs.finish(conversation, run, Outcome("cancelled", by=by), page=page)
        if was == Run.Status.RUNNING:
            runs.stop_elsewhere(run.id)
    return {
        "run_id": str(run.id),
        "verdict": VERDICTS.get(was, "already_finished"),
        "status": str(run.status),
        "offset": run.offset,
    }


def find_run(conversation_id: uuid.UUID, run_id: uuid.UUID) -> Run:
    """A run of the conversation, held until the transaction ends. Raises PushError("not_found")."""
    run = runs.find_for_update(run_id)
    if run is None or run.conversation_id != conversation_id:
        raise PushError("not_found", NO_SUCH_RUN)
    return run


# --- Read ----------------------------------------------------------------------------------------
def active_runs(conversation_id: uuid.UUID, user_id: int) -> list[RunShape]:
    """The queued and running runs with their texts, for a member. Raises PushError("not_found")."""
    queries.sender(conversation_id, user_id)
    return shapes.active_shapes(conversation_id)


def fetch_run(conversation_id: uuid.UUID, user_id: int, run_id: uuid.UUID) -> RunShape:
    """The run with its text, for a member. Raises PushError("not_found")."""
    queries.sender(conversation_id, user_id)
    events = shapes.stored_events(RunEvent.objects.filter(run=run_id)).get(run_id, [])
    found = shapes.runs().select_related("message").filter(pk=run_id, conversation=conversation_id)
    run = found.first()
    if run is None:
        raise PushError("not_found", NO_SUCH_RUN)
    if run.status in ACTIVE:
        return shapes.readable({run: shapes.transcript_of(run, events)})[0]
    shape: RunShape = {**shapes.run_shape(run), "text": run.message.body}
    if run.message.deleted_at is not None:
        shape["parts"] = []  # what its tools brought is as deleted as what it said
    return shape
