"""What the site writes to its log: JSON in production, console lines in development, no secrets.

Credentials travel in places that servers like to log: the query string of a handshake, the
``Authorization`` header, the subprotocol list. Every line passes `scrub` after it was rendered, so
messages, structured fields and tracebacks are covered alike, whoever wrote them.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog

SCRUBBED = "[scrubbed]"

_I = re.IGNORECASE
_IS = r"\\?[\"']?\s*[:=,]\s*(?:b(?=\\?[\"']))?\\?[\"']?"
_WORD = r"[^\"'\\,\s]"

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # token=… and ticket=… in a URL, a form body or a repr of either; also percent-encoded "=".
    (
        re.compile(
            r"\b(token|ticket|password|refresh|access)(=|%3D)[^&\s\"'\\;,)\]}]+", re.IGNORECASE
        ),
        rf"\1\2{SCRUBBED}",
    ),
    # "token": "…" in JSON and in a repr of a dict.
    (
        re.compile(
            r"((?:\\?[\"'])(?:token|ticket|password|refresh|access|secret)(?:\\?[\"'])\s*:\s*"
            r"\\?[\"'])[^\"'\\]+",
            _I,
        ),
        rf"\1{SCRUBBED}",
    ),
    # Headers, as "Name: value", as a pair of (byte) strings or as a mapping. A cookie header ends
    # with its line or its quote, a token with the first blank.
    (
        re.compile(rf"\b((?:authorization|x-phoenix-authtoken){_IS})(?:[a-z]+\s+)?{_WORD}+", _I),
        rf"\1{SCRUBBED}",
    ),
    (re.compile(rf"\b((?:set-)?cookie{_IS})[^\"'\\\n]+", _I), rf"\1{SCRUBBED}"),
    (re.compile(r"\b(commsite_session|csrftoken)=[^;\s\"'\\]+", _I), rf"\1={SCRUBBED}"),
    (re.compile(r"\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}", _I), rf"\1{SCRUBBED}"),
    (re.compile(r"(base64url\.bearer\.phx\.)[A-Za-z0-9+/=_-]+"), rf"\1{SCRUBBED}"),
    # A JSON Web Token is recognisable wherever it stands.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), SCRUBBED),
)


def scrub(text: str) -> str:
    """The text with every credential replaced by ``[scrubbed]``, the rest as it was."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class ScrubbingFormatter(structlog.stdlib.ProcessorFormatter):
    """Renders a log record through structlog and scrubs the finished line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as it may be written down."""
        return scrub(super().format(record))


def configure(*, is_json: bool, level: str) -> Mapping[str, Any]:
    """Set structlog up and return the ``LOGGING`` dict that sends every logger through it."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if is_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The pretty formatters print local variables, and with them tokens.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": ScrubbingFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *renderers,
                ],
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django and the servers install handlers of their own; ours must be the only way out.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # uvicorn would write a line per handshake and request: metrics count them.
            "uvicorn": {"handlers": [], "level": "WARNING", "propagate": True},
            "uvicorn.error": {"handlers": [], "level": "WARNING", "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            "daphne": {"handlers": [], "level": level, "propagate": True},
            "axes": {"level": "WARNING", "propagate": True},
            # The HTTP client would write a line per request, with its whole address.
            "httpx2": {"level": "WARNING", "propagate": True},
            "httpcore2": {"level": "WARNING", "propagate": True},
        },
    }
