"""Access and refresh tokens: JSON Web Tokens that name a client session and a token version.

An access token is judged by its signature and this process's memory of revocations alone. A refresh
token is good once: it is exchanged for the next one, and whoever shows a used one ends the session,
because one of the two who hold it stole it (RFC 9700 §4.14.2).
"""

import logging
import time
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError

from commsite.clients import queries, signed_claims
from commsite.clients.models import ClientSession
from commsite.clients.revocation import Revocations
from commsite.realtime.auth import Identity
from commsite.realtime.errors import PushError

logger = logging.getLogger(__name__)

MAX_TOKEN_CHARS = 4096

revocations = Revocations(lifetime_s=settings.ACCESS_LIFETIME_S + queries.CLOCK_SKEW_S)
"""What this process knows to be revoked; touched on the event loop only."""


class AccessToken(simplejwt.AccessToken):
    """Speaks for a client session for fifteen minutes."""


class RefreshToken(simplejwt.RefreshToken):
    """Buys the next pair of tokens, once."""

    access_token_class = AccessToken


class Pair(NamedTuple):
    """What a client gets: both tokens, encoded."""

    access: str
    refresh: str


class Claims(NamedTuple):
    """What a verified token says."""

    identity: Identity
    token_type: str
    token_id: str


def issue(session: ClientSession, *, version: int, refresh: RefreshToken | None = None) -> Pair:
    """A new pair for a session; the caller has stored the refresh token's id in the session."""
    refresh = refresh or RefreshToken()
    for token in (refresh, access := AccessToken()):
        token["sub"] = str(session.user_id)
        token["sid"] = str(session.id)
        token["ver"] = version
        token["username"] = session.user.get_username()
        token["staff"] = bool(getattr(session.user, "is_staff", False))
    return Pair(access=str(access), refresh=str(refresh))


def read(encoded: str, *kinds: type[simplejwt.Token]) -> Claims:
    """The claims of a token of one of these kinds, if its signature and its time are good.

    Raises PushError: "token_expired", or "bad_credentials" for everything else.
    """
    if not encoded or len(encoded) > MAX_TOKEN_CHARS:
        raise PushError("bad_credentials")
    ours = signed_claims.read(encoded, time.time())
    if ours is not None and any(ours.token_type == kind.token_type for kind in kinds):
        identity = Identity(
            user_id=int(ours.sub),
            username=ours.username,
            session_id=ours.sid,
            token_version=ours.ver,
            expires_at=ours.exp,
            is_staff=ours.staff,
        )
        return Claims(identity, ours.token_type, ours.jti)
    for kind in kinds:
        try:
            return _claims(kind(encoded))  # type: ignore[arg-type]  # simplejwt hints a Token here
        except ExpiredTokenError:
            raise PushError("token_expired") from None
        except (TokenError, KeyError, ValueError, TypeError, RecursionError):
            continue
    raise PushError("bad_credentials")


def _claims(token: simplejwt.Token) -> Claims:
    identity = Identity(
        user_id=int(token["sub"]),
        username=str(token["username"]),
        session_id=str(token["sid"]),
        token_version=int(token["ver"]),
        expires_at=float(token["exp"]),
        is_staff=bool(token["staff"]),
    )
    return Claims(identity, str(token["token_type"]), str(token["jti"]))


def verify(access: str) -> Identity:
    """Who an access token speaks for, without the database.

    Raises PushError: "bad_credentials", "token_expired" or "token_revoked".
    """
    identity = read(access, AccessToken).identity
    if revocations.revoked(identity) is not None:
        raise PushError("token_revoked")
    return identity


def check_alive(claims: Claims) -> ClientSession:
    """The session of a token by what the database says now, with its user.

    Raises PushError("token_revoked") when the session, the version or the account has ended, and
    for a refresh token that is not the current one.
    """
    session = queries.live_session(claims.identity.session_id)
    if session is None or version_of(session) != claims.identity.token_version:
        raise PushError("token_revoked")
    if claims.token_type == RefreshToken.token_type and session.refresh_id != claims.token_id:
        raise PushError("token_revoked")
    return session


def version_of(session: ClientSession) -> int:
    """The token version of a session that was read together with its user's."""
    row = getattr(session.user, "token_version", None)
    return row.version if row else 0


@transaction.atomic
def rotate(claims: Claims, received_at: datetime) -> Pair | None:
    """The next pair for a current refresh token; None when the token was used before.

    The session's row is locked, so that of any number of parallel calls exactly one wins. Raises
    PushError: "token_revoked"; "conflict" for a call that was under way (`received_at`) when
    another one rotated the token: it lost a race, it did not replay.
    """
    session = queries.live_session(claims.identity.session_id, is_locked=True)
    if session is None or version_of(session) != claims.identity.token_version:
        raise PushError("token_revoked")
    if session.refresh_id != claims.token_id:
        if session.refreshed_at is not None and received_at <= session.refreshed_at:
            raise PushError("conflict", "Another refresh of this token has won.")
        return None
    refresh, now = RefreshToken(), timezone.now()
    session.refresh_id, session.refreshed_at, session.last_seen_at = refresh["jti"], now, now
    session.save(update_fields=["refresh_id", "refreshed_at", "last_seen_at"])
    return issue(session, version=claims.identity.token_version, refresh=refresh)
