"""What goes wrong between us and a model's server, what is tried again, and what nobody gets to see."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from conversation.assistant import model_server, openai_backend
from conversation.assistant.backend import configured_backend
from conversation.assistant.model_server import server_of
from conversation.assistant.openai_backend import OpenAIBackend
from conversation.assistant.patience import Deadline, Patience
from tests.support.assistant import KEY, backend, error_of, events_of, failure_of, job, text_of
from tests.support.model_server import (
    Exchange,
    ModelServer,
    content,
    drops_after,
    falls_silent_after,
    finish,
    hangs,
    refuses,
    says,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pytest_django.fixtures import Settings

    from tests.support.model_server import Script

# ---- What goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "code"), [("length", "length"), ("content_filter", "filtered")])
async def test_an_answer_that_the_server_cut_is_an_error_with_its_text_kept(
    reason: str, code: str
) -> None:
    async with ModelServer(says(content("The first half"), finish(reason))) as server:
        error, seen = await failure_of(backend(server), job())

    assert error.code == code
    assert text_of(seen) == "The first half"


async def test_a_drop_in_the_middle_keeps_the_text_and_is_not_tried_again() -> None:
    async with ModelServer(drops_after(content("Half an ans")), says(content("never"))) as server:
        error, seen = await failure_of(backend(server), job())

    assert error.code == "cut_off"
    assert text_of(seen) == "Half an ans"
    assert len(server.exchanges) == 1


@pytest.mark.parametrize("ends", [drops_after, falls_silent_after], ids=["drops", "hangs"])
async def test_an_answer_that_was_said_to_be_complete_is_however_the_connection_ends(
    ends: Callable[..., Script],
) -> None:
    async with ModelServer(ends(content("Whole."), finish())) as server:
        events = await events_of(backend(server, chunk_s=0.2), job())

    assert text_of(events) == "Whole."


async def test_nobody_waits_long_for_the_last_words_after_an_answer_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_backend, "LAST_WORDS_S", 0.05)
    async with ModelServer(falls_silent_after(content("Whole."), finish())) as server:
        async with asyncio.timeout(10):  # a silence in the middle may last for thirty
            events = await events_of(backend(server), job())
        await server.exchanges[0].gone.wait()

    assert text_of(events) == "Whole."


async def test_a_stream_that_ends_without_saying_so_is_cut_off() -> None:
    async with ModelServer(says(content("Half"), done=False)) as server:
        error = await error_of(backend(server))

    assert error.code == "cut_off"
    assert len(server.exchanges) == 1


async def test_an_error_in_the_middle_of_the_stream_is_told() -> None:
    broken = {"error": {"message": f"CUDA out of memory; key {KEY}", "code": 500}}
    async with ModelServer(says(content("So"), broken)) as server:
        error = await error_of(backend(server))

    assert error.code == "model_error"
    assert "CUDA out of memory" in error.message
    assert KEY not in error.message
    assert len(server.exchanges) == 1


async def test_what_is_no_json_is_a_bad_response() -> None:
    async with ModelServer(says("{not json")) as server:
        assert (await error_of(backend(server))).code == "bad_response"


async def test_a_web_page_is_no_model() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin(Content_Type="text/html")
        await exchange.send(b"<h1>Welcome</h1>")
        await exchange.end()

    async with ModelServer(script) as server:
        error = await error_of(backend(server))

    assert error.code == "bad_response"
    assert "ASSISTANT_BASE_URL" in error.message


async def test_an_empty_answer_is_an_error() -> None:
    async with ModelServer(says(finish())) as server:
        assert (await error_of(backend(server))).code == "bad_response"


async def test_a_server_that_is_not_there_is_an_error_and_no_fallback(settings: Settings) -> None:
    async with ModelServer(hangs) as server:
        url = server.url
    settings.ASSISTANT_BASE_URL = url
    settings.ASSISTANT_MODEL = "small-model"
    settings.REALTIME = settings.REALTIME | {"ASSISTANT_RETRIES": 0}

    chosen = configured_backend()

    assert (chosen.kind, chosen.model) == ("openai", "small-model")
    assert (await error_of(chosen)).code == "unreachable"


async def test_a_silent_server_times_out_before_its_first_byte() -> None:
    async with ModelServer(hangs) as server:
        error = await error_of(backend(server, first_byte_s=0.5))
        await server.was_asked.wait()
        await server.exchanges[0].gone.wait()

    assert error.code == "timed_out"
    assert len(server.exchanges) == 1


async def test_headers_alone_are_no_first_byte() -> None:
    async with ModelServer(falls_silent_after()) as server:
        error = await error_of(backend(server, first_byte_s=0.5))

    assert error.code == "timed_out"


async def test_silence_in_the_middle_times_out() -> None:
    async with ModelServer(falls_silent_after(content("Hm"))) as server:
        error = await error_of(backend(server, chunk_s=0.05))
        await server.exchanges[0].gone.wait()

    assert error.code == "timed_out"
    assert "0.05" in error.message


async def test_the_whole_answer_has_a_limit_however_lively_it_is() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        while not exchange.gone.is_set():
            await exchange.say(content("."))
            await asyncio.sleep(0)

    async with ModelServer(script) as server:
        error = await error_of(backend(server, run_s=0.5, answer_chars=10**9))
        await server.was_asked.wait()
        await server.exchanges[0].gone.wait()

    assert error.code == "timed_out"


async def test_a_stream_that_never_makes_us_wait_meets_its_limit_too() -> None:
    async def ready() -> AsyncGenerator[bytes]:
        while True:
            yield b"data: more\n\n"

    clock = model_server._Clock(Patience(), Deadline(0))
    async with aclosing(ready()) as blocks:
        with pytest.raises(model_server._Fault, match="timed_out"):
            await model_server._next(blocks, clock)


# ---- Trying again ---------------------------------------------------------------------------------


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each wait between two attempts would have been; none is waited for."""
    asked: list[float] = []

    async def wait(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr("conversation.assistant.model_server.sleep", wait)
    return asked


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
async def test_a_passing_failure_is_tried_again(status: int, waits: list[float]) -> None:
    good = says(content("Here."), finish())
    async with ModelServer(refuses(f"{status} No"), good) as server:
        events = await events_of(backend(server), job())

    assert text_of(events) == "Here."
    assert len(waits) == 1
    assert 0.25 <= waits[0] <= 0.5


async def test_the_server_says_how_long_to_wait(waits: list[float]) -> None:
    good = says(content("Here."), finish())
    async with ModelServer(refuses("429 Slow Down", Retry_After="3"), good) as server:
        await events_of(backend(server), job())

    assert waits == [3.0]


async def test_who_must_wait_too_long_is_told_when_to_come_back(waits: list[float]) -> None:
    async with ModelServer(refuses("429 Slow Down", Retry_After="3600")) as server:
        error = await error_of(backend(server))

    assert error.code == "rate_limited"
    assert "3600 s" in error.message
    assert (len(server.exchanges), waits) == (1, [])


async def test_after_two_more_attempts_it_is_an_error(waits: list[float]) -> None:
    async with ModelServer(refuses("503 Busy")) as server:
        error = await error_of(backend(server))

    assert error.code == "unavailable"
    assert len(server.exchanges) == 3
    assert waits[1] > waits[0]


async def test_a_connection_that_ends_before_the_first_event_is_tried_again(
    waits: list[float],
) -> None:
    async def slams(exchange: Exchange) -> None:
        await exchange.close()

    async with ModelServer(slams, drops_after(), says(content("Here."), finish())) as server:
        events = await events_of(backend(server), job())

    assert text_of(events) == "Here."
    assert len(server.exchanges) == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "rejected"), (401, "bad_key"), (403, "bad_key"), (404, "rejected"), (422, "rejected")],
)
async def test_a_lasting_failure_is_not_tried_again(status: int, code: str) -> None:
    said = {"error": {"message": "no model 'small-model'"}}
    async with ModelServer(refuses(f"{status} No", said)) as server:
        error = await error_of(backend(server))

    assert error.code == code
    assert len(server.exchanges) == 1
    assert ("no model" in error.message) == (code == "rejected")


# ---- Secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_no_secret_is_in_an_error_or_in_the_log(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = {"error": {"message": f"Incorrect API key provided: {KEY}. Or sk-proj-**********wxyz."}}
    async with ModelServer(refuses(f"{status} No", said)) as server:
        error = await error_of(backend(server, retries=0))

    shown = f"{error} {error.message} {caplog.text}"
    assert KEY not in shown
    assert "wxyz" not in shown


async def test_a_key_that_looks_like_a_word_is_kept_secret_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = "swordfish"
    said = {"error": {"message": f"model not allowed for {key}"}}
    async with ModelServer(refuses("400 No", said)) as server:
        error = await error_of(backend(server, key))

    assert "model not allowed" in error.message
    assert key not in f"{error.message} {caplog.text}"


async def test_no_secret_of_the_address_is_in_an_error_or_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with ModelServer(hangs) as server:
        port = server.port
    where = server_of(f"http://ada:pass-word@127.0.0.1:{port}/v1?api-key=query-secret", "")
    error = await error_of(OpenAIBackend(where, "small-model", Patience(retries=1)))

    shown = f"{error} {caplog.text}"
    assert error.code == "unreachable"
    assert "pass-word" not in shown
    assert "query-secret" not in shown
