"""What answers quote of messages: kept by run, so that a deleted message is gone from them too.

Tools show messages as links with a line of their text. Once a message is deleted, that line is gone from
the results of tools and from the texts in which they stand; what a model has said in its own words stays.
"""

import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from django.urls import reverse

from conversation.assistant.models import ACTIVE, Quote, Run
from conversation.assistant.rendered import rendered
from conversation.assistant.transcript import Transcript, units
from conversation.message_actions import replace_body
from conversation.message_shape import Person
from conversation.models import Conversation, Message

DELETED = "(deleted)"


class Shown(NamedTuple):
    """What a run that is not at its end has said, as people may see it now."""

    text: str
    parts: list[dict[str, Any]]


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
    gone = _gone([run])[run.id]
    return _without(said, run.conversation_id, gone) if gone else said


def shown_parts(
    said: Mapping[Run, Sequence[Mapping[str, Any]]],
) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """The tool calls of runs that are not at their end, by run, without what was deleted meanwhile; one query."""
    gone = _gone([run for run, parts in said.items() if parts])
    return {run.id: _shown_parts(run, parts, gone[run.id]) for run, parts in said.items()}


def shown(said: Mapping[Run, Transcript]) -> dict[uuid.UUID, Shown]:
    """The same with their texts.

    What stands there for a deleted line is as long as that: what is said next is numbered after it.
    """
    gone = _gone([run for run, its in said.items() if its.parts])
    return {
        run.id: Shown(
            _covered(run, its.text, gone[run.id]), _shown_parts(run, its.parts, gone[run.id])
        )
        for run, its in said.items()
    }


def _covered(run: Run, text: str, gone: Collection[int]) -> str:
    if not gone:
        return text
    return _line(run.conversation_id, gone).sub(
        lambda line: f"{line[1]}: {_cover(units(line[0]) - units(line[1]) - 2)}", text
    )


def _cover(length: int) -> str:
    return (DELETED if len(DELETED) <= length else "…"[:length]).ljust(length)


def _shown_parts(
    run: Run, parts: Sequence[Mapping[str, Any]], gone: Collection[int]
) -> list[dict[str, Any]]:
    if not gone:
        return [dict(part) for part in parts]
    line = _line(run.conversation_id, gone)
    return [{**part, "result": _cleared(part["result"], line)} for part in parts]


def _gone(runs: Collection[Run]) -> Mapping[uuid.UUID, list[int]]:
    """The seqs of what was deleted, by run."""
    found: dict[uuid.UUID, list[int]] = defaultdict(list)
    if runs:
        gone = Quote.objects.filter(run__in=runs, message__deleted_at__isnull=False)
        for run_id, seq in gone.values_list("run_id", "message__seq"):
            found[run_id].append(seq)
    return found


def _line(conversation_id: uuid.UUID, seqs: Collection[int]) -> re.Pattern[str]:
    """A link to one of these messages, and the line of its text after it."""
    address = re.escape(reverse("conversation", args=[conversation_id]))
    return re.compile(rf"(\]\({address}#message-(?:{'|'.join(map(str, seqs))})\)): [^\n]*")


def _cleared(text: str | None, line: re.Pattern[str]) -> str | None:
    return None if text is None else line.sub(rf"\1: {DELETED}", text)


def _without(said: Transcript, conversation_id: uuid.UUID, seqs: Collection[int]) -> Transcript:
    line = _line(conversation_id, seqs)

    def placed(part: Mapping[str, Any]) -> dict[str, Any]:
        before = said.text.encode("utf-16-le")[: 2 * part["offset"]].decode("utf-16-le", "replace")
        return {
            **part,
            "result": _cleared(part["result"], line),
            "offset": units(_cleared(before, line) or ""),
        }

    return Transcript(_cleared(said.text, line) or "", map(placed, said.parts), said.seq)
