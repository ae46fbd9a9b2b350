"""Writes of clients: check, do, commit, tell every process. REST, admin, signals all end here."""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from commsite.clients import device, queries, tokens
from commsite.clients.models import ClientSession, Preferences, Revocation, Ticket, TokenVersion
from commsite.clients.revocation import Notice
from commsite.realtime import pubsub
from commsite.realtime.errors import PushError

Ended = ClientSession.Ended

REVOKE, DISCONNECT = "clients_revoke", "clients_disconnect"
DELETED_VERSION = 2**62
"""Higher than any version: nothing of a deleted user is good again."""


SEEN_EVERY = timedelta(minutes=1)


class Client(NamedTuple):
    """What a request tells about the client that sent it."""

    user_agent: str = ""
    address: str | None = None
    name: str = ""


def client_of(request: HttpRequest, name: str = "") -> Client:
    """The client behind an HTTP request."""
    return Client(
        user_agent=request.headers.get("User-Agent", ""),
        address=request.META.get("REMOTE_ADDR") or None,
        name=name,
    )


# --- Sessions and tokens -------------------------------------------------------------------------
def open_session(
    user: User, kind: ClientSession.Kind, client: Client, *, refresh_id: str = ""
) -> ClientSession:
    """A new client session; without a name it is called after its User-Agent."""
    return ClientSession.objects.create(
        user=user,
        kind=kind,
        name=client.name.strip() or device.name_from(client.user_agent),
        user_agent=client.user_agent[:300],
        address=client.address or None,
        refresh_id=refresh_id,
    )


def issue_tokens(user: User, client: Client) -> tokens.Pair:
    """A new session of a program and its first pair of tokens."""
    refresh = tokens.RefreshToken()
    session = open_session(user, ClientSession.Kind.TOKEN, client, refresh_id=str(refresh["jti"]))
    return tokens.issue(session, version=queries.token_version(user.pk), refresh=refresh)


def refresh_tokens(encoded: str, received_at: datetime) -> tokens.Pair:
    """The next pair for a refresh token; `received_at` is when the request came in.

    A token that was used before ends its session: one of the two who hold it stole it. Raises
    PushError: "bad_credentials", "token_expired", "token_revoked"; "conflict" for the loser of two
    simultaneous calls, who is no thief and gets nothing.
    """
    claims = tokens.read(encoded, tokens.RefreshToken)
    pair = tokens.rotate(claims, received_at)
    if pair is None:
        revoke_session(claims.identity.session_id, Ended.REFRESH_REUSED)
        raise PushError("token_revoked", "This refresh token was used before; the session ended.")
    return pair


def revoke_by_token(encoded: str) -> bool:
    """Ends the session of an access or refresh token; True when it was alive until now.

    Raises PushError: "bad_credentials" or "token_expired".
    """
    claims = tokens.read(encoded, tokens.RefreshToken, tokens.AccessToken)
    return revoke_session(claims.identity.session_id, Ended.LOGOUT)


def prove_session(session_id: str, user: User) -> bool:
    """Notes another login with a session; False when it has ended or is another user's."""
    mine = ClientSession.objects.filter(id=session_id, user=user, revoked_at=None)
    now = timezone.now()
    return bool(mine.update(refreshed_at=now, last_seen_at=now))


def touch_session(session: ClientSession) -> None:
    """Notes that the client is in use; at most one write in a while."""
    now = timezone.now()
    if now - session.last_seen_at > SEEN_EVERY:
        ClientSession.objects.filter(id=session.id).update(last_seen_at=now)


# --- Revocation ----------------------------------------------------------------------------------
@transaction.atomic
def revoke_session(session_id: str | uuid.UUID, reason: Ended) -> bool:
    """Ends one client session: its tokens are void and its sockets close in every process (4401).

    True when it was alive until now; a second call changes nothing and tells nobody.
    """
    ended = ClientSession.objects.filter(id=session_id, revoked_at=None).update(
        revoked_at=timezone.now(), revoked_reason=reason, refresh_id=""
    )
    if ended:
        Ticket.objects.filter(session__id=session_id).delete()
        _note(Revocation(session_id=uuid.UUID(str(session_id)), reason=reason))
    return bool(ended)


@transaction.atomic
def revoke_user(user_id: int, reason: Ended) -> int:
    """Ends everything a user is logged in with; returns the version that tokens must have now."""
    if reason is Ended.DELETED:
        version = DELETED_VERSION
    else:
        TokenVersion.objects.get_or_create(user_id=user_id)
        TokenVersion.objects.filter(user_id=user_id).update(version=F("version") + 1)
        version = queries.token_version(user_id)
    ClientSession.objects.filter(user_id=user_id, revoked_at=None).update(
        revoked_at=timezone.now(), revoked_reason=reason, refresh_id=""
    )
    Ticket.objects.filter(session__user_id=user_id).delete()
    _note(Revocation(user_id=user_id, version=version, reason=reason))
    return version


def _note(row: Revocation) -> None:
    queries.forgettable_revocations().delete()
    row.save()
    pubsub.control_on_commit(REVOKE, msgspec.to_builtins(notice_of(row)))


def notice_of(row: Revocation) -> Notice:
    """The row as it travels between processes."""
    return Notice(
        at=row.created_at.timestamp(),
        reason=row.reason,
        session_id=str(row.session_id) if row.session_id else None,
        user_id=row.user_id,
        version=row.version,
    )


# --- Connections and preferences -----------------------------------------------------------------
def disconnect_connection(connection_id: str) -> None:
    """Closes one live socket, in whichever process it is (1001); its client may come back."""
    pubsub.control_on_commit(DISCONNECT, {"connection_id": connection_id, "at": time.time()})


@transaction.atomic
def set_preferences(user_id: int, chosen: Mapping[str, Any], *, is_whole: bool) -> dict[str, Any]:
    """Stores preferences and tells the user's devices; `is_whole` forgets earlier choices."""
    row, _ = Preferences.objects.select_for_update().get_or_create(user_id=user_id)
    before = queries.preferences_of(user_id)
    row.values = dict(chosen) if is_whole else row.values | chosen
    row.save()
    values = queries.preferences_of(user_id)
    pubsub.announce_on_commit(
        f"user:{user_id}", "preferences_changed", {"preferences": values}, key="preferences"
    )
    for handler in _on_preferences:
        handler(user_id, before, values)
    return values


PreferencesHandler = Callable[[int, Mapping[str, object], Mapping[str, object]], None]
"""(user id, their preferences before, and now): in the transaction that changes them."""
_on_preferences: list[PreferencesHandler] = []


def on_preferences(handler: PreferencesHandler) -> None:
    """Lets an app do what follows from a preference, in the same transaction."""
    if handler not in _on_preferences:
        _on_preferences.append(handler)


# --- Between processes ---------------------------------------------------------------------------
def listen(
    *,
    on_revoke: Callable[[dict[str, Any]], None],
    on_disconnect: Callable[[dict[str, Any]], None],
    on_gap: Callable[[], None],
) -> None:
    """Lets these run on the event loop of every process when one of the writes above is told."""
    pubsub.on_control(REVOKE, on_revoke)
    pubsub.on_control(DISCONNECT, on_disconnect)
    pubsub.on_gap(on_gap)
