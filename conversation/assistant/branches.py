"""Alternatives at one place of a conversation: nothing is overwritten, everybody sees the selected one."""

import uuid

from django.db import transaction

from commsite.realtime.errors import PushError
from conversation import hooks, queries
from conversation.assistant.actions import Asked, Started, asking, create_run, find_run, once
from conversation.assistant.models import ACTIVE, Run
from conversation.assistant.schema import (
    BranchMessage,
    BranchSelected,
    ContinueRun,
    Regenerate,
    SelectBranch,
)
from conversation.facts import lock, record
from conversation.message_actions import Said, keep_mentions, place_message, tell_message
from conversation.message_shape import Person
from conversation.models import Change, Conversation, Message
from conversation.schema import person_shape


def regenerate(conversation_id: uuid.UUID, user_id: int, command: Regenerate) -> Started:
    """Has the question of an answer answered once more, as a new alternative to it.

    Raises PushError: "not_found", "invalid_payload" for what is no answer, "conflict" when the
    question was deleted, "run_active".
    """

    def start(conversation: Conversation, _: Said) -> Run:
        answer = queries.find(conversation_id, command.message_id)
        request = (
            None if answer.parent_id is None else queries.find(conversation_id, answer.parent_id)
        )
        if request is None or answer.role != Message.Role.ASSISTANT:
            raise PushError("invalid_payload", "message_id names no answer to a message.")
        _check_is_there(request)
        asked = Asked(request, user_id, command.client_id, command.queue)
        return _alternative(conversation, answer, asked)

    return once(conversation_id, user_id, command.client_id, start)


def continue_run(conversation_id: uuid.UUID, user_id: int, command: ContinueRun) -> Started:
    """Lets an answer go on: an alternative that begins with the text that was kept.

    Raises PushError: "not_found", "conflict" while it runs, when it came to its end, or when it or
    its question was deleted, "run_active".
    """

    def start(conversation: Conversation, _: Said) -> Run:
        run = find_run(conversation_id, command.run_id)
        answer, request = run.message, run.request
        if run.status in (*ACTIVE, Run.Status.FINISHED) or answer.deleted_at or request is None:
            raise PushError("conflict", "This answer cannot go on.", status=run.status)
        _check_is_there(request)
        asked = Asked(request, user_id, command.client_id, command.queue, continues=run)
        return _alternative(conversation, answer, asked)

    return once(conversation_id, user_id, command.client_id, start)


def branch_message(conversation_id: uuid.UUID, user_id: int, command: BranchMessage) -> Started:
    """Asks otherwise: a new alternative to a message of one's own, and a run that answers it.

    Raises PushError: "not_found", "forbidden" for messages of others, "conflict" for a `client_id`
    under which something else was sent, "run_active".
    """

    def start(conversation: Conversation, said: Said) -> Run:
        message = queries.find(conversation_id, command.message_id)
        if message.author_id != user_id:
            raise PushError("forbidden", "Only its author may ask otherwise.")
        if queries.sent_before(conversation_id, user_id, command.client_id) is not None:
            raise PushError("conflict", "Another message was sent under this client_id.")
        first = _first(message)
        new = place_message(
            conversation,
            role=Message.Role.USER,
            author=message.author,
            client_id=command.client_id,
            body=said.body,
            html=said.html,
            mentions_assistant=said.mentions_assistant,
            reply_to_id=message.reply_to_id,
            thread=message.thread,
            branch_of=first,
        )
        keep_mentions(new, said.mentions)
        first.selected_branch = new
        first.save(update_fields=["selected_branch"])
        tell_message(new)
        with asking():
            hooks.message_written(new, conversation)
        me = queries.membership(conversation_id, user_id)
        _tell_selected(conversation, first, by=person_shape(me))
        asked = Asked(new, user_id, command.client_id, command.queue)
        return create_run(conversation, asked)

    return once(conversation_id, user_id, command.client_id, start, body=command.body)


@transaction.atomic
def select_branch(
    conversation_id: uuid.UUID, user_id: int, command: SelectBranch
) -> BranchSelected:
    """Shows this alternative to everybody; the same again changes and tells nothing.

    Raises PushError: "not_found", "invalid_payload" for a message without alternatives.
    """
    conversation = lock(conversation_id)
    me = queries.membership(conversation_id, user_id)
    message = queries.find(conversation_id, command.message_id)
    first = message.branch_of
    if first is None:
        raise PushError("invalid_payload", "The message has no alternatives.")
    if command.index is not None:
        message = _numbered(first, command.index)
    if first.selected_branch_id != message.id:
        first.selected_branch = message
        first.save(update_fields=["selected_branch"])
        _tell_selected(conversation, first, by=person_shape(me))
    return {"branch_of": str(first.id), "message_id": str(message.id)}


def _numbered(first: Message, index: int) -> Message:
    found = first.branches.order_by("seq")[index - 1 : index].first()
    if found is None:
        raise PushError("invalid_payload", f"There are not {index} alternatives.")
    return found


def _alternative(conversation: Conversation, answer: Message, asked: Asked) -> Run:
    first = _first(answer)
    run = create_run(conversation, asked, first)
    me = queries.membership(conversation.id, asked.user_id)
    _tell_selected(conversation, first, by=person_shape(me))
    return run


def _check_is_there(request: Message) -> None:
    if request.deleted_at is not None:
        raise PushError("conflict", "The question was deleted.")


def _first(message: Message) -> Message:
    """The first of the alternatives to the message: itself, while it has none."""
    first = message.branch_of
    if first is None:
        first = message
        first.branch_of = first
        first.selected_branch = first
        first.save(update_fields=["branch_of", "selected_branch"])
    return first


def _tell_selected(conversation: Conversation, first: Message, *, by: Person) -> None:
    selected = {"branch_of": str(first.id), "message_id": str(first.selected_branch_id), "by": by}
    record(
        conversation,
        Change.Event.BRANCH_SELECTED,
        selected,
        by=by,
        message=first.selected_branch,
        shown={"messages": queries.brought_by([first.selected_branch_id])},
    )
