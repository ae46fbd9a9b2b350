"""The topics `client` and `user:<id>` on a live socket."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from commsite.clients import actions, channel, tokens
from commsite.clients.models import ClientSession
from commsite.clients.watch import watch
from commsite.realtime.errors import CloseCode
from tests.commsite.clients.logins import closed_with, ending_in, pair_for, session_of, transport_of
from tests.support.deadline import eventually

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from commsite.realtime.user_socket import UserSocket
    from tests.commsite.clients.conftest import OpenSocket

pytestmark = pytest.mark.django_db(transaction=True)


def say(socket: UserSocket, topic: str, event: str, payload: Any, ref: str = "1") -> Any:
    """Sends one push and returns the reply's payload; these handlers all answer at once."""
    join_ref = "j" if event == "phx_join" else None
    frame = json.dumps([join_ref, ref, topic, event, payload]).encode()
    socket.receive(frame, is_binary=False)
    (reply,) = [frame for frame in transport_of(socket).frames if frame[1] == ref]
    return reply[4]


@pytest.fixture
async def pair(ada: User) -> tokens.Pair:
    return await sync_to_async(pair_for)(ada)


@pytest.fixture
async def socket(open_socket: OpenSocket, pair: tokens.Pair) -> UserSocket:
    return open_socket(tokens.verify(pair.access))


def refreshed(pair: tokens.Pair) -> tokens.Pair:
    return actions.refresh_tokens(pair.refresh, timezone.now())


async def test_a_client_learns_who_it_is(socket: UserSocket, ada: User) -> None:
    response = say(socket, "client", "phx_join", {})["response"]
    assert response["user"] == {"id": ada.pk, "username": "ada"}
    assert response["connection_id"] == socket.id
    assert response["session_id"] == socket.identity.session_id
    assert response["expires_at"] == socket.identity.expires_at


async def test_a_fresh_token_of_the_same_session_keeps_the_socket(
    socket: UserSocket, pair: tokens.Pair
) -> None:
    later = ending_in(tokens.AccessToken, (await sync_to_async(refreshed)(pair)).access, 1800)
    say(socket, "client", "phx_join", {}, ref="0")
    reply = say(socket, "client", "renew_token", {"token": later})
    assert reply["status"] == "ok"
    assert reply["response"]["expires_at"] == socket.identity.expires_at
    assert (socket.identity.expires_at or 0) > time.time() + 1700


async def test_renewing_needs_no_join(socket: UserSocket, pair: tokens.Pair) -> None:
    later = ending_in(tokens.AccessToken, pair.access, 1800)
    assert say(socket, "client", "renew_token", {"token": later})["status"] == "ok"


async def test_the_warning_comes_before_the_end_and_the_end_is_4401(
    open_socket: OpenSocket, pair: tokens.Pair
) -> None:
    socket = open_socket(tokens.verify(ending_in(tokens.AccessToken, pair.access, 2)))

    async def closed() -> Any:
        return closed_with(socket)

    code, _ = await eventually(closed, "close")
    events = [frame[3] for frame in transport_of(socket).frames if frame[2] == "client"]
    assert code == CloseCode.UNAUTHENTICATED
    assert events == ["token_expiring", "closing"]


async def test_a_renewed_socket_outlives_its_first_token(
    open_socket: OpenSocket, pair: tokens.Pair
) -> None:
    socket = open_socket(tokens.verify(ending_in(tokens.AccessToken, pair.access, 2)))
    ends_first = open_socket(tokens.verify(ending_in(tokens.AccessToken, pair.access, 2)))
    say(
        socket, "client", "renew_token", {"token": ending_in(tokens.AccessToken, pair.access, 1800)}
    )

    async def closed() -> Any:
        return closed_with(ends_first)

    await eventually(closed, "close of the socket that was not renewed")
    assert closed_with(socket) is None


async def test_another_sessions_token_renews_nothing(socket: UserSocket, ada: User) -> None:
    other, before = await sync_to_async(pair_for)(ada), socket.identity
    reply = say(socket, "client", "renew_token", {"token": other.access})
    assert (reply["status"], reply["response"]["reason"]) == ("error", "forbidden")
    assert socket.identity == before


async def test_another_users_token_renews_nothing(socket: UserSocket, grace: User) -> None:
    other = await sync_to_async(pair_for)(grace)
    reply = say(socket, "client", "renew_token", {"token": other.access})
    assert reply["response"]["reason"] == "forbidden"


async def test_a_revoked_token_renews_nothing(socket: UserSocket, pair: tokens.Pair) -> None:
    later = ending_in(tokens.AccessToken, pair.access, 1800)
    reason = ClientSession.Ended.REVOKED
    await sync_to_async(lambda: actions.revoke_session(session_of(pair).id, reason))()
    await watch.look()
    assert closed_with(socket) is not None
    with pytest.raises(Exception, match="token_revoked"):
        tokens.verify(later)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"token": "nonsense"}, "bad_credentials"),
        ({}, "invalid_payload"),
        ({"token": 7}, "invalid_payload"),
        ([], "invalid_payload"),
    ],
)
async def test_what_is_no_token_is_an_error_and_the_socket_lives(
    socket: UserSocket, payload: Any, reason: str
) -> None:
    reply = say(socket, "client", "renew_token", payload)
    assert (reply["status"], reply["response"]["reason"]) == ("error", reason)
    assert closed_with(socket) is None


async def test_an_expired_token_renews_nothing(socket: UserSocket, pair: tokens.Pair) -> None:
    reply = say(
        socket, "client", "renew_token", {"token": ending_in(tokens.AccessToken, pair.access, -1)}
    )
    assert reply["response"]["reason"] == "token_expired"


async def join(socket: UserSocket, topic: str) -> Any:
    """Joins a topic whose join reads the database, and returns the reply's payload."""
    socket.receive(json.dumps(["j", "1", topic, "phx_join", {}]).encode(), is_binary=False)

    async def answered() -> Any:
        return [frame[4] for frame in transport_of(socket).frames if frame[1] == "1"]

    (reply,) = await eventually(answered, "reply")
    return reply


async def test_i_join_my_own_topic(socket: UserSocket, ada: User) -> None:
    assert (await join(socket, f"user:{ada.pk}"))["status"] == "ok"


async def test_the_reply_says_how_things_stand_whoever_adds_to_it(
    socket: UserSocket, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_user_parts", [])
    channel.on_user_join(lambda user_id: {"letters": user_id})
    channel.on_user_join(lambda user_id: {"parcels": [user_id]})

    reply = await join(socket, f"user:{ada.pk}")

    assert reply["response"] == {"letters": ada.pk, "parcels": [ada.pk]}


@pytest.mark.parametrize("topic", ["user:0", "user:", "user:999999", "user:x", "user:01"])
async def test_nobody_joins_another_users_topic(socket: UserSocket, topic: str) -> None:
    reply = await join(socket, topic)
    assert (reply["status"], reply["response"]["reason"]) == ("error", "forbidden")


async def test_all_devices_hear_of_changed_preferences(socket: UserSocket, ada: User) -> None:
    topic = f"user:{ada.pk}"
    await join(socket, topic)
    await sync_to_async(actions.set_preferences)(ada.pk, {"theme": "dark"}, is_whole=False)

    async def told() -> Any:
        frames = transport_of(socket).frames
        return [frame[4] for frame in frames if frame[2:4] == [topic, "preferences_changed"]]

    (payload,) = await eventually(told, "preferences_changed")
    assert payload["preferences"]["theme"] == "dark"
