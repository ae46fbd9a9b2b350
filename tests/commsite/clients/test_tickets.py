"""Tickets: one handshake, half a minute, one origin."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from commsite.clients import actions, sessions, tickets
from commsite.clients.models import ClientSession, Ticket
from commsite.realtime.errors import PushError
from tests.commsite.clients.logins import pair_for, session_of, speaking_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

TICKET = "/api/v1/token/ticket/"
SITE = "https://site.example"


def ticket_for(user: User, origin: str = "") -> str:
    session = session_of(pair_for(user))
    return tickets.issue(str(session.id), origin=origin, identity_expires_at=None)


def refusal(ticket: str, origin: str = "") -> str:
    with pytest.raises(PushError) as refused:
        tickets.redeem(ticket, origin=origin)
    return refused.value.reason


def test_a_ticket_speaks_for_the_session_that_bought_it(ada: User) -> None:
    pair = pair_for(ada)
    answer = speaking_for(pair).post(TICKET, {})
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 30)
    identity = tickets.redeem(answer.json()["ticket"], origin="")
    assert identity.user_id == ada.pk
    assert identity.session_id == str(session_of(pair).id)


def test_a_ticket_is_good_once(ada: User) -> None:
    ticket = ticket_for(ada)
    tickets.redeem(ticket, origin="")
    assert refusal(ticket) == "bad_credentials"


def test_a_ticket_is_too_old_after_half_a_minute(ada: User) -> None:
    ticket = ticket_for(ada)
    assert Ticket.objects.get().expires_at > timezone.now() + timedelta(seconds=29)
    Ticket.objects.update(expires_at=timezone.now())
    assert refusal(ticket) == "bad_credentials"


def test_a_ticket_of_another_origin_is_refused_and_used_up(ada: User) -> None:
    ticket = ticket_for(ada, SITE)
    assert refusal(ticket, "https://evil.example") == "bad_credentials"
    assert refusal(ticket, SITE) == "bad_credentials"


def test_a_ticket_without_origin_is_not_for_browsers(ada: User) -> None:
    assert refusal(ticket_for(ada), SITE) == "bad_credentials"


def test_a_ticket_is_bound_to_the_origin_that_asked_for_it(ada: User) -> None:
    client = speaking_for(pair_for(ada))
    ticket = client.post(TICKET, {}, headers={"Origin": SITE}).json()["ticket"]
    assert tickets.redeem(ticket, origin=SITE).username == "ada"


def test_a_program_may_buy_a_ticket_for_another_origin(ada: User) -> None:
    client = speaking_for(pair_for(ada))
    ticket = client.post(TICKET, {"origin": SITE}).json()["ticket"]
    assert tickets.redeem(ticket, origin=SITE).username == "ada"


def test_a_ticket_gives_no_more_time_than_the_token_it_was_bought_with(ada: User) -> None:
    pair = pair_for(ada)
    ticket = speaking_for(pair).post(TICKET, {}).json()["ticket"]
    expires_at = tickets.redeem(ticket, origin="").expires_at
    left_s = (expires_at or 0) - timezone.now().timestamp()
    assert 0 < left_s <= settings.ACCESS_LIFETIME_S


def test_a_page_buys_a_ticket_with_its_cookie(ada: User) -> None:
    browser = Client(enforce_csrf_checks=False)
    browser.force_login(ada)
    answer = browser.post(TICKET, {}, content_type="application/json")
    identity = tickets.redeem(answer.json()["ticket"], origin="")
    assert identity.session_id == browser.session[sessions.CLIENT_SESSION_KEY]
    assert identity.expires_at == pytest.approx(
        timezone.now().timestamp() + settings.SESSION_COOKIE_AGE, abs=60
    )


def test_a_page_needs_its_csrf_token_for_that(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    answer = browser.post(TICKET, {}, content_type="application/json")
    assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden")


def test_nobody_gets_a_ticket_without_a_login(api: APIClient) -> None:
    assert api.post(TICKET, {}).status_code == 401


def test_a_revoked_sessions_ticket_opens_nothing(ada: User) -> None:
    ticket = ticket_for(ada)
    actions.revoke_session(ClientSession.objects.get().id, ClientSession.Ended.REVOKED)
    assert refusal(ticket) == "bad_credentials"
    assert not Ticket.objects.exists()


def test_a_ticket_of_a_user_deactivated_behind_our_back_opens_nothing(ada: User) -> None:
    ticket = ticket_for(ada)
    type(ada).objects.filter(pk=ada.pk).update(is_active=False)
    assert refusal(ticket) == "token_revoked"


def test_no_ticket_is_stored(ada: User) -> None:
    ticket = ticket_for(ada)
    assert ticket not in str(Ticket.objects.values().get())


def test_tickets_that_nobody_used_are_swept_away(ada: User) -> None:
    ticket_for(ada)
    Ticket.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    ticket_for(ada)
    assert Ticket.objects.count() == 1
