"""Whatever ends a login closes its sockets, in every process, and for good."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest

from tests.support.account import Account
from tests.support.deadline import PATIENCE_S, eventually
from tests.support.people import ADA, ADMIN, GRACE, PASSWORD, Person
from tests.support.phoenix_client import PhoenixClient, refusal
from tests.support.server import manage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.integration.conftest import Sites
    from tests.support.redis import RedisServer
    from tests.support.server import Site

GONE, GOING_AWAY = 4401, 1001
LIVE = {"COMMSITE_BENCH": "0"}


class Browser(NamedTuple):
    """A browser that is logged in by cookie."""

    http: httpx.AsyncClient
    site: Site

    @classmethod
    async def log_in(cls, person: Person, site: Site) -> Browser:
        """Through the login page, as a person would."""
        http = httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=PATIENCE_S)
        browser = cls(http, site)
        form = {"username": person.username, "password": person.password}
        answer = await browser.submit("/login/", **form)
        assert answer.status_code == 302, answer.text
        return browser

    async def submit(self, path: str, **form: str) -> httpx.Response:
        """Sends a form with the token that its page came with."""
        if "csrftoken" not in self.http.cookies:
            await self.http.get("/login/")
        form["csrfmiddlewaretoken"] = self.http.cookies["csrftoken"]
        return await self.http.post(path, data=form, headers={"Referer": self.site.url})

    async def connect(self, site: Site, **how: Any) -> PhoenixClient:
        """The page's socket, at this or another process of the site."""
        return await PhoenixClient.connect(
            site.socket_url, additional_headers=self.cookies, **{"origin": site.url} | how
        )

    @property
    def cookies(self) -> dict[str, str]:
        """The header that a browser would add."""
        pairs = self.http.cookies.items()
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in pairs)}


@pytest.fixture
def cluster(redis: RedisServer, sites: Sites) -> tuple[Site, Site]:
    """One site of two processes, each on another kind of server."""
    environment = LIVE | {"REDIS_URL": redis.url}
    here = sites("uvicorn", environment=environment)
    there = sites("daphne", database_url=here.database_url, environment=environment)
    return here, there


async def closes(client: PhoenixClient, code: int = GONE) -> None:
    """The socket is closed with this code, long before its token would have ended."""
    assert await client.close_code() == code


async def _logout(browser: Browser, site: Site) -> None:
    await browser.submit("/logout/")


async def _change_password(browser: Browser, site: Site) -> None:
    new = "an entirely different sentence"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    answer = await browser.submit("/account/password/", **form)
    assert answer.status_code == 302, answer.text


async def _revoke_device(browser: Browser, site: Site) -> None:
    sessions = (await browser.http.get("/api/v1/sessions/")).json()["results"]
    (mine,) = [session["id"] for session in sessions if session["is_current"]]
    await browser.submit(f"/account/devices/{mine}/revoke/")


async def _deactivate(browser: Browser, site: Site) -> None:
    boss = await Browser.log_in(ADMIN, site)
    found = await boss.http.get("/admin/auth/user/?q=ada")
    (number,) = set(re.findall(r"/admin/auth/user/(\d+)/change/", found.text))
    answer = await boss.submit(
        f"/admin/auth/user/{number}/change/",
        username="ada",
        email="",
        first_name="",
        last_name="",
        date_joined_0="2026-01-01",
        date_joined_1="00:00:00",
        last_login_0="",
        last_login_1="",
    )
    assert answer.status_code == 302, answer.text[-2000:]
    await boss.http.aclose()


@pytest.mark.parametrize("end", [_logout, _change_password, _revoke_device, _deactivate])
async def test_what_ends_a_login_in_one_process_closes_its_socket_in_the_other(
    cluster: tuple[Site, Site], end: Callable[[Browser, Site], Awaitable[None]]
) -> None:
    here, there = cluster
    grace = await Account.log_in(GRACE, there)
    browser = await Browser.log_in(ADA, here)
    async with (
        await browser.connect(there) as page,
        await browser.connect(here) as other_page,
        await PhoenixClient.connect(there.socket_url, token=grace.access) as stranger,
    ):
        await page.heartbeat()
        await end(browser, here)
        await closes(page)
        await closes(other_page)
        assert page.waiting("closing")[0].payload["code"] == GONE
        await stranger.heartbeat()
    await browser.http.aclose()


async def test_a_revoked_token_comes_back_nowhere_not_even_after_a_restart(
    cluster: tuple[Site, Site],
) -> None:
    here, there = cluster
    ada = await Account.log_in(ADA, here)
    async with await PhoenixClient.connect(there.socket_url, token=ada.access) as gone:
        await ada.call("POST", "token/revoke/", refresh=ada.refresh)
        await closes(gone)
    for site in (here, there, here.restart()):
        assert await refusal(site.socket_url, token=ada.access) == 403


async def test_a_management_command_reaches_a_site_that_has_no_redis(sites: Sites) -> None:
    site = sites("uvicorn", environment=LIVE)
    ada = await Account.log_in(ADA, site)
    program = (
        "from django.contrib.auth.models import User;"
        "ada = User.objects.get(username='ada'); ada.is_active = False; ada.save()"
    )
    async with await PhoenixClient.connect(site.socket_url, token=ada.access) as client:
        manage("shell", "-c", program, DATABASE_URL=site.database_url)
        await closes(client)
    assert await refusal(site.socket_url, token=ada.access) == 403


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_socket_is_warned_lives_on_with_a_new_token_and_ends_without(
    sites: Sites, kind: Any
) -> None:
    short = {"COMMSITE_ACCESS_LIFETIME_S": "10", "COMMSITE_EXPIRY_WARNING_S": "7"}
    site = sites(kind, environment=LIVE | short)
    ada = await Account.log_in(ADA, site)
    async with (
        await PhoenixClient.connect(site.socket_url, token=ada.access) as renews,
        await PhoenixClient.connect(site.socket_url, token=ada.access) as forgets,
    ):
        warning = await renews.next("token_expiring", topic="client")
        assert warning.payload["expires_at"] > time.time()
        fresh = await ada.call("POST", "token/refresh/", refresh=ada.refresh)
        renewed = await renews.call("client", "renew_token", {"token": fresh["access"]})
        assert renewed["expires_at"] > warning.payload["expires_at"]
        assert await forgets.close_code() == GONE
        await renews.heartbeat()


async def test_an_administrator_sees_both_processes_sockets_and_disconnects_one(
    cluster: tuple[Site, Site],
) -> None:
    here, there = cluster
    ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
    boss = await Browser.log_in(ADMIN, here)
    async with (
        await PhoenixClient.connect(here.socket_url, token=ada.access) as stays,
        await PhoenixClient.connect(there.socket_url, token=grace.access) as goes,
    ):
        wanted = (await goes.join("client"))["connection_id"]
        other = (await stays.join("client"))["connection_id"]

        async def both_are_listed() -> bool:
            page = await boss.http.get("/admin/clients/connection/")
            assert page.status_code == 200
            return wanted in page.text and other in page.text

        await eventually(both_are_listed, "list of both connections")
        await boss.submit(
            "/admin/clients/connection/", action="disconnect", _selected_action=wanted
        )
        await closes(goes, GOING_AWAY)
        await stays.heartbeat()

        async def one_is_listed() -> bool:
            page = await boss.http.get("/admin/clients/connection/")
            return wanted not in page.text and other in page.text

        await eventually(one_is_listed, "list without the closed connection")
    await boss.http.aclose()


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_no_credential_of_a_handshake_reaches_the_log(sites: Sites, kind: Any) -> None:
    site = sites(kind, environment=LIVE)
    ada = await Account.log_in(ADA, site)
    ticket = (await ada.call("POST", "token/ticket/"))["ticket"]
    async with (
        await PhoenixClient.connect(site.socket_url, token=ada.access) as client,
        await PhoenixClient.connect(site.socket_url, query={"ticket": ticket}),
    ):
        await client.heartbeat()
    assert await refusal(site.socket_url, query={"ticket": ticket}) == 403
    assert await refusal(site.socket_url, token=ada.refresh) == 403
    site.stop()
    for secret in (ada.access, ada.refresh, ticket):
        assert secret not in site.log
        assert secret.rpartition(".")[2] not in site.log


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_ticket_is_for_one_handshake_from_the_origin_that_asked(
    sites: Sites, kind: Any
) -> None:
    site = sites(kind, environment=LIVE)
    browser = await Browser.log_in(ADA, site)
    headers = {
        "X-CSRFToken": browser.http.cookies["csrftoken"],
        "Origin": site.url,
        "Referer": site.url,
    }
    answer = await browser.http.post("/api/v1/token/ticket/", json={}, headers=headers)
    query = {"ticket": answer.json()["ticket"]}
    async with await PhoenixClient.connect(site.socket_url, query=query, origin=site.url) as page:
        await page.heartbeat()
    assert await refusal(site.socket_url, query=query, origin=site.url) == 403
    assert await refusal(site.socket_url, additional_headers=browser.cookies) == 403
    await browser.http.aclose()
