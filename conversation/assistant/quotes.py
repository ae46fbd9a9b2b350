"""What answers quote of messages: kept by run, so that a deleted message is gone from them too.

Tools show messages as links with a line of their text. Once a message is deleted, that line is gone from
the results of tools and from the texts in which they stand; what a model has said in its own words stays.
"""

import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from django.urls import reverse

from conversation.assistant.models import ACTIVE, Quote, Run
from conversation.assistant.rendered import rendered
from conversation.assistant.transcript import Transcript, units
from conversation.message_actions import replace_body
from conversation.message_shape import Person
from conversation.models import Conversation, Message

DELETED = "(deleted)"


def note(run_id: str, message_ids: Collection[uuid.UUID]) -> None:
    """A tool has shown these messages in this run."""
    for run in Run.objects.filter(id=run_id).only("id"):
        rows = (Quote(run=run, message_id=message_id) for message_id in message_ids)
        Quote.objects.bulk_create(rows, ignore_conflicts=True)


def carry_over(run: Run, to: Run) -> None:
    """The other run begins with what this one has said."""
    message_ids = Quote.objects.filter(run=run).values_list("message_id", flat=True)
    Quote.objects.bulk_create(Quote(run=to, message_id=message_id) for message_id in message_ids)


def forget(message: Message, conversation: Conversation, by: Person) -> None:
    """Takes a deleted message out of the answers that quote it; those that are being written do it at their end."""
    quoting = Run.objects.filter(quotes__message=message, message__deleted_at=None)
    ended = quoting.exclude(status__in=ACTIVE).select_related("message__author", "message__thread")
    for run in ended.order_by("id"):
        answer, said = run.message, Transcript(run.message.body, run.parts)
        without = _without(said, conversation.id, [message.seq])
        if without.text == said.text and without.parts == said.parts:
            continue
        run.parts, run.offset = without.parts, without.offset
        run.save(update_fields=["parts", "offset"])
        page = rendered(without.text)
        replace_body(conversation, answer, page.text, page.html, by=by)


def without_deleted(run: Run, said: Transcript) -> Transcript:
    """What a run has said, without what was deleted since its tools have shown it. Its conversation is held."""
    gone = Quote.objects.filter(run=run, message__deleted_at__isnull=False)
    seqs = list(gone.values_list("message__seq", flat=True))
    return _without(said, run.conversation_id, seqs) if seqs else said


def _without(said: Transcript, conversation_id: uuid.UUID, seqs: Collection[int]) -> Transcript:
    address = re.escape(reverse("conversation", args=[conversation_id]))
    line = re.compile(rf"(\]\({address}#message-(?:{'|'.join(map(str, seqs))})\)): [^\n]*")

    def cleared(text: str) -> str:
        return line.sub(rf"\1: {DELETED}", text)

    def placed(part: Mapping[str, Any]) -> dict[str, Any]:
        result, before = part["result"], said.text.encode("utf-16-le")[: 2 * part["offset"]]
        return {
            **part,
            "result": None if result is None else cleared(result),
            "offset": units(cleared(before.decode("utf-16-le", "replace"))),
        }

    return Transcript(cleared(said.text), map(placed, said.parts), said.seq)
