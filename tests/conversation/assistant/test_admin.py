"""Runs in the admin: seen, and stopped by who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from conversation.assistant.models import Run

if TYPE_CHECKING:
    from django.test import Client

    from tests.support.talk import Talk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(talk: Talk) -> Run:
    return Run.objects.get(pk=talk.ask().run["id"])


def staff(client: Client, *permissions: str) -> User:
    person = User.objects.create_user("staff", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(person)
    return person


def test_runs_are_listed_and_shown_and_cannot_be_changed(admin_client: Client, run: Run) -> None:
    listed = admin_client.get(reverse("admin:assistant_run_changelist"), {"status": "queued"})
    shown = admin_client.get(reverse("admin:assistant_run_change", args=[run.pk]))

    assert str(run.pk) in listed.content.decode()
    assert shown.status_code == 200
    assert "_save" not in shown.content.decode()


@pytest.mark.parametrize(
    ("permissions", "status"),
    [(["view_run"], "queued"), (["view_run", "change_run"], "cancelled")],
)
def test_who_may_stops_runs_and_others_cannot(
    client: Client, run: Run, permissions: list[str], status: str
) -> None:
    person = staff(client, *permissions)

    client.post(
        reverse("admin:assistant_run_changelist"),
        {"action": "stop", "_selected_action": [str(run.pk)]},
    )

    run.refresh_from_db()
    assert (run.status, run.cancelled_by) == (status, person if status == "cancelled" else None)
