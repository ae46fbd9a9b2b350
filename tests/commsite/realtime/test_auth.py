"""Handshakes: which credential counts, which origins may come, whose address it is."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.conf import settings as site_settings
from hypothesis import given
from hypothesis import strategies as st

from commsite.realtime import auth
from commsite.realtime.auth import Credential, Refused

PREFIX = auth.BEARER_PREFIX
COOKIE = f"{site_settings.SESSION_COOKIE_NAME}=abc"


def scope(
    query: str = "", *, kind: str = "websocket", protocols: tuple[str, ...] = (), **headers: Any
) -> dict[str, Any]:
    lines = [
        (name.replace("_", "-").encode(), line.encode())
        for name, value in headers.items()
        for line in ([value] if isinstance(value, str) else value)
    ]
    return {
        "type": kind,
        "query_string": query.encode(),
        "headers": lines,
        "subprotocols": list(protocols),
        "client": ("192.0.2.1", 1),
    }


def bearer(token: str) -> str:
    return PREFIX + base64.b64encode(token.encode()).decode().rstrip("=")


# -- parameters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("vsn=2.0.0", {"vsn": "2.0.0"}),
        ("a%5Bb%5D=1&a%5Bc%5D%5B0%5D=2", {"a": {"b": "1", "c": {"0": "2"}}}),
        ("a=1&a=2", {"a": "2"}),
        ("&&a=1&&vsn=2.0.0&", {"a": "1", "vsn": "2.0.0"}),
        ("a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b=1&[c]=2&a]=3", {"a[b": "1", "[c]": "2", "a]": "3"}),
        ("empty=&flag", {"empty": "", "flag": ""}),
        ("u=undefined&t=true&%C3%A9=%E2%82%AC", {"u": "undefined", "t": "true", "é": "€"}),
        ("", {}),
    ],
)
def test_the_query_is_read_as_plug_reads_it(query: str, expected: dict[str, Any]) -> None:
    assert auth.parameters(scope(query)) == expected


@given(st.text(max_size=60))
def test_any_query_is_read_without_failing(query: str) -> None:
    asked = scope()
    asked["query_string"] = query.encode("utf-8", "surrogatepass")
    auth.parameters(asked)
    auth.credential_from(asked)


def test_very_deep_brackets_are_read_without_failing() -> None:
    auth.parameters(scope("a" + "[b]" * 3000 + "=1"))


# -- credentials


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (scope(), None),
        (scope("token=t"), Credential("token", "t")),
        (scope("ticket=k&token=t"), Credential("ticket", "k")),
        (scope("token=t", cookie=COOKIE), Credential("token", "t")),
        (scope(cookie=COOKIE), Credential("cookie", COOKIE)),
        (scope(cookie="other=1"), None),
        (scope("token=t", protocols=("phoenix", bearer("b"))), Credential("bearer", "b")),
        (scope("token=first&token=second"), Credential("token", "first")),
        (scope("token=poll.x", kind="http", cookie=COOKIE), Credential("cookie", COOKIE)),
        (scope("token=poll.x", cookie=COOKIE), Credential("token", "poll.x")),
        (scope("token=t&token=poll.x"), Credential("token", "t")),
        (scope("token=", cookie=COOKIE), Credential("token", "")),
        (scope(kind="http", x_phoenix_authtoken="raw"), Credential("bearer", "raw")),
        (scope("token=t", kind="http"), Credential("token", "t")),
    ],
)
def test_the_first_credential_of_the_contracts_order_counts(asked: Any, expected: Any) -> None:
    assert auth.credential_from(asked) == expected


@pytest.mark.parametrize("garbage", ["***", "a", "=", "\x7f", "gICA"])
def test_a_bearer_that_cannot_be_read_never_falls_through(garbage: str) -> None:
    asked = scope("token=good", protocols=("phoenix", PREFIX + garbage), cookie=COOKIE)
    assert auth.credential_from(asked) == Credential("bearer", "")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), st.booleans())
def test_a_bearer_is_read_in_either_alphabet_padded_or_not(token: str, is_padded: bool) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(token.encode()).decode()
        if not is_padded:
            text = text.rstrip("=")
        asked = scope(protocols=(PREFIX + text, "phoenix"))
        assert auth.credential_from(asked) == Credential("bearer", token)


def test_a_credential_does_not_show_in_logs() -> None:
    assert "secret" not in repr(Credential("token", "secret"))


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ((), None),
        (("phoenix",), "phoenix"),
        (("phoenix", bearer("t")), "phoenix"),
        ((bearer("t"), "phoenix"), "phoenix"),
        ((bearer("t"),), None),
        (("graphql-ws",), None),
    ],
)
def test_phoenix_is_answered_when_offered_and_a_token_never(
    offered: tuple[str, ...], answered: str | None
) -> None:
    assert auth.subprotocol_for(scope(protocols=offered)) == answered


# -- origins


@pytest.fixture(autouse=True)
def origins(settings: Any) -> Any:
    settings.ALLOWED_ORIGINS = []
    settings.ALLOWED_HOSTS = ["site.example", "[::1]"]
    settings.TRUSTED_PROXIES = []
    return settings


def may_come(kind: Any = "token", **headers: Any) -> bool:
    try:
        auth.check_origin(scope(**headers), kind)
    except Refused:
        return False
    return True


def test_a_bad_origin_is_403() -> None:
    with pytest.raises(Refused, match="403 bad_origin"):
        auth.check_origin(scope(origin="https://evil.example", host="site.example"), "token")


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://site.example", "site.example", True),
        ("http://site.example:8000", "site.example:8000", True),
        ("https://SITE.example", "site.EXAMPLE", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("https://evil.example", "site.example", False),
        ("https://evil.example", "evil.example", False),  # a host that is not ours: DNS rebinding
        ("https://site.example.evil.example", "site.example", False),
        ("https://site.example:444", "site.example", False),
        ("ftp://site.example", "site.example", False),
        ("null", "site.example", False),
        ("", "site.example", False),
        ("http://[", "site.example", False),
        ("http://site.example:99999", "site.example:99999", False),
        ("file://", "", False),
    ],
)
def test_without_a_list_only_this_very_site_may_come(
    origin: str, host: str, expected: bool
) -> None:
    assert may_come(origin=origin, host=host) is expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://app.example", True),
        ("https://app.example:443", True),
        ("http://app.example", False),
        ("https://sub.wild.example", True),
        ("https://wild.example", True),
        ("https://evilwild.example", False),
        ("http://dev.example:3000", True),
        ("http://dev.example", False),
        ("https://site.example", False),
        ("https://app.example:x", False),
    ],
)
def test_with_a_list_it_decides(origins: Any, origin: str, expected: bool) -> None:
    origins.ALLOWED_ORIGINS = [
        "https://app.example",
        "https://*.wild.example",
        "http://dev.example:3000",
    ]
    assert may_come(origin=origin, host="site.example") is expected


@pytest.mark.parametrize("kind", ["bearer", "ticket", "token"])
def test_who_shows_a_credential_of_its_own_needs_no_origin(kind: str) -> None:
    assert may_come(kind)


def test_a_cookie_needs_an_origin_or_the_browsers_word_that_it_is_the_same() -> None:
    assert not may_come("cookie")
    assert not may_come("cookie", sec_fetch_site="cross-site")
    assert may_come("cookie", sec_fetch_site="same-origin")
    assert may_come("cookie", origin="https://site.example", host="site.example")


# -- addresses


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("203.0.113.9",), "192.0.2.1"),  # nobody we trust says so
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("6.6.6.6, 203.0.113.9, 10.0.0.2",), "203.0.113.9"),
        ("10.0.0.1", ("6.6.6.6", "203.0.113.9"), "203.0.113.9"),  # the proxy adds a line of its own
        ("10.0.0.1", ("10.0.0.2",), "10.0.0.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("::ffff:10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("2001:db8::1", ("203.0.113.9",), "203.0.113.9"),
    ],
)
def test_only_trusted_proxies_say_whose_address_it_is(
    origins: Any, peer: str, forwarded: tuple[str, ...], expected: str
) -> None:
    origins.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8::/32"]
    asked = scope(x_forwarded_for=forwarded)
    asked["client"] = (peer, 1)
    assert auth.address_of(asked) == expected


def test_a_connection_without_an_address_has_an_empty_one() -> None:
    asked = scope()
    asked["client"] = None
    assert auth.address_of(asked) == ""
    assert auth.limit_key("") == ""


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address", "no address"),
    ],
)
def test_limits_count_by_address_or_by_network(address: str, key: str) -> None:
    assert auth.limit_key(address) == key
