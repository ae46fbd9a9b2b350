"""The demo: there after one run, unchanged after two, refused in production."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from conversation.models import Conversation, Message

pytestmark = pytest.mark.django_db

PASSWORD = "commsite-demo"


def seed() -> str:
    out = StringIO()
    call_command("seed", stdout=out)
    return out.getvalue()


def test_everybody_can_log_in_with_the_published_password() -> None:
    said = seed()
    for username in ("ada", "grace", "linus", "admin"):
        request = RequestFactory().post("/login/")
        assert authenticate(request, username=username, password=PASSWORD) is not None
        assert username in said
    assert PASSWORD in said


def test_only_admin_is_an_administrator() -> None:
    seed()
    staff = User.objects.filter(is_staff=True, is_superuser=True)
    assert [user.username for user in staff] == ["admin"]


def test_there_is_one_conversation_of_the_three_in_which_something_was_said() -> None:
    seed()
    conversation = Conversation.objects.get()
    assert conversation.title == "Demo"
    names = {member.user.username for member in conversation.members.select_related("user")}
    assert names == {"ada", "grace", "linus"}
    messages = list(conversation.messages.order_by("seq").select_related("author"))
    assert {message.author and message.author.username for message in messages} == names
    assert [message.seq for message in messages] == list(range(1, len(messages) + 1))
    assert [m.created_at for m in messages] == sorted(m.created_at for m in messages)
    assert len({message.created_at.date() for message in messages}) >= 2
    assert any(message.reply_to_id for message in messages)


def test_a_second_run_changes_nothing() -> None:
    seed()
    users = list(User.objects.values())
    messages = list(Message.objects.order_by("seq").values())
    seed()
    assert list(User.objects.values()) == users
    assert list(Message.objects.order_by("seq").values()) == messages


def test_a_second_run_gives_nobody_their_old_password_back() -> None:
    seed()
    ada = User.objects.get(username="ada")
    ada.set_password("something of my own")
    ada.save()
    seed()
    assert User.objects.get(username="ada").check_password("something of my own")


def test_a_renamed_conversation_is_not_made_again() -> None:
    seed()
    Conversation.objects.update(title="Renamed")
    seed()
    assert Conversation.objects.count() == 1


def test_production_refuses_and_stays_empty(settings: Any) -> None:
    settings.ARE_DEMO_PASSWORDS_ALLOWED = False
    with pytest.raises(CommandError, match="DEBUG=0"):
        seed()
    assert not User.objects.exists()
