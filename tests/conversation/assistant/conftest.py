"""A backend under the test's control, and people who watch it through the real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from conversation import actions
from conversation.consumers import ConversationConsumer
from conversation.models import Conversation
from conversation.rates import rates
from conversation.schema import CreateConversation
from tests.support import in_process
from tests.support.phoenix_client import PRESENCE
from tests.support.run_viewer import Watcher
from tests.support.scripted_backend import ScriptedBackend
from tests.support.talk import Talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    Enter = Callable[..., Awaitable[Watcher]]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> ScriptedBackend:
    """The configured backend. A process that leaves waits for no run."""
    settings.REALTIME = settings.REALTIME | {"DRAIN_S": 0.0}
    rates.cache_clear()
    backend = ScriptedBackend()
    backend.install(monkeypatch)
    return backend


@pytest.fixture
def make_room(ada: User, grace: User) -> Callable[[], Conversation]:
    """Another conversation of Ada and Grace."""

    def make_room() -> Conversation:
        command = CreateConversation(title="Compilers", members=["grace"])
        return Conversation.objects.get(pk=actions.create_conversation(ada.pk, command)["id"])

    return make_room


@pytest.fixture
def talk(room: Conversation, ada: User) -> Talk:
    """Ada talks with the assistant."""
    return Talk(room.id, ada.pk)


@pytest_asyncio.fixture
async def enter(room: Conversation, scripted: ScriptedBackend) -> AsyncIterator[Enter]:
    """`await enter(ada)`: she has joined the conversation and watches."""
    async with in_process.connections() as connect_to:

        async def enter(user: User, **payload: Any) -> Watcher:
            client = await connect_to(ConversationConsumer.as_asgi(), user)
            client.deaf_to = PRESENCE
            return await Watcher.enter(client, room.topic, **payload)

        yield enter
