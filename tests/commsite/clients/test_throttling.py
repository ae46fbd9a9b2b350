"""Guessing: five failures of one name from one address close that pair; addresses have rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from rest_framework.throttling import ScopedRateThrottle

from tests.commsite.clients.logins import PASSWORD, pair_for, speaking_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/token/"


def log_in(api: APIClient, password: str, address: str = "192.0.2.1", username: str = "ada") -> Any:
    return api.post(TOKEN, {"username": username, "password": password}, REMOTE_ADDR=address)


def guess_until_locked(api: APIClient) -> Any:
    for _ in range(5):
        answer = log_in(api, "guess")
    return answer


def test_after_five_failures_even_the_right_password_waits(api: APIClient, ada: User) -> None:
    guess_until_locked(api)
    answer = log_in(api, PASSWORD)
    assert (answer.status_code, answer.json()["reason"]) == (429, "rate_limited")
    assert answer.json()["retry_after_ms"] == 900_000
    assert answer["Retry-After"] == "900"
    assert not ada.client_sessions.exists()


def test_the_last_failure_says_that_it_was_the_last(api: APIClient, ada: User) -> None:
    assert [log_in(api, "guess").status_code for _ in range(5)] == [401, 401, 401, 401, 429]


def test_the_same_name_from_elsewhere_may_log_in(api: APIClient, ada: User) -> None:
    guess_until_locked(api)
    assert log_in(api, PASSWORD, address="198.51.100.1").status_code == 200


def test_another_name_from_there_may_log_in(api: APIClient, ada: User, grace: User) -> None:
    guess_until_locked(api)
    assert log_in(api, PASSWORD, username="grace").status_code == 200


def test_a_success_forgives_the_failures_before_it(api: APIClient, ada: User) -> None:
    for _ in range(3):
        for _ in range(4):
            assert log_in(api, "guess").status_code == 401
        assert log_in(api, PASSWORD).status_code == 200


def test_a_forged_forwarded_for_header_does_not_help(api: APIClient, ada: User) -> None:
    for number in range(5):
        api.post(
            TOKEN,
            {"username": "ada", "password": "guess"},
            REMOTE_ADDR="192.0.2.1",
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
        )
    assert log_in(api, PASSWORD).status_code == 429


def test_the_login_page_is_closed_too(api: APIClient, ada: User) -> None:
    guess_until_locked(api)
    answer = Client().post(
        "/login/", {"username": "ada", "password": PASSWORD}, REMOTE_ADDR="192.0.2.1"
    )
    assert answer.status_code == 429
    assert answer["Retry-After"] == "900"


@pytest.fixture
def three_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = dict.fromkeys(("token", "refresh", "ticket"), "3/min")
    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", rates)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"username": "nobody", "password": "x"}),
        ("refresh/", {"refresh": "x"}),
        ("verify/", {"token": "x"}),
        ("revoke/", {"token": "x"}),
    ],
)
def test_token_endpoints_have_a_rate_per_address(
    api: APIClient, db: None, three_a_minute: None, path: str, body: dict[str, str]
) -> None:
    codes = [api.post(f"{TOKEN}{path}", body).status_code for _ in range(3)]
    assert 429 not in codes
    answer = api.post(f"{TOKEN}{path}", body)
    assert (answer.status_code, answer.json()["reason"]) == (429, "rate_limited")
    assert int(answer["Retry-After"]) > 0
    assert answer.json()["retry_after_ms"] > 0
    assert api.post(f"{TOKEN}{path}", body, REMOTE_ADDR="198.51.100.9").status_code != 429


def test_tickets_have_a_rate_per_user(ada: User, grace: User, three_a_minute: None) -> None:
    client = speaking_for(pair_for(ada))
    codes = [client.post(f"{TOKEN}ticket/", {}).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    assert speaking_for(pair_for(grace)).post(f"{TOKEN}ticket/", {}).status_code == 200
