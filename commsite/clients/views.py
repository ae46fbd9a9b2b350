"""The REST side of clients: tokens, tickets, my sessions, my preferences."""

from datetime import UTC, datetime
from typing import Any, cast

from axes.utils import reset as forgive
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from commsite.clients import actions, queries, sessions, tickets, tokens
from commsite.clients.authentication import require_session_id, session_id_of
from commsite.clients.models import ClientSession
from commsite.clients.schema import (
    AnyToken,
    Credentials,
    PreferencesShape,
    Problem,
    Refresh,
    SessionShape,
    TicketAnswer,
    TicketRequest,
    TokenPair,
    Verified,
)
from commsite.realtime.auth import Identity
from commsite.realtime.errors import PushError


def _user(request: Request) -> User:
    return cast("User", request.user)


class TokenEndpoint(APIView):
    """Base of the endpoints that take a secret as proof: no login needed, few tries a minute."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "token"


class IssueToken(TokenEndpoint):
    """A name and a password for a pair of tokens."""

    @extend_schema(
        operation_id="token_issue",
        request=Credentials,
        responses={200: TokenPair, 400: Problem, 401: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Opens a client session and answers its first tokens."""
        given = Credentials(data=request.data)
        given.is_valid(raise_exception=True)
        username, password = given.validated_data["username"], given.validated_data["password"]
        # axes keeps its marks on Django's own request, not on DRF's.
        plain: HttpRequest = request._request  # noqa: SLF001
        user = authenticate(plain, username=username, password=password)
        if user is None:
            raise PushError("bad_credentials", "No active account has this name and password.")
        client = actions.client_of(plain, name=given.validated_data.get("name", ""))
        forgive(ip=client.address, username=username)
        pair = actions.issue_tokens(user, client)
        return Response(pair._asdict())


class RefreshToken(TokenEndpoint):
    """A refresh token for the next pair."""

    throttle_scope = "refresh"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Notes when the request came in: it tells a lost race from a replay."""
        self.received_at = timezone.now()
        super().setup(request, *args, **kwargs)

    @extend_schema(
        operation_id="token_refresh",
        request=Refresh,
        responses={200: TokenPair, 400: Problem, 401: Problem, 409: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Rotates: the token is used up. Shown again, it ends the whole client session."""
        given = Refresh(data=request.data)
        given.is_valid(raise_exception=True)
        pair = actions.refresh_tokens(given.validated_data["refresh"], self.received_at)
        return Response(pair._asdict())


class VerifyToken(TokenEndpoint):
    """Whether a token is good now."""

    throttle_scope = "refresh"

    @extend_schema(
        operation_id="token_verify",
        request=AnyToken,
        responses={200: Verified, 400: Problem, 401: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Answers its kind and its end, or 401 with the reason why it is no good."""
        given = AnyToken(data=request.data)
        given.is_valid(raise_exception=True)
        kinds = (tokens.AccessToken, tokens.RefreshToken)
        claims = tokens.read(given.validated_data["token"], *kinds)
        tokens.check_alive(claims)
        ends = datetime.fromtimestamp(claims.identity.expires_at or 0, UTC)
        return Response(Verified({"token_type": claims.token_type, "expires_at": ends}).data)


class RevokeToken(TokenEndpoint):
    """The end of a client session, by one of its tokens."""

    throttle_scope = "refresh"

    @extend_schema(
        operation_id="token_revoke",
        request=AnyToken,
        responses={204: None, 400: Problem, 401: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """Voids all tokens of the session and closes its sockets; twice is as good as once."""
        given = AnyToken(data=request.data)
        given.is_valid(raise_exception=True)
        actions.revoke_by_token(given.validated_data["token"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class IssueTicket(APIView):
    """A one-use socket ticket for my client session."""

    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "ticket"

    @extend_schema(
        operation_id="token_ticket",
        request=TicketRequest,
        responses={200: TicketAnswer, 400: Problem, 401: Problem, 429: Problem},
    )
    def post(self, request: Request) -> Response:
        """A ticket for one handshake from this origin, good for half a minute."""
        given = TicketRequest(data=request.data)
        given.is_valid(raise_exception=True)
        origin = given.validated_data.get("origin", request.headers.get("Origin", ""))
        ticket = tickets.issue(
            require_session_id(request),
            origin=origin,
            identity_expires_at=_ends_at(request),
        )
        return Response({"ticket": ticket, "expires_in": settings.TICKET_LIFETIME_S})


def _ends_at(request: Request) -> datetime | None:
    if isinstance(request.auth, Identity):
        return datetime.fromtimestamp(request.auth.expires_at or 0, UTC)
    return sessions.cookie_expires_at(request.session.session_key)


class MySessions(generics.GenericAPIView[ClientSession]):
    """Base: my client sessions that have not ended."""

    serializer_class = SessionShape

    def get_queryset(self) -> QuerySet[ClientSession]:
        """Mine only."""
        return queries.live_sessions(_user(self.request))

    def get_serializer_context(self) -> dict[str, Any]:
        """Which of them is asking."""
        return {**super().get_serializer_context(), "session_id": session_id_of(self.request)}


@extend_schema(responses={200: SessionShape, 401: Problem})
class Sessions(MySessions, generics.ListAPIView[ClientSession]):
    """My client sessions that have not ended, newest first."""


class OneSession(MySessions, generics.RetrieveDestroyAPIView[ClientSession]):
    """One of my client sessions."""

    @extend_schema(responses={200: SessionShape, 401: Problem, 404: Problem})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The session."""
        return super().get(request, *args, **kwargs)

    @extend_schema(responses={204: None, 401: Problem, 404: Problem})
    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revokes it: its tokens are void and its sockets close everywhere."""
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, instance: ClientSession) -> None:
        """The row stays, ended."""
        actions.revoke_session(instance.id, ClientSession.Ended.REVOKED)


class MyPreferences(APIView):
    """What I have set; every preference has a default."""

    @extend_schema(responses={200: PreferencesShape, 401: Problem})
    def get(self, request: Request) -> Response:
        """All preferences."""
        return Response(queries.preferences_of(_user(request).pk))

    @extend_schema(
        request=PreferencesShape, responses={200: PreferencesShape, 400: Problem, 401: Problem}
    )
    def put(self, request: Request) -> Response:
        """Sets these and everything else to its default."""
        return self._set(request, is_whole=True)

    @extend_schema(
        request=PreferencesShape, responses={200: PreferencesShape, 400: Problem, 401: Problem}
    )
    def patch(self, request: Request) -> Response:
        """Sets these and leaves the others."""
        return self._set(request, is_whole=False)

    def _set(self, request: Request, *, is_whole: bool) -> Response:
        given = PreferencesShape(data=request.data)
        given.is_valid(raise_exception=True)
        user_id = _user(request).pk
        return Response(actions.set_preferences(user_id, given.validated_data, is_whole=is_whole))
