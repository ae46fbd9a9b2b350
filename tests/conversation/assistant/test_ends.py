"""How runs end: once, with what was said, and without holding anybody up meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from commsite.limits import LIMITS
from conversation.assistant import actions, context, rendered, runs
from conversation.assistant.backend import BackendError, configured_backend
from conversation.assistant.engine import SWEEP_EVERY
from conversation.assistant.models import Run
from conversation.assistant.runs import Outcome
from conversation.assistant.store import Batch, held, renew, store
from conversation.assistant.transcript import Transcript
from conversation.markdown import render
from conversation.models import Message
from tests.support.talk import Talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

    from conversation.assistant.store import Claim
    from conversation.models import Conversation

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "so **far**"


@pytest.fixture
def claim(talk: Talk) -> Claim:
    """A run of a process that has said something."""
    talk.ask()
    (claim,) = runs.claim_queued("here")
    store([Batch(claim, [content(claim, 1, WORDS)])])
    return claim


def content(claim: Claim, seq: int, delta: str) -> dict[str, Any]:
    return {
        "run_id": str(claim.run_id),
        "seq": seq,
        "offset": 0,
        "type": "TEXT_MESSAGE_CONTENT",
        "delta": delta,
    }


def expire(claim: Claim) -> None:
    Run.objects.filter(pk=claim.run_id).update(lease_until="2020-01-01T00:00Z")


def outcome(claim: Claim) -> tuple[str, str, str]:
    run = Run.objects.select_related("message").get(pk=claim.run_id)
    return run.status, run.message.body, run.message.html


@pytest.fixture
def rendering(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each text of an answer that is rendered: whether anything was held meanwhile."""
    held: list[bool] = []

    def noted(text: str) -> str:
        held.append(connection.in_atomic_block)
        return render(text)

    monkeypatch.setattr(rendered, "render", noted)
    return held


def test_the_text_of_a_stopped_run_is_rendered_while_nothing_is_held(
    claim: Claim, room: Conversation, ada: User, rendering: list[bool]
) -> None:
    verdict = actions.cancel_run(room.id, ada.pk, claim.run_id)

    assert (verdict["verdict"], verdict["offset"]) == ("stopped", len(WORDS))
    assert outcome(claim) == ("cancelled", WORDS, render(WORDS))
    assert rendering == [False]


def test_the_text_of_a_dead_processs_run_is_rendered_while_nothing_is_held(
    claim: Claim, rendering: list[bool]
) -> None:
    expire(claim)

    assert runs.interrupt_expired() == [claim.run_id]
    assert outcome(claim) == ("interrupted", WORDS, render(WORDS))
    assert rendering == [False]


@pytest.mark.parametrize("said", [Transcript(WORDS, seq=1), None])
def test_the_text_of_a_run_that_ends_is_rendered_while_nothing_is_held(
    claim: Claim, rendering: list[bool], said: Transcript | None
) -> None:
    assert runs.end(claim, Outcome("finished"), said)
    assert outcome(claim) == ("finished", WORDS, render(WORDS))
    assert rendering == [False]


@pytest.mark.parametrize("end", ["stop", "sweep"])
def test_nothing_is_added_to_a_run_once_its_text_is_rendered_for_its_end(
    claim: Claim, room: Conversation, ada: User, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    kept: list[bool] = []

    def meanwhile(text: str) -> str:
        monkeypatch.setattr(rendered, "render", render)
        kept.append(bool(store([Batch(claim, [content(claim, 2, " and more")])])))
        kept.append(runs.end(claim, Outcome("finished"), None))
        return render(text)

    monkeypatch.setattr(rendered, "render", meanwhile)
    if end == "stop":
        actions.cancel_run(room.id, ada.pk, claim.run_id)
    else:
        expire(claim)
        runs.interrupt_expired()

    assert kept == [False, False]
    status = "cancelled" if end == "stop" else "interrupted"
    assert outcome(claim) == (status, WORDS, render(WORDS))


def test_a_run_whose_process_is_dead_is_told_as_interrupted_within_fifteen_seconds() -> None:
    assert LIMITS["ASSISTANT_LEASE_S"] + SWEEP_EVERY < 15


def test_a_text_that_cannot_be_rendered_is_shown_as_it_is_and_keeps_nobody_waiting(
    claim: Claim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(text: str) -> str:
        raise RecursionError

    monkeypatch.setattr(rendered, "render", fails)
    expire(claim)

    assert runs.interrupt_expired() == [claim.run_id]
    assert outcome(claim) == ("interrupted", WORDS, f"<p>{WORDS}</p>\n")
    assert "could not be rendered" in caplog.text


def test_one_run_that_cannot_be_ended_holds_up_no_other(
    claim: Claim,
    make_room: Callable[[], Conversation],
    grace: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    Talk(make_room().id, grace.pk).ask()
    (other,) = runs.claim_queued("here")
    for each in (claim, other):
        expire(each)
    finish = runs.finish

    def fails(conversation: Conversation, run: Run, *rest: Any, **more: Any) -> None:
        if run.pk == claim.run_id:
            raise ZeroDivisionError
        finish(conversation, run, *rest, **more)

    monkeypatch.setattr(runs, "finish", fails)

    assert runs.interrupt_expired() == [other.run_id]
    assert "could not be ended" in caplog.text


def test_a_run_that_was_stopped_before_it_began_stays_as_everybody_was_told(
    talk: Talk, room: Conversation, ada: User
) -> None:
    talk.ask()
    (claim,) = runs.claim_queued("here")
    actions.cancel_run(room.id, ada.pk, claim.run_id)
    before = Run.objects.values().get(pk=claim.run_id)

    with pytest.raises(BackendError, match="withdrawn"):
        context.open_run(claim, configured_backend())

    assert Run.objects.values().get(pk=claim.run_id) == before
    assert Message.objects.get(pk=before["message_id"]).body == ""


def test_nothing_is_asked_for_no_run_at_all(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert held([]) == renew([], 15) == set()
