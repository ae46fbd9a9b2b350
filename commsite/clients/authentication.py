"""REST by access token: judged by the database, because a request has one to ask anyway."""

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from commsite.clients import tokens
from commsite.realtime.auth import Identity
from commsite.realtime.errors import PushError


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``; leaves the `Identity` in ``request.auth``."""

    def authenticate(self, request: Request) -> tuple[User, Identity] | None:
        """The token's user, or None without such a header.

        Raises PushError: "bad_credentials", "token_expired" or "token_revoked".
        """
        scheme, _, encoded = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        claims = tokens.read(encoded.strip(), tokens.AccessToken)
        session = tokens.check_alive(claims)
        return session.user, claims.identity

    def authenticate_header(self, request: Request) -> str:
        """What a refused client is told to send."""
        return 'Bearer realm="api"'


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`TokenAuthentication` as OpenAPI knows it."""

    target_class = TokenAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer token that is a JSON Web Token."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def session_id_of(request: Request) -> str | None:
    """The client session that a request comes from, by token or by cookie."""
    if isinstance(request.auth, Identity):
        return request.auth.session_id
    found = request.session.get("client_session") if hasattr(request, "session") else None
    return str(found) if found else None


def require_session_id(request: Request) -> str:
    """The same; raises PushError("unauthorized") where there is none."""
    found = session_id_of(request)
    if found is None:
        raise PushError("unauthorized")
    return found
