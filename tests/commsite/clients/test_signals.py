"""What Django's accounts do, in terms of client sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.test import Client

from commsite.clients import actions, queries
from commsite.clients.models import ClientSession, Revocation
from commsite.clients.sessions import CLIENT_SESSION_KEY
from tests.commsite.clients.logins import PASSWORD, pair_for, session_of

if TYPE_CHECKING:
    from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


def test_a_second_login_in_the_same_browser_keeps_its_session(ada: User) -> None:
    browser = Client()
    browser.force_login(ada)
    first = browser.session[CLIENT_SESSION_KEY]
    browser.post("/login/", {"username": "ada", "password": PASSWORD})
    browser.force_login(ada)
    assert browser.session[CLIENT_SESSION_KEY] == first
    assert ada.client_sessions.count() == 1


def test_another_user_in_the_same_browser_gets_another_session(ada: User, grace: User) -> None:
    browser = Client()
    browser.force_login(ada)
    browser.force_login(grace)
    assert browser.session[CLIENT_SESSION_KEY] == str(grace.client_sessions.get().id)


def test_a_logout_ends_the_browsers_session_and_keeps_the_row(ada: User) -> None:
    browser = Client()
    browser.force_login(ada)
    browser.logout()
    assert ada.client_sessions.get().revoked_reason == "logout"


def test_a_logout_leaves_the_users_other_sessions(ada: User) -> None:
    pair, browser = pair_for(ada), Client()
    browser.force_login(ada)
    browser.logout()
    assert not session_of(pair).is_revoked


def test_a_login_to_which_a_better_hash_is_stored_ends_nothing(ada: User, api: APIClient) -> None:
    pair = pair_for(ada)
    old = PBKDF2PasswordHasher().encode(PASSWORD, "saltsalt", 1)
    User.objects.filter(pk=ada.pk).update(password=old)

    api.post("/api/v1/token/", {"username": "ada", "password": PASSWORD})

    assert User.objects.get(pk=ada.pk).password != old
    assert not session_of(pair).is_revoked
    assert queries.token_version(ada.pk) == 0


def test_a_save_that_changes_something_else_ends_nothing(ada: User) -> None:
    pair = pair_for(ada)
    ada.first_name = "Ada"
    ada.save()
    ada.save(update_fields=["last_login"])
    assert not session_of(pair).is_revoked
    assert not Revocation.objects.exists()


def test_a_password_made_unusable_ends_everything(ada: User) -> None:
    pair = pair_for(ada)
    ada.set_unusable_password()
    ada.save()
    assert session_of(pair).revoked_reason == "password_changed"


def test_a_password_saved_alone_is_a_changed_password(ada: User) -> None:
    pair = pair_for(ada)
    ada.set_password("another long sentence")
    ada.save(update_fields=["password"])
    assert session_of(pair).is_revoked


def test_a_new_user_is_no_change_of_anything() -> None:
    User.objects.create_user("new", password=PASSWORD)
    assert not Revocation.objects.exists()


def test_an_administrator_who_changes_a_password_in_the_admin_ends_that_users_sessions(
    ada: User, boss: User
) -> None:
    pair, browser = pair_for(ada), Client()
    browser.force_login(boss)
    answer = browser.post(
        f"/admin/auth/user/{ada.pk}/password/",
        {"password1": "another long sentence", "password2": "another long sentence"},
    )
    assert answer.status_code == 302
    assert session_of(pair).revoked_reason == "password_changed"
    assert browser.get("/admin/").status_code == 200


def test_versions_only_go_up(ada: User) -> None:
    for expected in (1, 2, 3):
        ada.set_password(f"sentence number {expected}")
        ada.save()
        assert queries.token_version(ada.pk) == expected


def test_what_can_be_forgotten_is_removed_with_the_next_revocation(
    ada: User, settings: Any
) -> None:
    pair_for(ada)
    first, second = (session_of(pair_for(ada)) for _ in range(2))
    actions.revoke_session(first.id, ClientSession.Ended.REVOKED)
    settings.ACCESS_LIFETIME_S = -3600
    actions.revoke_session(second.id, ClientSession.Ended.REVOKED)
    assert [row.session_id for row in Revocation.objects.all()] == [second.id]
