"""What a request may cost before a view has judged it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.conf import settings

from commsite import intake as intake_module
from commsite.intake import Allowance, Intake
from tests.support.socket_client import settle


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
        if not self.parts:
            raise AssertionError("the body has come, and the client stays")
        body = self.parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.parts)}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


async def dispatch(scope: Any, receive: Any, send: Any) -> None:
    """The application of whichever request it is."""
    await scope["request"].app(scope, receive, send)


def begin(intake: Intake, request: Request, **scope: Any) -> asyncio.Task[None]:
    """Lets the request in."""
    scope |= {"type": "http", "request": request}
    return asyncio.ensure_future(intake(scope, request.receive, request.send))


async def test_a_body_ends_at_its_limit_before_the_application_sees_it_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", 10)
    request = Request(b"12345", b"678901", b"more")
    await begin(Intake(dispatch), request)
    assert not request.is_served
    assert request.parts == [], "what a client still sends is taken, or it would not see the answer"
    start, body, _ = request.sent
    assert start["status"] == 413
    assert (b"connection", b"close") in start["headers"]
    assert (b"content-length", str(len(body["body"])).encode()) in start["headers"]
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
    start, body, _ = requests[2].sent
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


# --- Addresses that take more ---------------------------------------------------------------------
def uploads(scope: dict[str, Any]) -> Allowance | None:
    return Allowance(100, 900.0, 2) if scope.get("path") == "/uploads" else None


def refusal(request: Request) -> tuple[int, str]:
    start, body, end = request.sent
    assert (body["more_body"], end) == (True, {"type": "http.response.body", "body": b""})
    return start["status"], json.loads(body["body"])["reason"]


@pytest.mark.parametrize("size", [b"101", b"9" * 5_000], ids=["a little", "without end"])
async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(size: bytes) -> None:
    request = Request(b"x" * 10)
    headers = [(b"content-length", size)]

    await begin(Intake(dispatch, allowance=uploads), request, path="/uploads", headers=headers)

    assert refusal(request) == (413, "too_large")
    assert not request.is_served


async def test_only_the_address_with_an_allowance_takes_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "DATA_UPLOAD_MAX_MEMORY_SIZE", 10)
    intake = Intake(dispatch, allowance=uploads)
    here, there, lying = Request(b"x" * 50, b"x" * 50), Request(b"x" * 50), Request(b"x" * 101)
    for request in (here, there, lying):
        request.may_answer.set()
        request.may_end.set()

    for request, path in ((here, "/uploads"), (there, "/other"), (lying, "/uploads")):
        await begin(intake, request, path=path)

    assert here.is_served
    assert refusal(there) == refusal(lying) == (413, "too_large")


async def test_only_so_many_uploads_are_on_their_way_at_once() -> None:
    intake = Intake(dispatch, allowance=uploads)
    under_way, late = [Request(), Request()], Request()
    tasks = [begin(intake, request, path="/uploads") for request in under_way]
    await settle()
    await begin(intake, late, path="/uploads")
    assert refusal(late) == (503, "overloaded")
    for request in under_way:
        request.may_answer.set()
        request.may_end.set()
    await asyncio.gather(*tasks)
    assert intake.uploads == 0


async def test_the_server_is_told_how_long_an_upload_may_take() -> None:
    request = Request()
    request.may_answer.set()
    request.may_end.set()
    seen: dict[str, Any] = {}

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.update(scope)
        await dispatch(scope, receive, send)

    await begin(Intake(app, allowance=uploads), request, path="/uploads")

    assert seen["commsite.body_s"] == 900.0


async def test_whoever_goes_on_sending_is_not_listened_to_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "LINGER_BYTES", 50)
    request = Request(*[b"x" * 10] * 100)
    headers = [(b"content-length", b"1000")]

    await begin(Intake(dispatch, allowance=uploads), request, path="/uploads", headers=headers)

    assert refusal(request) == (413, "too_large")
    assert len(request.parts) == 95
