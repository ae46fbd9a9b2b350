"""What can go wrong, in one place: reasons (error replies and REST errors) and close codes.

Three kinds only. A client's mistake in a push raises `PushError`: it gets an error reply and the socket lives.
A breach of the protocol raises `SocketError`: that socket is closed with a code whose range says whether to come
back. Anything else is our fault: it is logged, the topic gets `phx_error`, the socket lives.
"""

import enum
from typing import Any

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One row of the table of reasons: the HTTP status, the sentence, and whether trying again later can help."""

    http_status: int
    message: str
    is_temporary: bool = False


REASONS: dict[str, Reason] = {
    "unmatched topic": Reason(
        404, "No such topic is served here, or it was not joined on this socket."
    ),
    "join crashed": Reason(500, "The join failed by our fault; it was logged.", is_temporary=True),
    "too many channels joined": Reason(429, "This socket has joined as many topics as it may."),
    "invalid_payload": Reason(400, "The payload is not of the expected form."),
    "unknown_event": Reason(400, "This topic does not accept that event."),
    "bad_request": Reason(400, "The request could not be understood."),
    "unauthorized": Reason(401, "Log in first."),
    "bad_credentials": Reason(401, "The credential is not valid."),
    "token_expired": Reason(401, "The token has expired."),
    "token_revoked": Reason(401, "The token or its client session was revoked."),
    "forbidden": Reason(403, "You may not do that."),
    "bad_origin": Reason(403, "Connections from this origin are not allowed."),
    "version_unsupported": Reason(403, "This protocol version is not spoken here."),
    "not_found": Reason(404, "There is no such thing, or you may not see it."),
    "method_not_allowed": Reason(405, "This address does not take that method."),
    "not_acceptable": Reason(406, "Nothing here can be had in that form."),
    "conflict": Reason(409, "It collides with what is already there."),
    "run_active": Reason(409, "The assistant answers something else in this conversation."),
    "quota_exceeded": Reason(409, "There is too much of yours already."),
    "too_large": Reason(413, "It is larger than allowed."),
    "unsupported_media_type": Reason(415, "This address does not take that type of body."),
    "range_not_satisfiable": Reason(416, "It ends before that range."),
    "connection_limit": Reason(429, "There are too many connections.", is_temporary=True),
    "rate_limited": Reason(429, "That was too fast.", is_temporary=True),
    "internal_error": Reason(500, "It failed by our fault; it was logged.", is_temporary=True),
    "draining": Reason(503, "This server is restarting.", is_temporary=True),
    "overloaded": Reason(503, "This server has too much to do.", is_temporary=True),
}


class CloseCode(enum.IntEnum):
    """Codes of sockets that were open; refusals are HTTP.

    4000-4399: come back; 4400-4499: not until something changes.
    """

    GOING_AWAY = 1001
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTARTING = 1012
    DRAIN = 4001
    OVERLOADED = 4002
    RATE_LIMITED = 4003
    TOO_SLOW = 4008
    NO_HEARTBEAT = 4010
    PROTOCOL_BREACH = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    VERSION_UNSUPPORTED = 4405
    STALE_DOCUMENT = 4410
    CONNECTION_LIMIT = 4429

    @property
    def may_resume(self) -> bool:
        """True when the client should come back and finds its state kept."""
        return self.value < PERMANENT_FROM


PERMANENT_FROM = 4400


class PushError(Exception):
    """A client's mistake: becomes an error reply on the socket and a JSON error in REST; nothing else is lost."""

    def __init__(
        self,
        reason: str,
        message: str | None = None,
        *,
        retry_after_ms: int | None = None,
        **details: Any,
    ) -> None:
        if reason not in REASONS:
            raise LookupError(f"unknown reason {reason!r}: add a row to REASONS")
        self.reason = reason
        self.message = message or REASONS[reason].message
        self.retry_after_ms = retry_after_ms
        self.details = details
        super().__init__(f"{reason}: {self.message}")

    @property
    def http_status(self) -> int:
        """The HTTP status that says the same."""
        return REASONS[self.reason].http_status

    def as_response(self) -> dict[str, Any]:
        """The error as a payload: reason, message, and whatever helps."""
        response = {"reason": self.reason, "message": self.message, **self.details}
        if self.retry_after_ms is not None:
            response["retry_after_ms"] = self.retry_after_ms
        return response


class SocketError(Exception):
    """A breach that ends this socket (and only this one) with a close code."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code.value} {reason}")


class StopChannel(Exception):
    """Raised by a handler to end its channel in good order: an optional reply, then `phx_close`."""

    def __init__(self, reply: Any = None) -> None:
        self.reply = reply
        super().__init__("channel stopped")
