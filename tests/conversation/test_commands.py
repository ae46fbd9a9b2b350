"""What an operator can have done with conversations."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from conversation import attachments, queries
from conversation.management.commands import render_messages
from conversation.models import Attachment, Conversation, Message
from conversation.schema import FetchHistory
from tests.support.convergence import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from tests.conversation.conftest import Say


pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ear")]


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


# --- Rendering anew ------------------------------------------------------------------------------
def test_a_message_of_the_time_before_markdown_is_shown_as_html(
    room: Conversation, ada: User, say: Say
) -> None:
    say(ada, "**old**")
    Message.objects.update(html="")

    (shown,) = queries.history(room.id, ada.pk, FetchHistory())["messages"]

    assert shown["html"] == "<p><strong>old</strong></p>\n"


def test_messages_are_rendered_anew_as_they_were_rendered_when_sent(
    room: Conversation, ada: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_messages, "BATCH", 3)
    Conversation.objects.update(assistant="off")
    for number in range(7):
        say(ada, f"*{number}* @grace @nobody @assistant `@grace`")
    before = snapshot(room.id, ada.pk)
    Message.objects.filter(seq__gt=2).update(html="old")

    said = run("render_messages")

    assert snapshot(room.id, ada.pk) == before
    assert said == "5 messages changed; renderer 2.\n"
    assert run("render_messages") == "0 messages changed; renderer 2.\n"


def test_rendering_goes_on_where_it_was_stopped(
    ada: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_messages, "BATCH", 2)
    monkeypatch.setattr(render_messages, "REPORT_EVERY", 1)
    for number in range(4):
        say(ada, f"*{number}*")
    Message.objects.update(html="old")
    after = run("render_messages").splitlines()[0].split()[-1]
    Message.objects.update(html="old")

    assert run("render_messages", "--after", after).endswith("2 messages changed; renderer 2.\n")


def test_what_was_edited_meanwhile_stays_as_it_is(ada: User, say: Say) -> None:
    say(ada, "*before*")
    (read,) = Message.objects.all()
    Message.objects.update(body="*after*", html="new", revision=2)

    read.html = "old"

    assert render_messages.render_anew([read]) == 0
    assert Message.objects.get().html == "new"


# --- Files ---------------------------------------------------------------------------------------
def test_all_old_uploads_are_purged(
    room: Conversation, ada: User, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    for number in range(30):
        attachments.receive(room.id, ada.pk, SimpleUploadedFile(f"{number}.txt", b"x"))
    Attachment.objects.update(created_at=timezone.now() - timedelta(days=2))

    assert run("purge_attachments") == "30 files removed.\n"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
