"""Sockets on the presence app's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from commsite.realtime.consumer import SocketConsumer
from commsite.realtime.threads import in_thread
from conversation import actions
from conversation.schema import CreateConversation
from presence.consumers import PresenceConsumer
from tests.presence.lobby import Connect, enter
from tests.support import in_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from django.contrib.auth.models import User

    from tests.support.phoenix_client import PhoenixClient


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Callable[..., Awaitable[PhoenixClient]]]:
    """`await connect(ada)`: a socket of hers on the presence address; it ends with the test."""
    async with in_process.connections() as connect_to:

        async def connect(user: User, app: Any = None) -> PhoenixClient:
            return await connect_to(app or PresenceConsumer.as_asgi(), user)

        yield connect


@pytest.fixture
async def room(ada: User, grace: User) -> str:
    """Their conversation."""
    command = CreateConversation(title="Two", members=["grace"])
    made = await in_thread(actions.create_conversation, ada.pk, command)
    return f"conversation:{made['id']}"


@pytest.fixture
async def pair(
    connect: Connect, ada: User, grace: User, room: str
) -> tuple[PhoenixClient, PhoenixClient]:
    """Ada and Grace in the room."""
    clients = [await connect(user, SocketConsumer.as_asgi()) for user in (ada, grace)]
    for client in clients:
        await enter(client, room)
    return clients[0], clients[1]
