"""Who a handshake speaks for: every kind of credential, good and bad, and what it costs to judge."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from commsite.clients import actions, sessions, tickets, tokens
from commsite.clients.middleware import ClientMiddleware, identify
from commsite.clients.models import ClientSession, Revocation
from commsite.clients.watch import learn, watch
from commsite.realtime.auth import Credential, Refused
from tests.commsite.clients.logins import PASSWORD, pair_for, session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db(transaction=True)

Ended = ClientSession.Ended


def handshake(
    query: str = "",
    *,
    protocols: tuple[str, ...] = (),
    kind: str = "websocket",
    **headers: str,
) -> dict[str, Any]:
    """A scope as a server gives it."""
    pairs = {"host": "testserver", "user-agent": "pytest/1"} | headers
    return {
        "type": kind,
        "path": "/socket/websocket",
        "query_string": query.encode(),
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in pairs.items()
        ],
        "subprotocols": list(protocols),
        "client": ("192.0.2.7", 40000),
    }


async def passed_on(scope: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The scope that the app behind the middleware sees."""
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    await ClientMiddleware(app, **options)(scope, None, None)
    return seen[0]


async def refused(scope: dict[str, Any]) -> str:
    found = await passed_on(scope)
    assert "client_context" not in found
    refusal = found["refused"]
    assert isinstance(refusal, Refused)
    assert refusal.status == 403
    return refusal.reason


def bearer(token: str) -> str:
    return "base64url.bearer.phx." + base64.b64encode(token.encode()).decode().rstrip("=")


def cookie_of(browser: Client) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


@pytest.fixture
def browser(ada: User) -> Client:
    browser = Client()
    browser.force_login(ada)
    return browser


# --- Every way in --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "show",
    [
        lambda token: handshake(protocols=("phoenix", bearer(token))),
        lambda token: handshake(f"vsn=2.0.0&token={token}"),
        lambda token: handshake(kind="http", x_phoenix_authtoken=token),
    ],
    ids=["subprotocol", "query", "header of a long-poll"],
)
async def test_a_token_is_enough(ada: User, show: Callable[[str], dict[str, Any]]) -> None:
    pair = await sync_to_async(pair_for)(ada)
    context = (await passed_on(show(pair.access)))["client_context"]
    assert context.identity.username == "ada"
    assert (context.address, context.user_agent) == ("192.0.2.7", "pytest/1")


async def test_a_ticket_is_enough_once(ada: User) -> None:
    session = await sync_to_async(lambda: session_of(pair_for(ada)))()
    ticket = await sync_to_async(tickets.issue)(
        str(session.id), origin="", identity_expires_at=None
    )
    context = (await passed_on(handshake(f"ticket={ticket}")))["client_context"]
    assert (context.identity.session_id, context.credential) == (str(session.id), "ticket")
    assert await refused(handshake(f"ticket={ticket}")) == "bad_credentials"


async def test_a_browsers_cookie_is_enough(browser: Client, ada: User) -> None:
    context = (await passed_on(handshake(cookie=cookie_of(browser))))["client_context"]
    assert context.credential == "cookie"
    assert context.identity.user_id == ada.pk
    session = await ClientSession.objects.aget()
    assert (context.identity.session_id, session.kind) == (str(session.id), "browser")


async def test_nothing_shown_is_refused() -> None:
    assert await refused(handshake()) == "unauthorized"


async def test_a_poll_of_a_running_session_is_not_asked_again() -> None:
    scope = handshake("token=poll.something", kind="http")
    found = await passed_on(scope, needs_identity=lambda scope: False)
    assert "client_context" not in found
    assert "refused" not in found


# --- A bad explicit credential never falls through ------------------------------------------------
@pytest.mark.parametrize(
    "show",
    [
        lambda cookie: handshake(protocols=("phoenix", bearer("bad")), cookie=cookie),
        lambda cookie: handshake(protocols=("phoenix", "base64url.bearer.phx.!"), cookie=cookie),
        lambda cookie: handshake("ticket=bad", cookie=cookie),
        lambda cookie: handshake("token=bad", cookie=cookie),
        lambda cookie: handshake("token=", cookie=cookie),
    ],
)
async def test_a_bad_credential_is_not_saved_by_a_good_cookie(
    browser: Client, show: Callable[[str], dict[str, Any]]
) -> None:
    assert await refused(show(cookie_of(browser))) == "bad_credentials"


async def test_a_refresh_token_opens_no_socket(ada: User) -> None:
    pair = await sync_to_async(pair_for)(ada)
    assert await refused(handshake(f"token={pair.refresh}")) == "bad_credentials"


# --- What it costs --------------------------------------------------------------------------------
def test_a_token_is_judged_without_a_single_query(ada: User) -> None:
    pair = pair_for(ada)
    async_to_sync(watch.ensure_loaded)()
    with CaptureQueriesContext(connection) as queries:
        identity = async_to_sync(identify)(Credential("token", pair.access), handshake())
    assert identity.username == "ada"
    assert len(queries) == 0


async def test_a_token_is_judged_without_a_thread_of_the_database_pool(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await sync_to_async(pair_for)(ada)
    await watch.ensure_loaded()

    async def no_thread(*args: object, **kwargs: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr("commsite.clients.middleware.in_thread", no_thread)
    monkeypatch.setattr("commsite.clients.watch.in_thread", no_thread)
    identity = await identify(Credential("bearer", pair.access), handshake())
    assert identity.username == "ada"


async def test_a_process_that_cannot_read_the_revocations_lets_nobody_in(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await sync_to_async(pair_for)(ada)

    async def broken(*args: object, **kwargs: object) -> None:
        raise OSError("no database")

    monkeypatch.setattr("commsite.clients.watch.in_thread", broken)
    found = await passed_on(handshake(f"token={pair.access}"))
    assert (found["refused"].status, found["refused"].reason) == (503, "overloaded")
    monkeypatch.undo()
    assert "client_context" in await passed_on(handshake(f"token={pair.access}"))


# --- Revoked -------------------------------------------------------------------------------------
async def test_a_process_that_starts_late_refuses_a_token_revoked_before(ada: User) -> None:
    pair = await sync_to_async(pair_for)(ada)
    await sync_to_async(lambda: actions.revoke_session(session_of(pair).id, Ended.REVOKED))()
    assert len(tokens.revocations) == 0  # nobody has told this process yet
    assert await refused(handshake(f"token={pair.access}")) == "token_revoked"


async def test_a_notice_is_enough_to_refuse_a_token(ada: User) -> None:
    pair = await sync_to_async(pair_for)(ada)
    await watch.ensure_loaded()
    await sync_to_async(lambda: actions.revoke_user(ada.pk, Ended.PASSWORD_CHANGED))()
    row = await sync_to_async(lambda: actions.notice_of(Revocation.objects.get()))()
    learn([row])
    assert await refused(handshake(f"token={pair.access}")) == "token_revoked"
    again = await sync_to_async(pair_for)(ada)
    assert "client_context" in await passed_on(handshake(f"token={again.access}"))


async def test_a_logged_out_cookie_opens_nothing(browser: Client) -> None:
    cookie = cookie_of(browser)
    await sync_to_async(browser.logout)()
    assert await refused(handshake(cookie=cookie)) == "bad_credentials"


async def test_a_revoked_browsers_cookie_opens_nothing(browser: Client) -> None:
    session = await ClientSession.objects.aget()
    await sync_to_async(actions.revoke_session)(session.id, Ended.REVOKED)
    assert await refused(handshake(cookie=cookie_of(browser))) == "token_revoked"


async def test_a_cookie_from_before_the_password_changed_opens_nothing(
    browser: Client, ada: User
) -> None:
    # Behind our back, so that only the hash in the Django session can tell.
    ada.set_password("another sentence")
    await type(ada).objects.filter(pk=ada.pk).aupdate(password=ada.password)
    assert await refused(handshake(cookie=cookie_of(browser))) == "token_revoked"


@pytest.mark.parametrize("cookie", ["nonsense", "commsite_session=", "commsite_session=nonsense"])
async def test_a_cookie_that_is_none_of_ours_opens_nothing(cookie: str) -> None:
    assert await refused(handshake(cookie=cookie)) in ("bad_credentials", "unauthorized")


# --- Pages ---------------------------------------------------------------------------------------
def test_a_revoked_browser_is_logged_out_of_rest_and_pages(browser: Client) -> None:
    assert browser.get("/api/v1/sessions/").status_code == 200
    actions.revoke_session(browser.session[sessions.CLIENT_SESSION_KEY], Ended.REVOKED)
    assert browser.get("/api/v1/sessions/").status_code == 401
    assert "_auth_user_id" not in browser.session


def test_a_revoked_browser_may_log_in_again(browser: Client, ada: User) -> None:
    actions.revoke_session(browser.session[sessions.CLIENT_SESSION_KEY], Ended.REVOKED)
    browser.post("/login/", {"username": "ada", "password": PASSWORD})
    assert browser.get("/api/v1/sessions/").status_code == 200
    assert ada.client_sessions.filter(revoked_at=None).count() == 1
