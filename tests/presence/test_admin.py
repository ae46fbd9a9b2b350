"""Presence in the admin, over a running hub: the tracker is shown, an entry is untracked, a status line removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from presence import actions
from presence.models import LastSeen, PersonStatus
from presence.naming import hidden
from presence.schema import SetStatus
from presence.tracking import tracking
from tests.support.deadline import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "admin:presence_tracker"


@pytest.fixture
async def running() -> AsyncIterator[None]:
    await hub.start()
    yield
    await hub.stop()


@pytest.fixture
def desk(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_without_a_server_there_is_nothing_to_see(desk: Client) -> None:
    assert "No server runs" in desk.get(reverse(PAGE)).content.decode()


async def test_the_tracker_shows_replicas_and_who_is_on_a_topic(
    running: None, desk: Client
) -> None:
    tracking.track("presence:lobby", "7", "laptop/1", {"username": "ada"})

    page = await in_thread(desk.get, reverse(PAGE), {"topic": "presence:lobby"})

    text = page.content.decode()
    assert hub.node in text
    assert "laptop/1" in text
    assert "username: ada" in text
    assert await tracking.topics() == {"presence:lobby": 1}


async def test_untrack_takes_the_entry_away(running: None, desk: Client) -> None:
    tracking.track("presence:lobby", "7", "laptop/1", {})
    form: dict[str, Any] = {"topic": "presence:lobby", "key": "7", "id": "laptop/1"}

    answer = await in_thread(desk.post, reverse(PAGE), form)

    assert answer.status_code == 302

    async def is_gone() -> bool:
        return not tracking.list("presence:lobby")

    await eventually(is_gone, "the end of the entry")


async def test_an_admin_sees_who_appears_offline(running: None, desk: Client) -> None:
    tracking.track(hidden("presence:lobby"), "7", "laptop/1", {"username": "ada"})

    page = await in_thread(desk.get, reverse(PAGE), {"topic": hidden("presence:lobby")})

    assert "username: ada" in page.content.decode()


def test_when_people_were_last_here_can_be_looked_at_and_removed_but_not_changed(
    desk: Client,
) -> None:
    ada = User.objects.create_user("ada")
    actions.store_last_seen({ada.pk: 1_795_348_800})

    listed = desk.get(reverse("admin:presence_lastseen_changelist")).content.decode()
    row = reverse("admin:presence_lastseen_change", args=[ada.pk])
    refused = desk.post(row, {"at_0": "2020-01-01", "at_1": "00:00"}).status_code
    desk.post(reverse("admin:presence_lastseen_delete", args=[ada.pk]), {"post": "yes"})

    assert ">ada<" in listed
    assert refused == 403
    assert not LastSeen.objects.exists()


async def test_who_may_only_look_can_not_untrack(running: None) -> None:
    def look_and_touch() -> tuple[int, int]:
        watcher = User.objects.create_user("watcher", is_staff=True)
        watcher.user_permissions.add(Permission.objects.get(codename="view_personstatus"))
        client = Client()
        client.force_login(watcher)
        return client.get(reverse(PAGE)).status_code, client.post(reverse(PAGE), {}).status_code

    assert await in_thread(look_and_touch) == (200, 403)


def test_staff_without_permission_sees_nothing(db: None) -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert client.get(reverse(PAGE)).status_code == 403


def test_the_list_of_status_lines_leads_to_the_tracker(desk: Client) -> None:
    page = desk.get(reverse("admin:presence_personstatus_changelist")).content.decode()

    assert reverse(PAGE) in page


def test_a_removed_status_line_is_taken_from_everybody_s_sight(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(actions, "control_on_commit", lambda kind, payload: told.append(payload))
    ada = User.objects.create_user("ada")
    actions.set_status(ada.pk, SetStatus(text="Rude"))

    address = reverse("admin:presence_personstatus_delete", args=[ada.pk])
    assert desk.post(address, {"post": "yes"}).status_code == 302

    assert not PersonStatus.objects.exists()
    assert told[-1] == {"user_id": ada.pk, "status": None}
