"""The pages for what goes wrong: in the site's style, with the way back, whatever is broken.

No test here may use a database: a page that asked one would fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from redis import RedisError

from commsite import error_pages

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("a secret detail")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret detail")


def uncounted(request: HttpRequest) -> HttpResponse:
    raise RedisError("a secret detail")


def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse("never")


urlpatterns = [
    path("forbidden/", forbidden),
    path("suspicious/", suspicious),
    path("broken/", broken),
    path("uncounted/", uncounted),
    path("form/", form),
    path("api/suspicious/", suspicious),
    path("", include("commsite.urls")),
]
handler400 = "commsite.error_pages.refused"
handler500 = "commsite.error_pages.crashed"

EACH = [
    ("get", "/suspicious/", 400),
    ("get", "/forbidden/", 403),
    ("post", "/form/", 403),
    ("get", "/nothing/here/", 404),
    ("get", "/broken/", 500),
    ("get", "/uncounted/", 503),
]


@pytest.fixture(autouse=True)
def here(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["testserver"]


@pytest.fixture
def browser() -> Client:
    """Somebody with a session that nobody can look up, who likes the dark."""
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.cookies["commsite_session"] = "x" * 32
    browser.cookies["theme"] = "dark"
    return browser


@pytest.mark.parametrize(("method", "address", "status"), EACH)
def test_an_error_has_a_page_of_the_site_with_the_way_back(
    browser: Client, method: str, address: str, status: int
) -> None:
    answer = getattr(browser, method)(address)

    page = answer.content.decode()
    assert answer.status_code == status
    assert 'data-theme="dark"' in page
    assert 'class="lone"' in page
    assert 'href="/"' in page
    assert page.count("<h1>") == 1
    assert "secret" not in page


def test_a_form_without_its_token_leads_back_to_its_page(browser: Client) -> None:
    here, elsewhere = (
        browser.post("/form/", headers={"referer": f"http://{host}/page/?a=1"}).content.decode()
        for host in ("testserver", "elsewhere.example")
    )

    assert 'href="http://testserver/page/?a=1"' in here
    assert "Open it again" not in elsewhere


def test_what_has_crashed_can_be_asked_for_again_where_that_repeats_nothing(
    browser: Client,
) -> None:
    page = browser.get("/broken/?page=2&x=%22").content.decode()

    assert 'href="/broken/?page=2&amp;x=%22"' in page
    assert (
        "Try again" not in Client(raise_request_exception=False).post("/broken/").content.decode()
    )


def test_a_host_that_is_none_of_ours_is_refused_with_the_page_and_its_policy(
    browser: Client,
) -> None:
    answer = browser.get("/", headers={"host": "elsewhere.example"})

    assert answer.status_code == 400
    assert 'class="lone"' in answer.content.decode()
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_below_api_a_refusal_is_json(browser: Client) -> None:
    answer = browser.get("/api/suspicious/")

    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_request")


def test_context_processors_that_fail_do_not_keep_the_page_back(
    browser: Client, settings: Settings
) -> None:
    (engine,) = settings.TEMPLATES
    options = {**engine["OPTIONS"], "context_processors": [f"{__name__}.broken"]}
    settings.TEMPLATES = [{**engine, "OPTIONS": options}]

    for address, status in (("/suspicious/", 400), ("/broken/", 500)):
        answer = browser.get(address)
        assert answer.status_code == status
        assert 'class="lone"' in answer.content.decode()


def test_without_a_page_there_are_still_words_and_a_way_back(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unbuilt(name: str) -> None:
        raise RuntimeError("the front end was not built")

    monkeypatch.setattr(error_pages, "get_template", unbuilt)

    answer = browser.get("/broken/")

    assert answer.status_code == 500
    assert answer.content.decode() == error_pages.LAST_WORDS
