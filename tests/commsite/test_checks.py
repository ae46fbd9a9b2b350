"""System checks: settings that contradict each other are named."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as defaults
from django.core.checks import Error

from commsite.checks import check_limits, check_origins


def found(settings: Any, **changes: Any) -> set[str | None]:
    settings.REALTIME = defaults.REALTIME | changes
    return {message.id for message in check_limits()}


def test_the_defaults_agree_with_each_other() -> None:
    assert check_limits() == []
    assert check_origins() == []


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"IDLE_S": 30}, "commsite.W001"),
        ({"PING_S": 60}, "commsite.W002"),
        ({"EXPIRY_WARNING_S": 900}, "commsite.W003"),
        ({"LONGPOLL_WINDOW_S": 61}, "commsite.W005"),
        ({"CONNECTIONS_WRITE_S": 10.0}, "commsite.W006"),
        ({"OUTBOX_BYTES": 1000}, "commsite.W007"),
        ({"AGENTS": "maybe"}, "commsite.E008"),
        ({"SOCKETS_PER_USER": 0}, "commsite.E009"),
        ({"DRAIN_S": -1}, "commsite.E009"),
        ({"CURSOR_S": float("nan")}, "commsite.E009"),
    ],
)
def test_each_contradiction_is_named(settings: Any, changes: dict[str, Any], number: str) -> None:
    assert found(settings, **changes) == {number}


def test_a_refresh_token_must_outlive_an_access_token(settings: Any) -> None:
    settings.REFRESH_LIFETIME_S = settings.ACCESS_LIFETIME_S
    assert found(settings) == {"commsite.E004"}


def test_a_message_names_the_variable_to_change(settings: Any) -> None:
    settings.REALTIME = defaults.REALTIME | {"IDLE_S": 10}
    assert "COMMSITE_IDLE_S" in str(check_limits()[0].msg)


@pytest.mark.parametrize(
    "origin", ["site.example", "https://", "ws://site.example", "https://site.example/chat", "*"]
)
def test_an_origin_is_scheme_and_host(settings: Any, origin: str) -> None:
    settings.ALLOWED_ORIGINS = ["https://fine.example:8443", origin]
    (error,) = check_origins()
    assert isinstance(error, Error)
    assert repr(origin) in str(error.msg)


def test_a_proxy_is_an_address_or_a_network(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8::1", "proxy.example"]
    assert [error.id for error in check_origins()] == ["commsite.E011"]
