"""wss: by our own server, by daphne, and behind a proxy that ends TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.conf import settings

from tests.support.account import Account
from tests.support.people import ADA
from tests.support.phoenix_client import PhoenixClient, refusal
from tests.support.phoenix_js import PhoenixJs
from tests.support.tls import Certificate, TlsProxy

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.server import Site

both_servers = pytest.mark.parametrize("kind", ["uvicorn", "daphne"])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("tls"))


def tls_site(sites: Sites, kind: Any, certificate: Certificate) -> Site:
    arguments = (
        f"--ssl-certfile={certificate.certificate}",
        f"--ssl-keyfile={certificate.key}",
    )
    return sites(kind, scheme="https", arguments=arguments)


@both_servers
async def test_a_client_that_trusts_the_certificate_talks_over_wss(
    sites: Sites, kind: Any, certificate: Certificate
) -> None:
    site = tls_site(sites, kind, certificate)
    ada = await Account.log_in(ADA, site)
    async with await PhoenixClient.connect(
        site.socket_url, token=ada.access, ssl=certificate.client_context()
    ) as client:
        await client.join("bench:tls")
        big = {"text": "x" * 200_000}
        assert await client.call("bench:tls", "echo", big) == big


@both_servers
@pytest.mark.parametrize("transport", ["websocket", "longpoll"])
async def test_phoenix_js_works_over_tls(
    sites: Sites, kind: Any, certificate: Certificate, transport: str, monkeypatch: Any
) -> None:
    site = tls_site(sites, kind, certificate)
    ada = await Account.log_in(ADA, site)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(certificate.certificate))
    async with PhoenixJs("phoenix1816") as js:
        await js.open("a", f"{site.url}/socket", transport=transport, params={"token": ada.access})
        await js.opened("a")
        await js.join("a", "room", "bench:tls")
        assert (await js.push("room", "echo", {"n": 1}))["response"] == {"n": 1}


@pytest.fixture
def addresses_count() -> dict[str, str]:
    """One socket per address: who is counted as whom shows in who is let in."""
    return {"COMMSITE_BENCH": "0", "COMMSITE_SOCKETS_PER_ADDRESS": "1"}


async def _through(
    proxy: TlsProxy, address: str, token: str, certificate: Certificate
) -> PhoenixClient:
    proxy.client_address = address
    url = f"wss://127.0.0.1:{proxy.port}/socket/websocket"
    return await PhoenixClient.connect(url, token=token, ssl=certificate.client_context())


@both_servers
async def test_behind_a_trusted_proxy_clients_are_told_apart_by_their_own_addresses(
    sites: Sites, kind: Any, certificate: Certificate, addresses_count: dict[str, str]
) -> None:
    site = sites(kind, environment={**addresses_count, "TRUSTED_PROXIES": "127.0.0.1"})
    ada = await Account.log_in(ADA, site)
    async with (
        TlsProxy(site.port, certificate) as proxy,
        await _through(proxy, "203.0.113.1", ada.access, certificate) as one,
        await _through(proxy, "203.0.113.2", ada.access, certificate) as two,
    ):
        await one.heartbeat()
        await two.heartbeat()
        url = f"wss://127.0.0.1:{proxy.port}/socket/websocket"
        how = {"token": ada.access, "ssl": certificate.client_context()}
        assert await refusal(url, **how) in (403, 429)


@both_servers
async def test_what_an_unknown_proxy_says_about_addresses_is_not_believed(
    sites: Sites, kind: Any, certificate: Certificate, addresses_count: dict[str, str]
) -> None:
    site = sites(kind, environment=addresses_count)
    ada = await Account.log_in(ADA, site)
    async with (
        TlsProxy(site.port, certificate) as proxy,
        await _through(proxy, "203.0.113.1", ada.access, certificate),
    ):
        proxy.client_address = "203.0.113.2"
        url = f"wss://127.0.0.1:{proxy.port}/socket/websocket"
        how = {"token": ada.access, "ssl": certificate.client_context()}
        assert await refusal(url, **how) in (403, 429)


@both_servers
async def test_a_page_behind_a_trusted_proxy_opens_its_socket_by_cookie_from_its_https_origin(
    sites: Sites, kind: Any, certificate: Certificate
) -> None:
    site = sites(kind, environment={"TRUSTED_PROXIES": "127.0.0.1"})
    async with TlsProxy(site.port, certificate) as proxy:
        origin = f"https://127.0.0.1:{proxy.port}"
        cookie = await _log_in_by_form(origin, certificate)
        url = f"wss://127.0.0.1:{proxy.port}/socket/websocket"
        how: dict[str, Any] = {
            "ssl": certificate.client_context(),
            "additional_headers": {"Cookie": cookie},
        }
        async with await PhoenixClient.connect(url, origin=origin, **how) as client:
            await client.heartbeat()
        assert await refusal(url, origin="https://elsewhere.example", **how) == 403
        assert await refusal(url, **how) == 403


async def _log_in_by_form(origin: str, certificate: Certificate) -> str:
    """The session cookie that a browser would send."""
    transport = httpx.AsyncHTTPTransport(
        verify=certificate.client_context(), limits=httpx.Limits(max_keepalive_connections=0)
    )
    async with httpx.AsyncClient(base_url=origin, transport=transport) as browser:
        page = await browser.get("/login/")
        assert page.status_code == 200
        form = {
            "username": ADA.username,
            "password": ADA.password,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        answer = await browser.post("/login/", data=form, headers={"Referer": f"{origin}/login/"})
        assert answer.status_code == 302, answer.text[:500]
        name = settings.SESSION_COOKIE_NAME
        return f"{name}={browser.cookies[name]}"
