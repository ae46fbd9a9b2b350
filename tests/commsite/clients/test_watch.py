"""Live sockets of whoever is revoked: closed 4401 at once, here and wherever the news comes late."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import Client

from commsite.clients import actions, sessions, tokens
from commsite.clients.models import ClientSession
from commsite.clients.watch import LOOK_EVERY_S, on_gap, on_socket_opened, watch
from commsite.realtime.errors import CloseCode, PushError
from tests.commsite.clients.logins import (
    PASSWORD,
    closed_with,
    forget_everything,
    identity_of,
    pair_for,
    session_of,
    transport_of,
)
from tests.support.deadline import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from commsite.realtime.user_socket import UserSocket
    from tests.commsite.clients.conftest import OpenSocket

pytestmark = pytest.mark.django_db(transaction=True)

Ended = ClientSession.Ended
GONE = CloseCode.UNAUTHENTICATED


async def closed(socket: UserSocket) -> tuple[int, str]:
    """The close of a socket, once it comes."""

    async def look() -> Any:
        return closed_with(socket)

    code, reason = await eventually(look, "close")
    return code, reason


@pytest.fixture
async def phone(open_socket: OpenSocket, ada: User) -> UserSocket:
    """A socket by token."""
    pair = await sync_to_async(pair_for)(ada)
    return open_socket(tokens.verify(pair.access))


@pytest.fixture
def browser(ada: User) -> Client:
    browser = Client()
    browser.force_login(ada)
    return browser


@pytest.fixture
async def page(open_socket: OpenSocket, ada: User, browser: Client) -> UserSocket:
    """A socket by cookie."""
    session = await ClientSession.objects.aget(kind="browser")
    return open_socket(await sync_to_async(identity_of)(ada, str(session.id)))


# --- Everything that ends a login ----------------------------------------------------------------
async def test_a_revoked_session_loses_its_sockets_and_no_other_does(
    phone: UserSocket, page: UserSocket
) -> None:
    await sync_to_async(actions.revoke_session)(phone.identity.session_id, Ended.REVOKED)
    assert await closed(phone) == (GONE, "revoked")
    assert closed_with(page) is None


async def test_a_logout_closes_the_browsers_sockets(
    phone: UserSocket, page: UserSocket, browser: Client
) -> None:
    await sync_to_async(browser.post)("/logout/")
    assert await closed(page) == (GONE, "logout")
    assert closed_with(phone) is None


def _change_password(user: User) -> None:
    user.set_password("another long sentence")
    user.save()


def _deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def _delete(user: User) -> None:
    user.delete()


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (_change_password, "password_changed"),
        (_deactivate, "deactivated"),
        (_delete, "deleted"),
    ],
)
async def test_what_ends_an_account_closes_all_its_sockets_and_nobody_elses(  # noqa: PLR0913
    phone: UserSocket,
    page: UserSocket,
    open_socket: OpenSocket,
    ada: User,
    grace: User,
    end: Callable[[User], None],
    reason: str,
) -> None:
    other = open_socket(await sync_to_async(identity_of)(grace))
    await sync_to_async(end)(ada)
    assert await closed(phone) == (GONE, reason)
    assert await closed(page) == (GONE, reason)
    assert closed_with(other) is None


async def test_a_used_refresh_token_closes_the_thiefs_socket_too(phone: UserSocket) -> None:
    session = await ClientSession.objects.aget(id=phone.identity.session_id)
    await sync_to_async(actions.revoke_session)(session.id, Ended.REFRESH_REUSED)
    assert await closed(phone) == (GONE, "refresh_reused")


async def test_the_last_frame_says_why(phone: UserSocket) -> None:
    await sync_to_async(actions.revoke_session)(phone.identity.session_id, Ended.REVOKED)
    await closed(phone)
    _, _, topic, event, payload = transport_of(phone).frames[-1]
    assert (topic, event) == ("client", "closing")
    assert payload["code"] == GONE
    assert payload["reason"] == "revoked"
    assert payload["resume"] is False


async def test_a_transaction_that_fails_revokes_nothing(phone: UserSocket) -> None:
    def fail() -> None:
        with transaction.atomic():
            actions.revoke_session(phone.identity.session_id, Ended.REVOKED)
            transaction.set_rollback(True)

    await sync_to_async(fail)()
    await watch.look()
    assert closed_with(phone) is None
    assert tokens.revocations.revoked(phone.identity) is None


# --- News that comes late ------------------------------------------------------------------------
@pytest.fixture
def is_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control messages of this test are lost."""
    monkeypatch.setattr("commsite.realtime.pubsub.control", lambda kind, payload: None)


async def test_a_lost_control_message_is_found_in_the_table_within_two_seconds(
    phone: UserSocket, is_deaf: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, found = watch.look, list[bool]()

    async def noted(**how: Any) -> None:
        await look(**how)
        found.append(closed_with(phone) is not None)

    monkeypatch.setattr(watch, "look", noted)
    await sync_to_async(actions.revoke_session)(phone.identity.session_id, Ended.REVOKED)
    assert await closed(phone) == (GONE, "revoked")
    # The first look may have begun before it was there to be found.
    assert True in found[:2]
    assert LOOK_EVERY_S <= 1


async def test_after_a_gap_the_table_is_read_again(phone: UserSocket, is_deaf: None) -> None:
    await sync_to_async(actions.revoke_session)(phone.identity.session_id, Ended.REVOKED)
    on_gap()
    assert await closed(phone) == (GONE, "revoked")


async def test_a_socket_that_opens_while_it_is_being_revoked_is_closed(
    open_socket: OpenSocket, ada: User
) -> None:
    pair = await sync_to_async(pair_for)(ada)
    judged_good = tokens.verify(pair.access)
    await sync_to_async(lambda: actions.revoke_session(session_of(pair).id, Ended.REVOKED))()
    await watch.look()
    late = open_socket(judged_good)
    assert await closed(late) == (GONE, "revoked")


async def test_a_good_socket_that_opens_stays_open(phone: UserSocket) -> None:
    on_socket_opened(phone)
    assert closed_with(phone) is None


async def test_the_same_news_again_does_not_close_the_sockets_of_the_next_login(
    phone: UserSocket, open_socket: OpenSocket, ada: User
) -> None:
    await sync_to_async(actions.revoke_user)(ada.pk, Ended.PASSWORD_CHANGED)
    await closed(phone)
    again = open_socket(tokens.verify((await sync_to_async(pair_for)(ada)).access))
    await watch.look()
    on_gap()
    await watch.look()
    assert closed_with(again) is None


# --- Nothing comes back --------------------------------------------------------------------------
@pytest.mark.parametrize("ends", ["session", "user", "deletion"])
async def test_a_revoked_token_does_not_come_back_after_a_restart(
    ada: User, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await sync_to_async(pair_for)(ada)

    def end() -> None:
        if ends == "session":
            actions.revoke_session(session_of(pair).id, Ended.REVOKED)
        elif ends == "user":
            actions.revoke_user(ada.pk, Ended.ADMIN)
        else:
            ada.delete()

    await sync_to_async(end)()
    for _ in range(2):
        forget_everything(monkeypatch)
        await watch.ensure_loaded()
        with pytest.raises(PushError) as refused:
            tokens.verify(pair.access)
        assert refused.value.reason == "token_revoked"


async def test_a_reactivated_user_needs_a_new_login(ada: User) -> None:
    pair = await sync_to_async(pair_for)(ada)

    def off_and_on() -> None:
        for is_active in (False, True):
            ada.is_active = is_active
            ada.save()

    await sync_to_async(off_and_on)()
    await watch.look()
    with pytest.raises(PushError):
        tokens.verify(pair.access)
    assert tokens.verify((await sync_to_async(pair_for)(ada)).access).username == "ada"


async def test_the_table_is_read_once_for_any_number_of_first_handshakes(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Any] = []

    async def counted(fn: Any, *args: Any) -> Any:
        reads.append(fn)
        await asyncio.sleep(0)
        return []

    monkeypatch.setattr("commsite.clients.watch.in_thread", counted)
    await asyncio.gather(*(watch.ensure_loaded() for _ in range(50)))
    assert len(reads) == 1


async def test_memory_is_pruned_when_no_token_can_need_it(phone: UserSocket) -> None:
    await sync_to_async(actions.revoke_session)(phone.identity.session_id, Ended.REVOKED)
    await closed(phone)
    assert len(tokens.revocations) == 1
    tokens.revocations.prune(time.time() + tokens.revocations.lifetime_s + 1)
    assert len(tokens.revocations) == 0


# --- Disconnect ----------------------------------------------------------------------------------
async def test_an_administrator_disconnects_one_socket_and_it_may_come_back(
    phone: UserSocket, page: UserSocket
) -> None:
    await sync_to_async(actions.disconnect_connection)(phone.id)
    code, _ = await closed(phone)
    assert code == CloseCode.GOING_AWAY
    assert transport_of(phone).frames[-1][4]["resume"] is True
    assert closed_with(page) is None


def test_a_login_by_password_page_makes_a_browser_session(ada: User) -> None:
    browser = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140 Safari/5"})
    browser.post("/login/", {"username": "ada", "password": PASSWORD})
    session = ada.client_sessions.get()
    assert (session.kind, session.name) == ("browser", "Chrome on Linux")
    assert browser.session[sessions.CLIENT_SESSION_KEY] == str(session.id)
