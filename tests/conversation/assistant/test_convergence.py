"""What the assistant announces: the facts, applied to the old snapshot, give the fresh one."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from conversation import actions as conversation_actions
from conversation.assistant import actions, branches, runs, shapes
from conversation.assistant.models import ACTIVE, Run
from conversation.assistant.runs import Outcome
from conversation.assistant.schema import (
    BranchMessage,
    ContinueRun,
    Regenerate,
    SelectBranch,
    StartRun,
)
from conversation.facts import lock
from conversation.rates import rates
from conversation.schema import SendMessage, SetAssistant

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from conversation.assistant.actions import Started
    from conversation.models import Conversation

pytestmark = pytest.mark.django_db(transaction=True)


class Talk:
    """Ada talks with the assistant; the test is the process that answers."""

    def __init__(self, room: uuid.UUID, user_id: int) -> None:
        self.room = room
        self.user_id = user_id
        self._ids = (f"r{n}" for n in itertools.count())

    def ask(self, body: str = "Why?") -> Started:
        """A run in the queue."""
        command = StartRun(body=body, client_id=next(self._ids))
        return actions.start_run(self.room, self.user_id, command)

    def end(self, started: Started, text: str = "Because.", status: str = "finished") -> Started:
        """The run has come to an end."""
        Run.objects.filter(pk=started.run["id"]).update(text=text, offset=len(text))
        with transaction.atomic():
            run = shapes.runs().get(pk=started.run["id"])
            runs.finish(lock(self.room), run, Outcome(status))
        return started

    def answered(self, body: str = "Why?", text: str = "Because.", **how: Any) -> Started:
        """A question and its answer."""
        return self.end(self.ask(body), text, **how)

    def again(self, started: Started, text: str = "Again.") -> Started:
        """Another answer to the same question."""
        message_id = uuid.UUID(started.message["id"])
        command = Regenerate(message_id=message_id, client_id=next(self._ids))
        return self.end(branches.regenerate(self.room, self.user_id, command), text)

    def otherwise(self, started: Started, body: str = "Why not?") -> Started:
        """The question asked otherwise, and its answer."""
        message_id = uuid.UUID(str(started.run["request_id"]))
        command = BranchMessage(message_id=message_id, body=body, client_id=next(self._ids))
        return self.end(branches.branch_message(self.room, self.user_id, command))

    def go_on(self, started: Started) -> Started:
        """The answer goes on."""
        command = ContinueRun(run_id=uuid.UUID(started.run["id"]), client_id=next(self._ids))
        return self.end(branches.continue_run(self.room, self.user_id, command), "Half and more.")

    def select(self, message_id: str | None) -> None:
        """Shows this one."""
        command = SelectBranch(message_id=uuid.UUID(str(message_id)))
        branches.select_branch(self.room, self.user_id, command)


@pytest.fixture
def talk(room: Conversation, ada: User) -> Talk:
    rates.cache_clear()
    return Talk(room.id, ada.pk)


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
