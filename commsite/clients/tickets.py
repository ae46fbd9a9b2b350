"""Socket tickets: for clients that can set neither a header nor a subprotocol. One use, 30 seconds.

A ticket is bound to the user's client session and to the origin that will show it. It is redeemed
by deleting it, so that of any number of parallel handshakes exactly one gets in.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from commsite.clients import queries
from commsite.clients.models import Ticket
from commsite.clients.tokens import version_of
from commsite.realtime.auth import Identity
from commsite.realtime.errors import PushError


def issue(session_id: str, *, origin: str, identity_expires_at: datetime | None) -> str:
    """A new ticket of this session for handshakes from `origin` (empty: from outside browsers)."""
    now = timezone.now()
    Ticket.objects.filter(expires_at__lt=now).delete()
    ticket = secrets.token_urlsafe(32)
    Ticket.objects.create(
        digest=_digest(ticket),
        session_id=session_id,
        origin=origin,
        expires_at=now + timedelta(seconds=settings.TICKET_LIFETIME_S),
        identity_expires_at=identity_expires_at,
    )
    return ticket


def redeem(ticket: str, *, origin: str) -> Identity:
    """Who the ticket speaks for; it is used up even when it is refused.

    Raises PushError: "bad_credentials" for a ticket that is unknown, used, too old or meant for
    another origin; "token_revoked" when its session has ended.
    """
    row = Ticket.objects.filter(digest=_digest(ticket)).first()
    if row is None:
        raise PushError("bad_credentials")
    deleted, _ = Ticket.objects.filter(digest=row.digest).delete()
    is_good = deleted == 1 and row.expires_at > timezone.now() and row.origin == origin
    if not is_good:
        raise PushError("bad_credentials")
    session = queries.live_session(row.session_id)
    if session is None:
        raise PushError("token_revoked")
    expires_at = row.identity_expires_at
    return Identity(
        user_id=session.user_id,
        username=session.user.get_username(),
        session_id=str(session.id),
        token_version=version_of(session),
        expires_at=expires_at.timestamp() if expires_at else None,
        is_staff=session.user.is_staff,
    )


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
