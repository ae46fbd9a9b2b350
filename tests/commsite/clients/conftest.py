"""People, a REST client, and sockets in a running hub; every test is a fresh process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from rest_framework.test import APIClient

from commsite.realtime.auth import ClientContext
from commsite.realtime.codec import for_version
from commsite.realtime.hub import hub
from commsite.realtime.user_socket import UserSocket
from tests.commsite.clients.logins import PASSWORD, Recorder, forget_everything

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from commsite.realtime.auth import Identity


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test is a process that has heard of nothing and counted nothing."""
    forget_everything(monkeypatch)
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD)


@pytest.fixture
def grace(db: None) -> User:
    return User.objects.create_user("grace", password=PASSWORD)


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss", password=PASSWORD)


@pytest.fixture
def api() -> APIClient:
    """A REST client of nobody."""
    return APIClient()


class OpenSocket(Protocol):
    """What the fixture `open_socket` gives."""

    def __call__(self, identity: Identity, user_agent: str = ..., address: str = ...) -> UserSocket:
        """A socket of this identity, registered with the hub."""


@pytest.fixture
async def open_socket(transactional_db: None) -> AsyncIterator[OpenSocket]:
    """Opens sockets in a running hub that ends with the test."""

    def open_one(
        identity: Identity, user_agent: str = "pytest/1", address: str = "192.0.2.1"
    ) -> UserSocket:
        codec = for_version("2.0.0")
        assert codec is not None
        context = ClientContext(identity=identity, address=address, user_agent=user_agent)
        socket = UserSocket(hub, context, codec, Recorder(), None)
        hub.add(socket)
        return socket

    await hub.start()
    yield open_one
    await hub.stop()
