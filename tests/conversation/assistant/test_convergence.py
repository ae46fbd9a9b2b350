"""What the assistant announces: the facts, applied to the old snapshot, give the fresh one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from conversation import actions as conversation_actions
from conversation import queries
from conversation.assistant import actions, runs, shapes
from conversation.assistant.models import ACTIVE, Run
from conversation.assistant.runs import Outcome
from conversation.facts import lock
from conversation.schema import SendMessage, SetAssistant
from tests.support.convergence import replayed

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.support.talk import Talk

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_answer_that_waits_converges(converges: Callable, talk: Talk) -> None:
    converges(talk.ask)


def test_an_answer_that_has_ended_converges(converges: Callable, talk: Talk) -> None:
    converges(talk.answered)


@pytest.mark.parametrize("status", ["cancelled", "error", "interrupted"])
def test_an_answer_without_a_good_end_converges(
    converges: Callable, talk: Talk, status: str
) -> None:
    converges(lambda: talk.answered(status=status))


def test_stopping_converges(converges: Callable, talk: Talk, ada: User) -> None:
    run_id = uuid.UUID(talk.ask().run["id"])

    converges(lambda: actions.cancel_run(talk.room, ada.pk, run_id))


def test_taking_a_dead_processs_runs_away_converges(converges: Callable, talk: Talk) -> None:
    talk.ask()
    (claim,) = runs.claim_queued("dead-node")
    Run.objects.filter(pk=claim.run_id).update(lease_until="2020-01-01T00:00Z")

    converges(runs.interrupt_expired)


def test_a_mention_converges(converges: Callable, talk: Talk, room: Conversation) -> None:
    command = SendMessage(body="@assistant, why?", client_id="m1")

    converges(lambda: conversation_actions.send_message(room.id, talk.user_id, command))


def test_what_may_not_run_converges(
    converges: Callable, talk: Talk, room: Conversation, settings: Any
) -> None:
    settings.REALTIME = settings.REALTIME | {"ASSISTANT_QUEUE": 0}
    talk.ask()
    always = SetAssistant(assistant="always")
    conversation_actions.set_assistant(room.id, talk.user_id, always)
    command = SendMessage(body="And?", client_id="m1")

    converges(lambda: conversation_actions.send_message(room.id, talk.user_id, command))

    assert Run.objects.filter(status="error", error_code="run_active").count() == 1


def test_regenerating_converges(converges: Callable, talk: Talk) -> None:
    first = talk.answered()

    converges(lambda: talk.again(first))


def test_going_on_converges(converges: Callable, talk: Talk) -> None:
    half = talk.answered(text="Half", status="interrupted")

    converges(lambda: talk.go_on(half))


def test_asking_otherwise_converges(converges: Callable, talk: Talk) -> None:
    first = talk.answered()

    converges(lambda: talk.otherwise(first))


def test_selecting_converges_for_who_has_seen_all_of_it(
    converges: Callable, talk: Talk, say: Callable, grace: User
) -> None:
    first = talk.answered()

    converges(
        lambda: talk.again(first, "Two."),
        lambda: say(grace, "I liked the first one"),
        lambda: talk.select(first.message["id"]),
        lambda: talk.again(first, "Three."),
        lambda: talk.otherwise(first),
        lambda: talk.select(first.run["request_id"]),
        lambda: talk.select(first.run["request_id"]),
        observer=grace,
    )


@pytest.mark.parametrize("is_question", [True, False])
def test_selecting_converges_for_who_came_while_it_was_hidden(
    converges: Callable, talk: Talk, say: Callable, grace: User, is_question: bool
) -> None:
    first = talk.answered()
    say(grace, "in between")
    _ = talk.otherwise(first) if is_question else talk.again(first, "Two.")
    hidden = first.run["request_id"] if is_question else first.message["id"]

    converges(lambda: talk.select(hidden), observer=grace)


def test_selecting_to_and_fro_is_replayed_with_what_is_shown_in_the_end_alone(
    talk: Talk, room: Conversation
) -> None:
    first = talk.answered()
    second = talk.again(first, "Two.")
    before = queries.last_seq(room.id)
    for message in (first, second, first):
        talk.select(message.message["id"])

    told = replayed(room.id, before, before + 3)

    brought = [[each["id"] for each in fact.payload["messages"]] for fact in told]
    assert brought == [[], [], [first.message["id"]]]


def test_a_thread_with_the_assistant_converges(
    converges: Callable, talk: Talk, say: Callable, room: Conversation, grace: User
) -> None:
    root = say(grace, "A topic")
    asked = SendMessage(
        body="@assistant, a word on that?", client_id="m1", thread_id=uuid.UUID(root["id"])
    )

    def answer() -> None:
        conversation_actions.send_message(room.id, talk.user_id, asked)
        run = shapes.runs().get(status__in=ACTIVE)
        with transaction.atomic():
            runs.finish(lock(room.id), run, Outcome("finished"))

    converges(answer)
