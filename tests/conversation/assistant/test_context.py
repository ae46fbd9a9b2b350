"""What a model is given to read: what a reader sees up to the question, and no more than fits."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.errors import PushError
from conversation.assistant import branches, runs, shapes
from conversation.assistant.backend import configured_backend
from conversation.assistant.context import open_run, turns_of
from conversation.assistant.models import Run
from conversation.assistant.schema import SelectBranch
from conversation.message_actions import delete_message
from conversation.models import Message
from conversation.schema import NameMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from conversation.assistant.actions import Started
    from tests.support.talk import Talk

pytestmark = pytest.mark.django_db(transaction=True)


def read(started: Started) -> list[tuple[str, str]]:
    """(role, content) of the turns of that run."""
    run = shapes.runs().select_related("request").get(pk=started.run["id"])
    return [(turn.role, turn.content) for turn in turns_of(run)]


def test_the_question_and_what_was_said_before_it(
    talk: Talk, say: Callable[..., Any], grace: User
) -> None:
    say(grace, "We use COBOL.")
    talk.answered("Why?", "Because.")
    last = talk.ask("Really?")
    say(grace, "Said after the question")

    assert read(last) == [
        ("user", "We use COBOL."),
        ("user", "Why?"),
        ("assistant", "Because."),
        ("user", "Really?"),
    ]


@pytest.mark.parametrize(
    ("status", "note"),
    [("cancelled", "stopped here"), ("interrupted", "interrupted here"), ("error", "broke off")],
)
def test_an_answer_that_did_not_come_to_its_end_is_marked(
    talk: Talk, status: str, note: str
) -> None:
    talk.answered("Why?", "Half an", status=status)

    _, (role, content), _ = read(talk.ask("And?"))

    assert (role, content.startswith("Half an\n\n["), note in content) == ("assistant", True, True)


def test_only_selected_alternatives_count(talk: Talk) -> None:
    first = talk.answered("Why?", "One.")
    talk.again(first, "Two.")
    asked = talk.ask("And?")
    assert ("assistant", "Two.") in read(asked)
    talk.end(asked)

    command = SelectBranch(message_id=uuid.UUID(first.message["id"]))
    branches.select_branch(talk.room, talk.user_id, command)

    turns = read(talk.ask("Then?"))
    assert ("assistant", "One.") in turns
    assert ("assistant", "Two.") not in turns


def test_an_alternative_is_named_by_itself_or_by_its_number(talk: Talk) -> None:
    first = talk.answered("Why?", "One.")
    talk.again(first, "Two.")
    named = uuid.UUID(first.message["id"])

    for index, expected in ((2, "Two."), (1, "One.")):
        command = SelectBranch(message_id=named, index=index)
        chosen = branches.select_branch(talk.room, talk.user_id, command)
        assert Message.objects.get(pk=chosen["message_id"]).body == expected

    with pytest.raises(PushError, match="There are not 3 alternatives"):
        branches.select_branch(talk.room, talk.user_id, SelectBranch(message_id=named, index=3))


def test_what_was_deleted_is_not_read(talk: Talk, say: Callable[..., Any], ada: User) -> None:
    secret = say(ada, "secret")
    delete_message(talk.room, ada.pk, NameMessage(message_id=uuid.UUID(secret["id"])))

    assert read(talk.ask("Why?")) == [("user", "Why?")]


def test_of_a_long_conversation_the_newest_that_fits(talk: Talk, settings: Settings) -> None:
    settings.REALTIME = settings.REALTIME | {"ASSISTANT_CONTEXT_CHARS": 20}
    talk.answered("first", "A" * 30)
    talk.answered("second", "B" * 8)

    assert read(talk.ask("third")) == [
        ("user", "second"),
        ("assistant", "B" * 8),
        ("user", "third"),
    ]


def test_an_answer_that_goes_on_begins_with_what_was_kept(talk: Talk) -> None:
    half = talk.answered("Why?", "Half", status="interrupted")
    whole = talk.go_on(half)

    run = Run.objects.get(pk=whole.run["id"])
    assert (whole.message["body"], str(run.continues_id)) == ("Half", half.run["id"])
    assert read(whole) == [("user", "Why?")]


def test_what_a_run_began_with_is_not_changed_by_its_first_steps(talk: Talk) -> None:
    talk.ask("Why?")
    (claim,) = runs.claim_queued("here")
    opening = open_run(claim, configured_backend())
    started = opening.started
    # Both may be stored, and told, in one commit.
    call = {"toolCallId": "t1", "toolCallName": "search_messages"}
    opening.said.apply({"type": "TOOL_CALL_START", "seq": 2, **call})

    assert len(opening.said.parts) == 1
    assert started["run"]["parts"] == []
