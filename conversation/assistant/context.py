"""What a run is told: the conversation up to the question, as the reader sees it, and who asks."""

import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Q

from commsite.realtime.errors import PushError
from conversation import queries
from conversation.assistant import shapes
from conversation.assistant.job import Backend, BackendError, Job, ToolCall, Turn, Verdict
from conversation.assistant.models import Run
from conversation.assistant.store import Claim
from conversation.assistant.transcript import Transcript
from conversation.models import Message

MOST_MESSAGES = 400
NOTES = {
    Run.Status.CANCELLED: "[This answer was stopped here by a reader.]",
    Run.Status.INTERRUPTED: "[This answer was interrupted here.]",
    Run.Status.ERROR: "[This answer broke off here.]",
}


class Opening(NamedTuple):
    """Everything that a claimed run begins with."""

    run: Run
    said: Transcript
    turns: list[Turn]

    @property
    def message_id(self) -> uuid.UUID:
        """The message that is written."""
        return self.run.message_id

    @property
    def started(self) -> dict[str, Any]:
        """RUN_STARTED: whoever sees it knows all of the run."""
        return {
            "type": "RUN_STARTED",
            "threadId": str(self.run.conversation_id),
            "runId": str(self.run.id),
            "run": {**shapes.live_shape(self.run, self.said), "seq": self.said.seq + 1},
        }

    def job(self, approve: Callable[[ToolCall], Awaitable[Verdict]]) -> Job:
        """The same for the backend."""
        run = self.run
        return Job(
            run_id=str(run.id),
            message_id=str(run.message_id),
            conversation_id=str(run.conversation_id),
            user_id=run.started_by_id,
            username=run.started_by.get_username(),
            turns=self.turns,
            approve=approve,
            request_id="" if run.request_id is None else str(run.request_id),
            text_so_far=self.said.text,
        )


def open_run(claim: Claim, backend: Backend) -> Opening:
    """Reads what the run needs, and says in its row who answers.

    Raises BackendError("withdrawn") for a run that nobody wants any more: its question was deleted
    while it waited, whoever asked is no longer a member, or it was stopped before it began.
    """
    run = shapes.runs().select_related("request", "message").get(pk=claim.run_id)
    _check_is_wanted(run)
    turns = turns_of(run)
    run.backend, run.model = backend.kind, backend.model
    if backend.kind == "openai":  # until its server says better
        asked = sum(len(turn.content) for turn in turns) + len(run.text)
        run.usage = {"input_tokens": -(-asked // 4), "output_tokens": 0, "is_estimated": True}
    ours = Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING, lease=claim.lease)
    if not ours.update(backend=run.backend, model=run.model, usage=run.usage):
        raise BackendError("withdrawn", "The answer was stopped before it began.")
    return Opening(run, Transcript(run.text, run.parts, run.seq), turns)


def _check_is_wanted(run: Run) -> None:
    if run.request is None or run.request.deleted_at is not None:
        raise BackendError("withdrawn", "The question was deleted before it was answered.")
    try:
        queries.sender(run.conversation_id, run.started_by_id)
    except PushError:
        raise BackendError("withdrawn", "Whoever asked this has left the conversation.") from None


def turns_of(run: Run) -> list[Turn]:
    """The visible timeline up to the request, the oldest first; the newest that fit the limit."""
    request = run.request
    if request is None:
        return []
    room = int(settings.REALTIME["ASSISTANT_CONTEXT_CHARS"])
    turns: list[Turn] = []
    for message in _said_before(request):
        turn = _turn(message)
        if turn is None:
            continue
        if turns and len(turn.content) > room:
            break
        turns.append(turn)
        room -= len(turn.content)
    return turns[::-1]


def _said_before(request: Message) -> Iterable[Message]:
    """The request, then what was said before it: each answer counts where its question stands."""
    place = Q(thread=request.thread_id)
    if request.thread_id is not None:
        place |= Q(pk=request.thread_id)
    visible = queries.on_selected_branches(request.conversation_id).filter(place)
    asked = Q(role=Message.Role.USER, seq__lt=request.seq)
    answered = Q(role=Message.Role.ASSISTANT, parent__seq__lt=request.seq)
    before = visible.filter(asked | answered, deleted_at=None).select_related("parent", "run")
    rows = sorted(before.order_by("-seq")[:MOST_MESSAGES], key=_place, reverse=True)
    return [request, *rows]


def _place(message: Message) -> tuple[int, int]:
    return (message.seq if message.parent is None else message.parent.seq, message.seq)


def _turn(message: Message) -> Turn | None:
    if message.role == Message.Role.USER:
        name = None if message.author is None else message.author.get_username()
        return Turn(role="user", content=message.body, name=name)
    run = getattr(message, "run", None)
    note = NOTES.get(run.status) if run is not None else None
    content = "\n\n".join(filter(None, [message.body, note]))
    return Turn(role="assistant", content=content) if message.body else None
