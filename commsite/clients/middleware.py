"""Who a handshake speaks for (ASGI), and logins by cookie that have ended (Django)."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from commsite.clients import actions, sessions, tickets, tokens, watch
from commsite.clients.models import ClientSession
from commsite.realtime.auth import (
    ClientContext,
    Credential,
    Identity,
    Refused,
    address_of,
    credential_from,
    header,
)
from commsite.realtime.errors import PushError
from commsite.realtime.threads import in_thread

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


def always(scope: Scope) -> bool:
    """Every handshake is asked who it is."""
    return True


class ClientMiddleware:
    """Puts ``scope["client_context"]`` or ``scope["refused"]`` there; answers nothing itself.

    `needs_identity` says of which scopes it is asked: a long-poll that carries a session of its own
    need not prove itself again, and could not with a ticket.
    """

    def __init__(self, app: App, needs_identity: Callable[[Any], bool] = always) -> None:
        self.app = app
        self.needs_identity = needs_identity

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Identifies, then goes on."""
        if scope["type"] in ("websocket", "http") and self.needs_identity(scope):
            scope = dict(scope)
            try:
                scope["client_context"] = await context_of(scope)
            except Refused as refused:
                scope["refused"] = refused
        await self.app(scope, receive, send)


async def context_of(scope: Any) -> ClientContext:
    """What lower layers need to know of the client. Raises Refused."""
    credential = credential_from(scope)
    if credential is None:
        raise Refused(403, "unauthorized", "Show a token, a ticket or a login.")
    return ClientContext(
        identity=await identify(credential, scope),
        address=address_of(scope),
        user_agent=(header(scope, b"user-agent") or "")[:300],
        credential=credential.kind,
    )


async def identify(credential: Credential, scope: Any) -> Identity:
    """Who a credential speaks for. Raises Refused(403) when it is no good, whatever else is shown.

    Tokens are judged without the database; tickets and cookies ask it.
    """
    try:
        await watch.ensure_loaded()
        if credential.kind == "ticket":
            origin = header(scope, b"origin") or ""
            return await in_thread(tickets.redeem, credential.value, origin=origin)
        if credential.kind == "cookie":
            return await in_thread(sessions.identity_of_cookie, credential.value)
        return tokens.verify(credential.value)
    except PushError as error:
        status = 503 if error.reason == "overloaded" else 403
        raise Refused(status, error.reason, error.message) from None
    except Exception:
        logger.exception("a credential could not be judged", extra={"kind": credential.kind})
        raise Refused(503, "overloaded", retry_after_s=2) from None


class ClientSessionMiddleware(MiddlewareMixin):
    """A login by cookie lasts no longer than its client session: revoked there, logged out here."""

    def process_request(self, request: HttpRequest) -> None:
        """Makes ``request.user`` look at the client session too, when it is looked at."""
        found = request.user
        request.user = SimpleLazyObject(lambda: _current_user(request, found))  # type: ignore[assignment]

        async def auser() -> User | AnonymousUser:
            return await sync_to_async(_current_user)(request, found)

        request.auser = auser


def _current_user(request: HttpRequest, user: User | AnonymousUser) -> User | AnonymousUser:
    if isinstance(user, AnonymousUser) or not user.is_authenticated:
        return user
    session_id = request.session.get(sessions.CLIENT_SESSION_KEY)
    mine = ClientSession.objects.filter(user_id=user.pk, revoked_at=None)
    session = mine.filter(id=session_id).first() if session_id else None
    if session is None:
        request.session.flush()
        return AnonymousUser()
    actions.touch_session(session)
    return user
