"""Alternatives: what asking otherwise is, beside a new message in the place of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conversation import hooks
from conversation.assistant.models import Run
from conversation.models import AssistantMode, Conversation

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from conversation.models import Message
    from tests.support.talk import Talk

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_asks_otherwise_has_said_something_and_is_answered_once(
    talk: Talk, room: Conversation, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = talk.answered()
    Conversation.objects.update(assistant=AssistantMode.ALWAYS)
    written: list[tuple[str, int | None]] = []

    def hear(message: Message, conversation: Conversation) -> None:
        written.append((message.body, message.author_id))

    monkeypatch.setattr(hooks, "_on_message", [*hooks._on_message, hear])

    second = talk.otherwise(first, "Why not?")

    assert written == [("Why not?", ada.pk)]
    asked = [(str(run.request_id), str(run.pk)) for run in Run.objects.order_by("id")]
    assert asked[1:] == [(second.run["request_id"], second.run["id"])]
