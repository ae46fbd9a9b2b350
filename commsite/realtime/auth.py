"""Who a handshake speaks for: where credentials are found, which origins may come, what the scope must hold.

Verifying a credential is the business of an app above (ASGI middleware); it leaves `scope["client_context"]`, or
`scope["refused"]`, and the core goes by that.
"""

import base64
import binascii
import ipaddress
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec
from django.conf import settings
from django.http.request import validate_host

SUBPROTOCOL = "phoenix"
BEARER_PREFIX = "base64url.bearer.phx."
AUTH_HEADER = b"x-phoenix-authtoken"
FORWARDED_FOR = b"x-forwarded-for"

ADDRESSES = 4096
"""How many addresses are remembered in their parsed form."""

CredentialKind = Literal["bearer", "ticket", "token", "cookie"]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a socket speaks for. `expires_at` is in unix seconds; None never expires by itself."""

    user_id: int
    username: str
    session_id: str
    token_version: int = 0
    expires_at: float | None = None
    is_staff: bool = False


class Credential(msgspec.Struct, frozen=True):
    """What the client showed, and how."""

    kind: CredentialKind
    value: str

    def __repr__(self) -> str:
        return f"Credential({self.kind!r}, …)"


class ClientContext(msgspec.Struct):
    """What lower layers need to know of a client, put into the scope by middleware."""

    identity: Identity
    address: str
    user_agent: str = ""
    credential: CredentialKind = "bearer"


class Refused(Exception):
    """The handshake is refused: HTTP status, a reason of the one table, and when to come back."""

    def __init__(
        self, status: int, reason: str, message: str = "", retry_after_s: int | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {reason}")


def header(scope: dict[str, Any], name: bytes) -> str | None:
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return None


QUERY = "commsite.query"
"""Where a scope keeps its parsed query."""


def query(scope: dict[str, Any]) -> list[tuple[str, str]]:
    """The query as pairs in their order; empty segments are tolerated (phoenix.js leaves them)."""
    pairs: list[tuple[str, str]] | None = scope.get(QUERY)
    if pairs is None:
        text = scope.get("query_string", b"").decode("latin-1")
        pairs = scope[QUERY] = parse_qsl(text, keep_blank_values=True)
    return pairs


def parameters(scope: dict[str, Any]) -> dict[str, Any]:
    """The query as Plug reads it: `a[b]=1` nests, `a[]=1` collects, the last of equal keys wins."""
    root: dict[str, Any] = {}
    for key, value in query(scope):
        _place(root, key, value)
    return root


def _place(root: dict[str, Any], key: str, value: str) -> None:
    head, bracket, rest = key.partition("[")
    if not bracket or not rest.endswith("]") or not head:
        root[key] = value
        return
    here, steps = root, [head, *rest[:-1].split("][")]
    for step in steps[:-1]:
        below = here.get(step)
        if not isinstance(below, dict):
            below = here[step] = {}
        here = below
    last = steps[-1]
    if last:
        here[last] = value
    else:
        here[str(len(here))] = value


def credential_from(scope: dict[str, Any]) -> Credential | None:
    """The credential that counts, in the contract's order: subprotocol or header, ticket, token, cookie.

    A long-poll URL may hold `token` twice; the last is the poll token then, the first the credential.
    """
    bearer = _bearer(scope)
    if bearer is not None:
        return Credential("bearer", bearer)
    found: dict[str, str] = {}
    for key, value in query(scope):
        found.setdefault(key, value)
    is_long_poll = scope["type"] != "websocket"
    for kind in ("ticket", "token"):
        if kind in found and not (is_long_poll and is_poll_token(found[kind])):
            return Credential(kind, found[kind])
    cookie = header(scope, b"cookie")
    if cookie and f"{settings.SESSION_COOKIE_NAME}=" in cookie:
        return Credential("cookie", cookie)
    return None


POLL_TOKEN_PREFIX = "poll."  # noqa: S105  a marker, not a secret


def is_poll_token(value: str) -> bool:
    """True for the tokens of our long-poll sessions, which share the parameter name with credentials."""
    return value.startswith(POLL_TOKEN_PREFIX)


def _bearer(scope: dict[str, Any]) -> str | None:
    if scope["type"] != "websocket":
        return header(scope, AUTH_HEADER)
    for offered in scope.get("subprotocols", ()):
        if offered.startswith(BEARER_PREFIX):
            return _from_base64(offered[len(BEARER_PREFIX) :])
    return None


def _from_base64(text: str) -> str:
    """Decodes either base64 alphabet, padded or not. What cannot be decoded is a credential nobody accepts."""
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def subprotocol_for(scope: dict[str, Any]) -> str | None:
    """`phoenix` when the client offered it (it fails the handshake without that answer)."""
    offered = scope.get("subprotocols") or ()
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


def check_origin(scope: dict[str, Any], kind: CredentialKind) -> None:
    """Raises Refused(403) unless the Origin may connect; a missing one needs a credential that no browser adds.

    (A browser's same-origin GET, as long-poll makes them, has no Origin but says so in Sec-Fetch-Site.)
    """
    origin = header(scope, b"origin")
    if origin is None:
        if kind == "cookie" and header(scope, b"sec-fetch-site") != "same-origin":
            raise Refused(403, "bad_origin", "A cookie needs an Origin header.")
        return
    if not is_allowed_origin(origin, scope):
        raise Refused(403, "bad_origin")


def is_allowed_origin(origin: str, scope: dict[str, Any]) -> bool:
    """True for an origin of ALLOWED_ORIGINS or, when that is empty, of this very site."""
    parts = _split(origin)
    if parts is None:
        return False
    if settings.ALLOWED_ORIGINS:
        return any(_origin_matches(parts, allowed) for allowed in settings.ALLOWED_ORIGINS)
    host = header(scope, b"host") or ""
    if parts.netloc.lower() != host.lower():
        return False
    allowed_hosts = settings.ALLOWED_HOSTS or (
        ["localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else []
    )
    name = parts.hostname or ""
    return validate_host(f"[{name}]" if ":" in name else name, allowed_hosts)


def _split(origin: str) -> SplitResult | None:
    try:
        parts = urlsplit(origin)
        is_sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a bracket too few, a port out of range
        return None
    return parts if is_sound else None


def _origin_matches(parts: Any, allowed: str) -> bool:
    pattern = urlsplit(allowed)
    if pattern.scheme != parts.scheme or _port(pattern) != _port(parts):
        return False
    host = pattern.hostname or ""
    if host.startswith("*."):
        return parts.hostname == host[2:] or str(parts.hostname).endswith(host[1:])
    return bool(host == parts.hostname)


def _port(parts: Any) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def address_of(scope: dict[str, Any]) -> str:
    """The client's address: of the peer, or what a trusted proxy says in X-Forwarded-For (the last one not trusted).

    A proxy may add a header line of its own behind one that the client has sent: all lines count.
    """
    client = scope.get("client")
    peer: str = client[0] if client else ""
    if not settings.TRUSTED_PROXIES or not _is_trusted(peer):
        return peer
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == FORWARDED_FOR]
    hops: list[str] = [hop.strip() for line in lines for hop in line.split(",") if hop.strip()]
    for hop in reversed(hops):
        if not _is_trusted(hop):
            return hop
    return peer


@lru_cache(maxsize=ADDRESSES)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address; one of IPv4 that came through an IPv6 socket is of IPv4."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _is_trusted(address: str) -> bool:
    parsed = _address(address)
    return parsed is not None and any(
        parsed in ipaddress.ip_network(net, strict=False) for net in settings.TRUSTED_PROXIES
    )


@lru_cache(maxsize=ADDRESSES)
def limit_key(address: str) -> str:
    """What per-address limits count by: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = _address(address)
    if parsed is None:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
