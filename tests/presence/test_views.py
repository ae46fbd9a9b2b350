"""Presence over REST: who is there, for those who may know."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.hub import hub
from commsite.realtime.threads import in_thread
from conversation import actions
from conversation.schema import CreateConversation
from presence.tracking import tracking
from tests.support.rest import rest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def running() -> AsyncIterator[None]:
    await hub.start()
    yield
    await hub.stop()


def ask(user: User | None, topic: str) -> Any:
    return rest(user).get(f"/api/v1/presence/{topic}/")


async def test_the_lobby_lists_people_as_the_socket_does(running: None, ada: User) -> None:
    tracking.track("presence:lobby", str(ada.pk), "laptop/1", {"username": "ada"})

    body = (await in_thread(ask, ada, "presence:lobby")).json()

    assert (body["topic"], body["count"]) == ("presence:lobby", 1)
    (meta,) = body["presences"][str(ada.pk)]["metas"]
    assert meta["username"] == "ada"
    assert "phx_ref" in meta


async def test_a_crowd_is_counted_and_not_named(
    running: None, settings: Settings, ada: User
) -> None:
    settings.REALTIME = {**settings.REALTIME, "PRESENCE_COUNTS_ABOVE": 1}
    for key in ("1", "2"):
        tracking.track("presence:lobby", key, "x", {})

    body = (await in_thread(ask, ada, "presence:lobby")).json()

    assert (body["count"], body["presences"]) == (2, {})


def test_without_a_server_nobody_is_there(ada: User) -> None:
    assert ask(ada, "presence:lobby").json()["count"] == 0


def test_members_see_who_is_in_their_conversation_and_strangers_do_not(
    ada: User, grace: User
) -> None:
    room = actions.create_conversation(ada.pk, CreateConversation(title="Two", members=[]))

    assert ask(ada, f"conversation:{room['id']}").status_code == 200
    assert ask(grace, f"conversation:{room['id']}").status_code == 404
    assert ask(grace, f"conversation:{uuid.uuid4()}").json()["reason"] == "not_found"


@pytest.mark.parametrize("topic", ["presence:cellar", "client", "user:1", "nonsense"])
def test_other_topics_show_nobody(ada: User, topic: str) -> None:
    assert ask(ada, topic).status_code == 404


def test_strangers_to_the_site_see_nothing(db: None) -> None:
    assert ask(None, "presence:lobby").status_code == 401
