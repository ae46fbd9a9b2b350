"""The codec contract, and which codec a client asked for by `vsn`."""

import re
from typing import Protocol

from commsite.realtime.envelope import Push, Wire


class Codec(Protocol):
    """Turns frames into pushes and answers into frames. One instance serves every socket of its kind.

    `payload` and `response` are JSON text or `Binary`. An encoder returns None when its format cannot carry the
    payload at all (V1 has no binary).
    """

    name: str

    def decode(self, data: bytes, *, is_binary: bool) -> Push:
        """A push from one message; raises SocketError(PROTOCOL_BREACH) when the envelope is not one."""

    def reply(
        self, push_refs: tuple[bytes, bytes], topic: str, status: str, response: bytes
    ) -> Wire | None:
        """The answer to a push; `push_refs` is (join_ref, ref)."""

    def push(
        self, refs: tuple[bytes, bytes], topic: str, event: str, payload: bytes
    ) -> Wire | None:
        """An event for one client; `refs` is (join_ref, ref), ref null but for `phx_close` and `phx_error`."""

    def broadcast(self, topic: str, event: str, payload: bytes) -> Wire | None:
        """An event for all who joined the topic: the same bytes for each."""


_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
_codecs: dict[tuple[int, int], Codec] = {}


def register(major: int, minor: int, codec: Codec) -> None:
    """Serves `~> major.minor.0` with this codec."""
    _codecs[major, minor] = codec


def for_version(vsn: object) -> Codec | None:
    """The codec for the `vsn` parameter (none means 1.0.0), or None when that version is not spoken here.

    `vsn[]=…` makes no string of it, which is no version either.
    """
    if vsn is None:
        vsn = "1.0.0"
    match = _VERSION.fullmatch(vsn) if isinstance(vsn, str) else None
    if match is None:
        return None
    return _codecs.get((int(match[1]), int(match[2])))
