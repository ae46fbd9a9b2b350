"""What reaches the log: lines a program or a person can read, and never a credential."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commsite import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIiwic2lkIjoiYSJ9.c2lnbmF0dXJlX29mX2l0"
SECRET = "s3cret-Ticket_value.0"


@pytest.mark.parametrize(
    "line",
    [
        '"GET /socket/websocket?vsn=2.0.0&token={} HTTP/1.1" 403',
        "GET /socket/websocket?ticket={}&vsn=2.0.0",
        "/socket/longpoll?token={}&token={}",
        "/socket/websocket?TOKEN={}",
        "/socket/websocket?token%3D{}",
        "Authorization: Bearer {}",
        "{{'Authorization': 'Bearer {}'}}",
        '{{"authorization": "Bearer {}"}}',
        "[(b'authorization', b'Bearer {}'), (b'host', b'x')]",
        "[(b'x-phoenix-authtoken', b'{}')]",
        "x-phoenix-authtoken: {}",
        "cookie: commsite_session={}; other=1",
        "(b'cookie', b'commsite_session={}')",
        "cookie: theme=dark; commsite_session={}",
        "{{'Cookie': 'theme=dark; other={}; more=1'}}",
        "Set-Cookie: commsite_session={}; HttpOnly",
        "after commsite_session={} came",
        "sec-websocket-protocol: phoenix, base64url.bearer.phx.{}",
        "{{'token': '{}'}}",
        '{{"refresh": "{}", "access": "{}"}}',
        '{{"username": "ada", "password": "{}"}}',
        "username=ada&password={}",
        '{{"event": "body \\"token\\": \\"{}\\""}}',
    ],
)
def test_a_credential_is_scrubbed_wherever_it_stands(line: str) -> None:
    scrubbed = logs.scrub(line.replace("{}", SECRET).replace("{{", "{").replace("}}", "}"))
    assert SECRET not in scrubbed
    assert logs.SCRUBBED in scrubbed


@pytest.mark.parametrize("line", ["{}", "kept {} in mind", "x={}", "token {}", "sub:{}"])
def test_a_json_web_token_is_recognised_without_any_name(line: str) -> None:
    assert JWT not in logs.scrub(line.format(JWT))


@pytest.mark.parametrize(
    "line",
    [
        '"GET /api/v1/conversations/?limit=50 HTTP/1.1" 200',
        "GET /api/v1/token/refresh/ 401",
        "a socket was refused: token_expired",
        "user ada has 3 tokens, 2 tickets",
        "tokens=12 accessed=4",
        "",
    ],
)
def test_everything_else_is_left_alone(line: str) -> None:
    assert logs.scrub(line) == line


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=8))
def test_no_value_of_a_token_parameter_survives(value: str) -> None:
    secret = f"zq{value}qz"
    assert secret not in logs.scrub(f"GET /socket/websocket?a=1&token={secret}&b=2 HTTP/1.1")


@given(st.text())
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once = logs.scrub(text)
    assert logs.scrub(once) == once


# --- Through logging ------------------------------------------------------------------------------
@pytest.fixture
def written(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What a logger named `spoken` has written, through the settings' own formatter."""
    stream = io.StringIO()
    configured = logs.configure(is_json=request.param, level="INFO")
    factory = configured["formatters"]["line"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        logs.ScrubbingFormatter(
            processors=factory["processors"], foreign_pre_chain=factory["foreign_pre_chain"]
        )
    )
    logger = logging.getLogger("spoken")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield stream.getvalue
    logger.removeHandler(handler)


@pytest.mark.parametrize("written", [True], indirect=True)
def test_production_writes_one_json_object_per_line(written: Callable[[], str]) -> None:
    logging.getLogger("spoken").warning("refused %s", "someone", extra={"topic": "client"})
    entry = json.loads(written())
    assert entry["event"] == "refused someone"
    assert (entry["level"], entry["logger"], entry["topic"]) == ("warning", "spoken", "client")
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize("written", [True, False], indirect=True)
def test_arguments_fields_and_tracebacks_are_scrubbed(written: Callable[[], str]) -> None:
    logger = logging.getLogger("spoken")
    try:
        int(f"bad handshake ?token={SECRET}")
    except ValueError:
        logger.exception("url %s", f"/?ticket={SECRET}", extra={"headers": {"token": SECRET}})
    assert "ValueError" in written()
    assert "bad handshake" in written()
    assert SECRET not in written()


@pytest.mark.parametrize("written", [True], indirect=True)
def test_a_scrubbed_line_is_still_json(written: Callable[[], str]) -> None:
    logging.getLogger("spoken").info(
        'said "token": "%s" and ?token=%s', SECRET, SECRET, extra={"cookie": f"a={SECRET}"}
    )
    assert SECRET not in written()
    assert json.loads(written())["level"] == "info"


def test_no_logger_of_a_server_has_a_way_out_of_its_own() -> None:
    loggers = logs.configure(is_json=True, level="INFO")["loggers"]
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error", "daphne", "django.server"):
        assert loggers[name]["handlers"] == []
        assert loggers[name]["propagate"] is True
