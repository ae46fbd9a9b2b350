"""Slow senders: who is cut off, and who is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from uvicorn.config import Config
from uvicorn.server import ServerState

from commsite.server.request_deadlines import RequestDeadlines
from commsite.server.uvicorn_upgrade import HEAD_BYTES, UpgradeProtocol


def cycle(*, is_answered: bool = False, has_body: bool = True) -> Any:
    return SimpleNamespace(response_complete=is_answered, more_body=not has_body, scope={})


class Line:
    """A connection and the deadlines that watch it."""

    def __init__(self) -> None:
        config = Config(app=None, log_config=None)  # type: ignore[arg-type]  # nothing is served
        config.load_app = lambda: None  # type: ignore[method-assign]
        config.load()
        self.protocol = UpgradeProtocol(config, ServerState(), {})
        self.deadlines = RequestDeadlines()

    def is_late(self, now: float) -> bool:
        late = self.deadlines.overdue([self.protocol, object()], now, head_s=10, body_s=60)
        return late == [self.protocol]


@pytest_asyncio.fixture
async def line() -> Line:
    return Line()


@pytest.mark.parametrize("earlier", [None, cycle(is_answered=True)], ids=["first", "next"])
async def test_the_head_of_a_request_has_ten_seconds(line: Line, earlier: Any) -> None:
    line.protocol.cycle = earlier
    assert [line.is_late(now) for now in (5, 14.9, 15)] == [False, False, True]


async def test_the_body_of_a_request_may_be_allowed_more(line: Line) -> None:
    line.protocol.cycle = cycle(has_body=False)
    line.protocol.cycle.scope["commsite.body_s"] = 900.0  # type: ignore[typeddict-unknown-key]
    assert [line.is_late(now) for now in (0, 60, 899, 900)] == [False, False, False, True]


async def test_the_body_of_a_request_has_a_minute(line: Line) -> None:
    line.protocol.cycle = cycle(has_body=False)
    assert [line.is_late(now) for now in (0, 59, 60)] == [False, False, True]


async def test_an_answer_may_take_as_long_as_it_takes(line: Line) -> None:
    line.protocol.cycle = cycle()
    assert not any(line.is_late(now) for now in range(0, 1000, 10))


async def test_each_request_of_a_busy_connection_has_its_own_time(line: Line) -> None:
    for now in range(100):
        line.protocol.cycle = cycle(is_answered=True)
        assert not line.is_late(now)


class Wire(SimpleNamespace):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__(written=b"", is_closed=False)

    def get_extra_info(self, name: str) -> Any:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return bool(self.is_closed)

    def close(self) -> None:
        self.is_closed = True


async def test_a_head_without_end_is_refused(line: Line) -> None:
    wire = Wire()
    line.protocol.connection_made(wire)  # type: ignore[arg-type]
    line.protocol.data_received(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(HEAD_BYTES // 1024 + 2):
        line.protocol.data_received(b"x" * 1024)
    assert wire.written.startswith(b"HTTP/1.1 400")
    assert wire.is_closed
