"""Sockets on the presence app's address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio

from presence.consumers import PresenceConsumer
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
