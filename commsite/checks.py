"""System checks: settings that contradict each other, with a sentence each."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution

HEARTBEAT_S = 30
"""How often phoenix.js sends a heartbeat."""

Limits = Mapping[str, Any]

# What must hold, and the sentence for when it does not.
_TIMINGS: tuple[tuple[str, Callable[[Limits], bool], str], ...] = (
    (
        "commsite.W001",
        lambda limits: limits["IDLE_S"] > HEARTBEAT_S,
        (
            "COMMSITE_IDLE_S must be above 30 s: phoenix.js sends its heartbeat every 30 s, "
            "and every healthy client would be closed."
        ),
    ),
    (
        "commsite.W002",
        lambda limits: limits["PING_S"] < limits["IDLE_S"],
        (
            "COMMSITE_PING_S must be below COMMSITE_IDLE_S: clients without a heartbeat live by "
            "answering pings."
        ),
    ),
    (
        "commsite.W003",
        lambda limits: limits["EXPIRY_WARNING_S"] < settings.ACCESS_LIFETIME_S,
        (
            "COMMSITE_EXPIRY_WARNING_S must be below COMMSITE_ACCESS_LIFETIME_S: a fresh token would "
            "be announced as expiring."
        ),
    ),
    (
        "commsite.E004",
        lambda limits: settings.ACCESS_LIFETIME_S < settings.REFRESH_LIFETIME_S,
        (
            "COMMSITE_ACCESS_LIFETIME_S must be below COMMSITE_REFRESH_LIFETIME_S: nobody could ever "
            "renew an access token."
        ),
    ),
    (
        "commsite.W005",
        lambda limits: limits["LONGPOLL_WINDOW_S"] < limits["IDLE_S"],
        (
            "COMMSITE_LONGPOLL_WINDOW_S must be below COMMSITE_IDLE_S: a waiting poll would count as "
            "silence."
        ),
    ),
    (
        "commsite.W006",
        lambda limits: limits["CONNECTIONS_LEASE_S"] >= 3 * limits["CONNECTIONS_WRITE_S"],
        (
            "COMMSITE_CONNECTIONS_LEASE_S must be at least three times COMMSITE_CONNECTIONS_WRITE_S: "
            "one late write would make a process count as dead."
        ),
    ),
    (
        "commsite.W007",
        lambda limits: limits["OUTBOX_BYTES"] >= limits["FRAME_BYTES"] // 4,
        "COMMSITE_OUTBOX_BYTES is too small for the frames that COMMSITE_FRAME_BYTES allows.",
    ),
    (
        "commsite.E008",
        lambda limits: limits["AGENTS"] in ("on", "shadow", "off"),
        "REALTIME_AGENTS must be one of on, shadow, off.",
    ),
)
_POSITIVE_EXEMPT = {"BENCH", "AGENTS", "NODE"}


@register("realtime")
def check_limits(**kwargs: Any) -> list[CheckMessage]:
    """Every limit is above zero and the timings agree with each other."""
    limits: Limits = settings.REALTIME
    found: list[CheckMessage] = [
        Error(f"COMMSITE_{key} must be a number above zero.", id="commsite.E009")
        for key, value in limits.items()
        if key not in _POSITIVE_EXEMPT and not 0 < value < float("inf")
    ]
    found += [
        # A site with odd timings works, only badly; one with an impossible setting does not.
        (Caution if ".W" in number else Error)(text, id=number)
        for number, holds, text in _TIMINGS
        if not holds(limits)
    ]
    return found


@register(Tags.security)
def check_origins(**kwargs: Any) -> list[CheckMessage]:
    """Allowed origins are origins, and trusted proxies are addresses or networks."""
    return [*_bad_origins(settings.ALLOWED_ORIGINS), *_bad_proxies(settings.TRUSTED_PROXIES)]


def _bad_origins(origins: list[str]) -> Iterator[CheckMessage]:
    for origin in origins:
        parts = urlsplit(origin)
        is_origin = parts.scheme in ("http", "https") and parts.hostname
        if not is_origin or parts.path or parts.query or parts.fragment:
            yield Error(
                f"ALLOWED_ORIGINS holds {origin!r}; expected scheme://host[:port].",
                id="commsite.E010",
            )


def _bad_proxies(proxies: list[str]) -> Iterator[CheckMessage]:
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            yield Error(
                f"TRUSTED_PROXIES holds {proxy!r}; expected an address or a network.",
                id="commsite.E011",
            )
