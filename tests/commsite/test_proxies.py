"""Whose word counts for a client's address and scheme: a trusted proxy's, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import AsyncRequestFactory, RequestFactory

from commsite.proxies import TrustedProxyMiddleware

PROXY, CLIENT, LIAR = "10.0.0.1", "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def _trusted(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8::/64"]


def seen(peer: str, **headers: str) -> tuple[str, bool]:
    """The address and whether it is secure, as views see them."""
    found: list[tuple[str, bool]] = []

    def view(request: Any) -> Any:
        found.append((request.META["REMOTE_ADDR"], request.is_secure()))

    TrustedProxyMiddleware(view)(RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers))
    return found[0]


@pytest.mark.parametrize("peer", [PROXY, "2001:db8::5"])
def test_a_trusted_proxy_is_believed(peer: str) -> None:
    headers = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
    assert seen(peer, **headers) == (CLIENT, True)


def test_what_the_client_itself_put_in_front_is_not_believed() -> None:
    assert seen(PROXY, **{"X-Forwarded-For": f"{LIAR}, {CLIENT}"}) == (CLIENT, False)


def test_a_chain_of_trusted_proxies_is_followed_to_its_begin() -> None:
    assert seen(PROXY, **{"X-Forwarded-For": f"{LIAR}, {CLIENT}, 10.9.9.9"})[0] == CLIENT


def test_nobody_else_is_believed() -> None:
    headers = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
    assert seen(LIAR, **headers) == (LIAR, False)
    assert seen("", **headers) == ("", False)


def test_our_own_mark_cannot_be_sent_in() -> None:
    for peer in (PROXY, LIAR):
        assert seen(peer, **{"X-Commsite-Scheme": "https"})[1] is False


def test_a_proxy_that_says_nothing_changes_nothing() -> None:
    assert seen(PROXY) == (PROXY, False)


async def test_it_does_the_same_for_an_asynchronous_chain() -> None:
    async def view(request: Any) -> Any:
        return request.META["REMOTE_ADDR"]

    request = AsyncRequestFactory().get("/", headers={"X-Forwarded-For": CLIENT})
    request.META["REMOTE_ADDR"] = PROXY
    answer: Any = TrustedProxyMiddleware(view)(request)
    assert await answer == CLIENT
