"""People, and sockets of theirs on the presence app's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import User

from commsite.realtime.hub import hub
from presence.consumers import PresenceConsumer
from tests.support import in_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.support.phoenix_client import PhoenixClient


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def grace(db: None) -> User:
    return User.objects.create_user("grace")


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Callable[..., Awaitable[PhoenixClient]]]:
    """`await connect(ada)`: a socket of hers on the presence address; it ends with the test."""
    clients: list[PhoenixClient] = []

    async def connect(user: User, app: Any = None) -> PhoenixClient:
        clients.append(await in_process.connect(app or PresenceConsumer.as_asgi(), user))
        return clients[-1]

    yield connect
    for client in clients:
        await client.close()
    await hub.stop()
