"""What the tests of clients need to say often: log someone in, speak for them, look at a socket."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from rest_framework.test import APIClient

from commsite.clients import actions, queries, tokens
from commsite.clients.actions import Client
from commsite.clients.models import ClientSession
from commsite.clients.revocation import Revocations
from commsite.clients.watch import watch
from commsite.realtime.auth import Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from django.contrib.auth.models import User
    from rest_framework_simplejwt import tokens as simplejwt

    from commsite.realtime.envelope import Wire
    from commsite.realtime.outbox import Outbox
    from commsite.realtime.user_socket import UserSocket

PASSWORD = "a long and boring sentence"


def forget_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a restart does to a process's memory."""
    monkeypatch.setattr(tokens, "revocations", Revocations(tokens.revocations.lifetime_s))
    monkeypatch.setattr(watch, "read_at", None)
    monkeypatch.setattr(watch, "_reading", None)


def pair_for(user: User, name: str = "") -> tokens.Pair:
    """A new client session's tokens."""
    return actions.issue_tokens(user, Client(user_agent="pytest/1", address="192.0.2.1", name=name))


def session_of(pair: tokens.Pair) -> ClientSession:
    """The client session that a pair belongs to."""
    claims = tokens.read(pair.access, tokens.AccessToken)
    return ClientSession.objects.get(id=claims.identity.session_id)


def speaking_for(pair: tokens.Pair) -> APIClient:
    """A REST client with this access token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    return client


def ending_in(kind: type[simplejwt.Token], encoded: str, seconds: float) -> str:
    """The same token with another end."""
    token = kind(encoded)  # type: ignore[arg-type]  # simplejwt hints a Token here
    token.set_exp(lifetime=timedelta(seconds=seconds))
    return str(token)


def identity_of(user: User, session_id: str = "", **changes: Any) -> Identity:
    """An identity as a handshake would find it."""
    return Identity(
        user_id=user.pk,
        username=user.username,
        session_id=session_id,
        token_version=queries.token_version(user.pk),
        **changes,
    )


class Recorder:
    """A transport that keeps the frames and the close code."""

    write: Callable[[bytes], Any] | None = None
    rtt_ms: float | None = 12.3456

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.closed: tuple[int, str] | None = None

    def attach(self, outbox: Outbox) -> None:
        """Never clogs."""

    def send(self, wire: Wire) -> None:
        """Keeps it decoded."""
        self.frames.append(msgspec.json.decode(wire.body))

    def waiting(self) -> int:
        """Holds nothing back."""
        return 0

    def close(self, code: int, reason: str) -> None:
        """Keeps the code."""
        self.closed = (code, reason)


def transport_of(socket: UserSocket) -> Recorder:
    """The recorder behind a socket."""
    assert isinstance(socket.transport, Recorder)
    return socket.transport


def closed_with(socket: UserSocket) -> tuple[int, str] | None:
    """The close code and reason, None while the socket is open."""
    return transport_of(socket).closed
