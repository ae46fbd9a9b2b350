"""Token endpoints: issued by password, good once to refresh, void for good once revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from django.conf import settings
from django.utils import timezone

from commsite.clients import actions, tokens
from commsite.clients.models import ClientSession, Revocation
from commsite.realtime.errors import PushError
from tests.commsite.clients.logins import (
    PASSWORD,
    ending_in,
    forget_everything,
    pair_for,
    session_of,
    speaking_for,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

TOKEN, REFRESH = "/api/v1/token/", "/api/v1/token/refresh/"
VERIFY, REVOKE = "/api/v1/token/verify/", "/api/v1/token/revoke/"


def log_in(api: APIClient, **changes: str) -> Any:
    return api.post(TOKEN, {"username": "ada", "password": PASSWORD} | changes)


def claims(encoded: str) -> dict[str, Any]:
    return jwt.decode(encoded, options={"verify_signature": False})


# --- Issue ---------------------------------------------------------------------------------------
def test_a_name_and_a_password_give_an_access_and_a_refresh_token(
    api: APIClient, ada: User
) -> None:
    answer = log_in(api)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}
    identity = tokens.verify(answer.json()["access"])
    assert (identity.user_id, identity.username, identity.token_version) == (ada.pk, "ada", 0)


def test_each_login_is_a_client_session_of_its_own(api: APIClient, ada: User) -> None:
    first, second = log_in(api), log_in(api, name="My phone")
    ids = {claims(answer.json()["access"])["sid"] for answer in (first, second)}
    assert ids == {str(session.id) for session in ada.client_sessions.all()}
    assert ada.client_sessions.filter(name="My phone", kind="token").exists()


def test_a_client_without_a_name_is_called_after_its_user_agent(api: APIClient, ada: User) -> None:
    api.post(
        TOKEN,
        {"username": "ada", "password": PASSWORD},
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"},
    )
    assert ada.client_sessions.get().name == "Firefox on Linux"


def test_a_token_names_its_issuer_its_audience_and_its_end(api: APIClient, ada: User) -> None:
    access = claims(log_in(api).json()["access"])
    assert (access["iss"], access["aud"]) == ("commsite", "commsite")
    assert access["exp"] - access["iat"] == settings.ACCESS_LIFETIME_S == 900


def test_tokens_are_signed_with_a_long_key_of_their_own() -> None:
    key = str(settings.SIMPLE_JWT["SIGNING_KEY"])
    assert len(key) >= 32
    assert key != settings.SECRET_KEY


@pytest.mark.parametrize("wrong", [{"password": "nope"}, {"username": "nobody"}])
def test_a_wrong_name_and_a_wrong_password_are_told_apart_by_nobody(
    api: APIClient, ada: User, wrong: dict[str, str]
) -> None:
    answer = log_in(api, **wrong)
    assert answer.status_code == 401
    assert answer.json() == {
        "reason": "bad_credentials",
        "message": "No active account has this name and password.",
    }


def test_an_inactive_user_gets_no_token(api: APIClient, ada: User) -> None:
    ada.is_active = False
    ada.save()
    assert log_in(api).status_code == 401
    assert not ada.client_sessions.exists()


def test_a_request_of_the_wrong_form_is_told_which_fields(api: APIClient) -> None:
    answer = api.post(TOKEN, {"username": "ada"})
    assert answer.status_code == 400
    assert answer.json()["reason"] == "invalid_payload"
    assert "password" in answer.json()["fields"]


def test_a_body_that_is_no_json_is_an_answer_not_a_crash(api: APIClient) -> None:
    answer = api.post(TOKEN, "{", content_type="application/json")
    assert (answer.status_code, answer.json()["reason"]) == (400, "invalid_payload")


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null"])
def test_a_body_that_is_no_object_is_refused_by_every_endpoint(api: APIClient, body: str) -> None:
    for path in (TOKEN, REFRESH, VERIFY, REVOKE):
        answer = api.post(path, body, content_type="application/json")
        assert (path, answer.status_code) == (path, 400)


def test_the_demo_password_opens_nothing_in_production(
    api: APIClient, ada: User, settings: Any
) -> None:
    ada.set_password("commsite-demo")
    ada.save()
    settings.ARE_DEMO_PASSWORDS_ALLOWED = False
    assert log_in(api, password="commsite-demo").status_code == 401
    settings.ARE_DEMO_PASSWORDS_ALLOWED = True
    assert log_in(api, password="commsite-demo").status_code == 200


# --- Refresh -------------------------------------------------------------------------------------
def test_a_refresh_token_buys_a_pair_of_the_same_session(api: APIClient, ada: User) -> None:
    first = log_in(api).json()
    answer = api.post(REFRESH, {"refresh": first["refresh"]})
    assert answer.status_code == 200
    second = answer.json()
    assert second["refresh"] != first["refresh"]
    assert claims(second["access"])["sid"] == claims(first["access"])["sid"]
    assert tokens.verify(second["access"]).username == "ada"


def test_refreshing_goes_on_from_token_to_token(api: APIClient, ada: User) -> None:
    refresh = log_in(api).json()["refresh"]
    for _ in range(5):
        answer = api.post(REFRESH, {"refresh": refresh})
        assert answer.status_code == 200
        refresh = answer.json()["refresh"]


def test_a_used_refresh_token_ends_the_whole_session(api: APIClient, ada: User) -> None:
    first = log_in(api).json()
    second = api.post(REFRESH, {"refresh": first["refresh"]}).json()

    replay = api.post(REFRESH, {"refresh": first["refresh"]})

    assert (replay.status_code, replay.json()["reason"]) == (401, "token_revoked")
    assert api.post(REFRESH, {"refresh": second["refresh"]}).status_code == 401
    assert api.post(VERIFY, {"token": second["access"]}).status_code == 401
    assert ada.client_sessions.get().revoked_reason == "refresh_reused"


def test_a_replay_in_one_session_leaves_the_users_other_sessions_alone(
    api: APIClient, ada: User
) -> None:
    other = pair_for(ada)
    first = log_in(api).json()
    api.post(REFRESH, {"refresh": first["refresh"]})
    api.post(REFRESH, {"refresh": first["refresh"]})
    assert api.post(REFRESH, {"refresh": other.refresh}).status_code == 200


def test_a_call_that_was_under_way_when_another_won_is_a_lost_race_not_a_replay(ada: User) -> None:
    pair = pair_for(ada)
    received_at = timezone.now()
    winner = actions.refresh_tokens(pair.refresh, received_at)

    with pytest.raises(PushError) as lost:
        actions.refresh_tokens(pair.refresh, received_at)

    assert lost.value.reason == "conflict"
    assert actions.refresh_tokens(winner.refresh, timezone.now())


def test_a_call_that_came_after_the_winner_is_a_replay(ada: User) -> None:
    pair = pair_for(ada)
    actions.refresh_tokens(pair.refresh, timezone.now())
    with pytest.raises(PushError) as refused:
        actions.refresh_tokens(pair.refresh, timezone.now() + timedelta(microseconds=1))
    assert refused.value.reason == "token_revoked"
    assert session_of(pair).is_revoked


def test_a_deleted_users_refresh_token_is_refused_politely(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    ada.delete()
    answer = api.post(REFRESH, {"refresh": pair.refresh})
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_revoked")


def test_a_deactivated_users_refresh_token_is_refused(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    # As a queryset changes it: no signal, no revocation; the row alone must be enough.
    type(ada).objects.filter(pk=ada.pk).update(is_active=False)
    assert api.post(REFRESH, {"refresh": pair.refresh}).status_code == 401


def test_an_access_token_refreshes_nothing(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    answer = api.post(REFRESH, {"refresh": pair.access})
    assert (answer.status_code, answer.json()["reason"]) == (401, "bad_credentials")


def test_an_expired_refresh_token_says_so(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    old = ending_in(tokens.RefreshToken, pair.refresh, -1)
    answer = api.post(REFRESH, {"refresh": old})
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_expired")
    assert not session_of(pair).is_revoked


def test_no_refresh_token_is_stored(ada: User) -> None:
    pair = pair_for(ada)
    stored = ClientSession.objects.filter(pk=session_of(pair).pk).values().get()
    assert pair.refresh not in str(stored)
    assert pair.refresh.rpartition(".")[2] not in str(stored)


# --- Verify --------------------------------------------------------------------------------------
def test_verify_tells_what_a_good_token_is(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    access = api.post(VERIFY, {"token": pair.access})
    refresh = api.post(VERIFY, {"token": pair.refresh})
    assert (access.status_code, access.json()["token_type"]) == (200, "access")
    assert (refresh.status_code, refresh.json()["token_type"]) == (200, "refresh")


def test_verify_knows_that_a_refresh_token_was_used(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    actions.refresh_tokens(pair.refresh, timezone.now())
    assert api.post(VERIFY, {"token": pair.refresh}).status_code == 401
    assert not session_of(pair).is_revoked


def _forged(pair: tokens.Pair, **options: Any) -> str:
    return jwt.encode(claims(pair.access) | options.pop("claims", {}), **options)


def test_forged_tokens_are_refused(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    header, payload, signature = pair.access.split(".")
    right_key = settings.SIMPLE_JWT["SIGNING_KEY"]
    for forged in (
        "",
        "x",
        "a.b.c",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[::-1]}",
        _forged(pair, key="another key that is long enough to be one"),
        _forged(pair, key="", algorithm="none"),
        _forged(pair, key=right_key, claims={"iss": "elsewhere"}),
        _forged(pair, key=right_key, claims={"aud": "elsewhere"}),
        _forged(pair, key=right_key, claims={"sub": "not a number"}),
        _forged(pair, key=right_key, claims={"ver": None}),
        "e" * 100_000,
    ):
        with pytest.raises(PushError) as refused:
            tokens.verify(forged)
        assert refused.value.reason == "bad_credentials", forged[:60]


# --- Revoke --------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["access", "refresh"])
@pytest.mark.parametrize("name", ["token", None])
def test_either_token_ends_its_session(
    api: APIClient, ada: User, kind: str, name: str | None
) -> None:
    pair = pair_for(ada)
    answer = api.post(REVOKE, {name or kind: getattr(pair, kind)})
    assert answer.status_code == 204
    assert api.post(VERIFY, {"token": pair.access}).status_code == 401
    assert api.post(REFRESH, {"refresh": pair.refresh}).status_code == 401
    assert speaking_for(pair).get("/api/v1/sessions/").status_code == 401


def test_revoking_twice_is_as_good_as_once(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    for _ in range(2):
        assert api.post(REVOKE, {"token": pair.refresh}).status_code == 204
    assert Revocation.objects.count() == 1


def test_a_revoke_wants_exactly_one_token(api: APIClient, ada: User) -> None:
    pair = pair_for(ada)
    assert api.post(REVOKE, {}).status_code == 400
    assert api.post(REVOKE, {"access": pair.access, "refresh": pair.refresh}).status_code == 400
    assert not session_of(pair).is_revoked


def test_a_revoke_with_nonsense_is_refused(api: APIClient) -> None:
    answer = api.post(REVOKE, {"token": "nonsense"})
    assert (answer.status_code, answer.json()["reason"]) == (401, "bad_credentials")


# --- REST by token -------------------------------------------------------------------------------
def test_rest_by_a_revoked_token_is_refused_even_by_a_process_that_heard_nothing(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = pair_for(ada)
    client = speaking_for(pair)
    assert client.get("/api/v1/sessions/").status_code == 200
    actions.revoke_session(session_of(pair).id, ClientSession.Ended.REVOKED)
    forget_everything(monkeypatch)
    answer = client.get("/api/v1/sessions/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_revoked")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_rest_by_an_expired_token_says_that_it_expired(ada: User) -> None:
    pair = pair_for(ada)
    old = ending_in(tokens.AccessToken, pair.access, -1)
    answer = speaking_for(tokens.Pair(old, "")).get("/api/v1/sessions/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "token_expired")


def test_rest_without_any_login_is_refused(api: APIClient) -> None:
    answer = api.get("/api/v1/sessions/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "unauthorized")
