"""How REST speaks, whatever the view: errors in one form, OpenAPI without a warning, a page for it."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.http import Http404
from django.test import Client
from redis import RedisError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from commsite.clients.models import ClientSession
from commsite.realtime.errors import REASONS, PushError
from commsite.rest import CursorPage, answer_with_reason

if TYPE_CHECKING:
    from pathlib import Path


def answer(error: Exception) -> Any:
    return answer_with_reason(error, {})


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (PushError("not_found"), 404, "not_found"),
        (PushError("conflict"), 409, "conflict"),
        (PushError("overloaded", retry_after_ms=1500), 503, "overloaded"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "forbidden"),
        (exceptions.NotAuthenticated(), 401, "unauthorized"),
        (exceptions.ParseError(), 400, "invalid_payload"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (exceptions.Throttled(wait=2), 429, "rate_limited"),
    ],
)
def test_every_error_has_a_reason_and_a_sentence(
    error: Exception, status: int, reason: str
) -> None:
    found = answer(error)
    assert (found.status_code, found.data["reason"]) == (status, reason)
    assert REASONS[reason].http_status == status
    assert re.search(r"\w+.*", found.data["message"])


def test_when_to_come_back_is_said_in_both_languages() -> None:
    found = answer(PushError("overloaded", retry_after_ms=1500))
    assert found.data["retry_after_ms"] == 1500
    assert found["Retry-After"] == "2"


def test_what_cannot_be_counted_for_want_of_redis_is_asked_for_again_later() -> None:
    found = answer(RedisError("away"))
    assert (found.status_code, found.data["reason"]) == (503, "overloaded")
    assert found["Retry-After"] == "2"


def test_a_wrong_field_is_named() -> None:
    found = answer(exceptions.ValidationError({"title": ["Too long."]}))
    assert found.data["reason"] == "invalid_payload"
    assert found.data["fields"] == {"title": ["Too long."]}


def test_details_of_a_refusal_reach_the_client() -> None:
    found = answer(PushError("invalid_payload", expected={"body": "string"}))
    assert found.data["expected"] == {"body": "string"}


def test_a_crash_is_not_dressed_up_as_an_answer() -> None:
    assert answer(RuntimeError("bug")) is None


def test_the_openapi_document_is_valid_and_without_a_warning(tmp_path: Path) -> None:
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml")
    )
    text = (tmp_path / "schema.yaml").read_text()
    for path in ("token/", "token/refresh/", "token/ticket/", "sessions/", "preferences/"):
        assert f"/api/v1/{path}:" in text


@pytest.mark.django_db
def test_the_document_and_its_page_are_served_to_anyone() -> None:
    browser = Client()
    assert browser.get("/api/schema/").status_code == 200
    page = browser.get("/api/docs/")
    assert page.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page.content.decode())


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/token", "/api/", "/api/v2/x"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_address_that_leads_nowhere_says_so_in_json(path: str, method: str) -> None:
    found = getattr(Client(), method)(path)
    assert (found.status_code, found.json()["reason"]) == (404, "not_found")


def test_a_crash_below_api_is_told_in_json_without_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("commsite.rest.NoSuchAddress.initial", broken)
    found = Client(raise_request_exception=False).get("/api/v1/nothing/")
    assert (found.status_code, found.json()["reason"]) == (500, "internal_error")
    assert "secret" not in found.content.decode()


# --- What nobody who means well sends ------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize(
    "cursor", ["p=garbage", "p=\0", "r=1&p=2020", "p=9999-99-99", "p=0001-01-01T00:00:00%2B14:00"]
)
def test_a_cursor_that_is_not_ours_leads_nowhere(cursor: str) -> None:
    ada = User.objects.create_user("ada")
    request = APIRequestFactory().get("/", {"cursor": base64.b64encode(cursor.encode()).decode()})
    rows = ClientSession.objects.filter(user=ada)
    with pytest.raises(exceptions.NotFound):
        CursorPage().paginate_queryset(rows, Request(request))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100_000,
        b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"token": "\\ud800"}',
        b'{"token": "\xed\xa0\x80"}',
        b'{"token": NaN}',
        b"\xff",
    ],
    ids=["open", "abyss", "deep", "half a character", "the same in UTF-8", "NaN", "Latin-1"],
)
def test_a_body_that_is_no_sound_json_is_a_bad_request(body: bytes) -> None:
    found = Client().post("/api/v1/token/verify/", body, content_type="application/json")
    assert (found.status_code, found.json()["reason"]) == (400, "invalid_payload")


# --- Headers -------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("is_secure", "address"), [(False, "ws://testserver"), (True, "wss://testserver")]
)
def test_a_page_may_connect_to_its_own_socket_in_every_browser(
    is_secure: bool, address: str
) -> None:
    policy = Client().get("/login/", secure=is_secure)["Content-Security-Policy"]
    connect = next(part for part in policy.split("; ") if part.startswith("connect-src"))
    assert connect.split() == ["connect-src", "'self'", address]


@pytest.mark.django_db
def test_the_policy_lets_no_inline_script_run() -> None:
    policy = Client().get("/login/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.django_db
def test_the_admin_needs_no_inline_script() -> None:
    page = Client().get("/admin/login/").content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page)
