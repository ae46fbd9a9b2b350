"""Every limit of the socket, with its unit in its name, read once from `settings.REALTIME`."""

from functools import cache

import msgspec
from django.conf import settings


class Limits(msgspec.Struct, frozen=True, rename="upper"):
    """The limits of one process. `bench` switches the connection and rate limits off."""

    frame_bytes: int = 1 << 20
    topics_per_socket: int = 100
    sockets_per_user: int = 10
    sockets_per_address: int = 500
    sockets_per_address_anonymous: int = 20
    sockets_per_process: int = 10_000
    joins_per_s: float = 20
    pushes_per_s: float = 50
    push_burst: int = 100
    outbox_bytes: int = 1 << 20
    inbox_pushes: int = 200
    handshake_s: float = 10
    idle_s: float = 60
    ping_s: float = 25
    expiry_warning_s: float = 60
    longpoll_window_s: float = 10
    drain_s: float = 10
    drain_batch: int = 200
    db_threads: int = 4
    bench: bool = False


@cache
def limits() -> Limits:
    """The limits in force. Raises msgspec.ValidationError at start when a setting has the wrong type."""
    known = {field.encode_name for field in msgspec.structs.fields(Limits)}
    given = {key: value for key, value in settings.REALTIME.items() if key in known}
    return msgspec.convert(given, Limits, strict=False)
