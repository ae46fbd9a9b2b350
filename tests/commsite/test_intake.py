"""What a request may cost before a view has judged it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

from commsite.intake import Intake
from tests.support.socket_client import settle

if TYPE_CHECKING:
    import pytest


class Request:
    """A request whose body comes in parts, to an application that reads it and answers when told to."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts) or [b""]
        self.sent: list[dict[str, Any]] = []
        self.is_served = False
        self.may_answer = asyncio.Event()
        self.may_end = asyncio.Event()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        self.is_served = True
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.may_end.wait()

    async def receive(self) -> dict[str, Any]:
        body = self.parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.parts)}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


async def dispatch(scope: Any, receive: Any, send: Any) -> None:
    """The application of whichever request it is."""
    await scope["request"].app(scope, receive, send)


def begin(intake: Intake, request: Request) -> asyncio.Task[None]:
    """Lets the request in."""
    scope = {"type": "http", "request": request}
    return asyncio.ensure_future(intake(scope, request.receive, request.send))


async def test_a_body_ends_at_its_limit_before_the_application_sees_it_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", 10)
    request = Request(b"12345", b"678901", b"more")
    await begin(Intake(dispatch), request)
    assert not request.is_served
    assert request.parts == [b"more"]
    start, body = request.sent
    assert start["status"] == 413
    assert (b"connection", b"close") in start["headers"]
    assert json.loads(body["body"])["reason"] == "too_large"


async def test_only_so_many_requests_are_worked_on_at_once() -> None:
    intake = Intake(dispatch, at_once=2)
    requests = [Request() for _ in range(3)]
    tasks = [begin(intake, request) for request in requests]
    await settle()
    assert [request.is_served for request in requests] == [True, True, False]
    requests[0].may_answer.set()
    await settle()
    assert requests[2].is_served  # the first is answered, though its reader is slow
    for request in requests:
        request.may_answer.set()
        request.may_end.set()
    await asyncio.gather(*tasks)


async def test_a_slow_sender_holds_no_slot() -> None:
    intake = Intake(dispatch, at_once=1)
    slow, quick = Request(b"a", b"b"), Request()
    is_stuck = asyncio.Event()
    receive = slow.receive

    async def stuck() -> dict[str, Any]:
        if slow.parts == [b"b"]:
            await is_stuck.wait()
        return await receive()

    slow.receive = stuck  # type: ignore[method-assign]
    tasks = [begin(intake, slow), begin(intake, quick)]
    await settle()
    assert (slow.is_served, quick.is_served) == (False, True)
    for request in (slow, quick):
        request.may_answer.set()
        request.may_end.set()
    is_stuck.set()
    await asyncio.gather(*tasks)
    assert slow.is_served


async def test_a_queue_that_is_too_long_is_told_when_to_come_back() -> None:
    intake = Intake(dispatch, at_once=1, waiting=1)
    requests = [Request() for _ in range(3)]
    tasks = [begin(intake, request) for request in requests]
    await tasks[2]
    start, body = requests[2].sent
    assert start["status"] == 503
    assert (b"retry-after", b"2") in start["headers"]
    assert json.loads(body["body"])["reason"] == "overloaded"
    for request in requests[:2]:
        request.may_answer.set()
        request.may_end.set()
    await asyncio.gather(*tasks)
    assert requests[1].is_served


async def test_a_request_that_is_given_up_gives_its_slot_back() -> None:
    intake = Intake(dispatch, at_once=1)
    gone, quick = Request(), Request()
    task = begin(intake, gone)
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    quick.may_answer.set()
    quick.may_end.set()
    await begin(intake, quick)
    assert quick.is_served
