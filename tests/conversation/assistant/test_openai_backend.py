"""A model over HTTP, from a server that behaves like the real ones."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from conversation.assistant.backend import answer
from conversation.assistant.job import Turn
from conversation.assistant.model_client import model_client
from conversation.assistant.model_server import server_of
from tests.support.assistant import KEY, backend, error_of, events_of, job, text_of
from tests.support.model_server import (
    Exchange,
    ModelServer,
    content,
    falls_silent_after,
    finish,
    hangs,
    refuses,
    says,
    usage,
)

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

# ---- The request ---------------------------------------------------------------------------------


async def test_the_model_gets_the_conversation_its_name_and_the_key(settings: Settings) -> None:
    settings.ASSISTANT_INSTRUCTIONS = "Be brief."
    turns = (
        Turn(role="user", content="What is 2+2?", name="ada"),
        Turn(role="assistant", content="4"),
        Turn(role="user", content="And 3+3?", name="grace"),
    )
    async with ModelServer(says(content("6"), finish())) as server:
        await events_of(backend(server), job(*turns))

    (exchange,) = server.exchanges
    assert exchange.head.startswith("POST /v1/chat/completions HTTP/1.1\r\n")
    assert f"authorization: bearer {KEY}".lower() in exchange.head.lower()
    assert exchange.body["model"] == "small-model"
    assert exchange.body["stream"] is True
    assert exchange.body["stream_options"] == {"include_usage": True}
    assert exchange.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "ada: What is 2+2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "grace: And 3+3?"},
    ]


async def test_an_interrupted_answer_is_handed_back_to_be_continued() -> None:
    async with ModelServer(says(content(" three."), finish())) as server:
        events = await events_of(backend(server), job(text_so_far="One, two,"))

    *_, before, request = server.exchanges[0].messages
    assert before == {"role": "assistant", "content": "One, two,"}
    assert request["role"] == "user"
    assert text_of(events) == " three."


async def test_of_a_long_conversation_the_newest_turns_are_given(settings: Settings) -> None:
    settings.ASSISTANT_INSTRUCTIONS = ""
    turns = [Turn(role="user", content=f"{number}" * 10) for number in range(5)]
    async with ModelServer(says(content("ok"), finish())) as server:
        await events_of(backend(server, context_chars=25), job(*turns))

    said = [message["content"] for message in server.exchanges[0].messages]
    assert said == ["3" * 10, "4" * 10]


async def test_a_single_turn_that_is_too_long_is_given_whole(settings: Settings) -> None:
    settings.ASSISTANT_INSTRUCTIONS = ""
    async with ModelServer(says(content("ok"), finish())) as server:
        await events_of(
            backend(server, context_chars=5), job(Turn(role="user", content="a long question"))
        )

    assert [m["content"] for m in server.exchanges[0].messages] == ["a long question"]


async def test_credentials_inside_the_address_are_sent_as_basic_and_shown_nowhere() -> None:
    server = server_of("https://ada:pass-word@models.example:8443/v1?api-version=x-secret", "")

    assert server.url == "https://models.example:8443/v1/chat/completions?api-version=x-secret"
    assert server.authorization == "Basic YWRhOnBhc3Mtd29yZA=="
    assert "pass-word" not in repr(server)
    assert "x-secret" not in repr(server)


# ---- The answer ----------------------------------------------------------------------------------


async def test_the_answer_comes_as_one_message_with_its_usage() -> None:
    script = says(content("Hel"), content("lo"), finish(), usage(12, 2))
    async with ModelServer(script) as server:
        events = await events_of(backend(server), job())

    assert events[0] == {
        "type": "TEXT_MESSAGE_START",
        "messageId": "message-1",
        "role": "assistant",
    }
    assert text_of(events) == "Hello"
    assert {event["type"] for event in events[1:-2]} == {"TEXT_MESSAGE_CONTENT"}
    assert sorted(event["type"] for event in events[-2:]) == ["TEXT_MESSAGE_END", "USAGE"]
    (told,) = [event for event in events if event["type"] == "USAGE"]
    assert told == {
        "type": "USAGE",
        "input_tokens": 12,
        "output_tokens": 2,
        "is_estimated": False,
    }


async def test_a_missing_usage_is_estimated_and_says_so() -> None:
    async with ModelServer(says(content("twelve chars"), finish())) as server:
        events = await events_of(backend(server), job())

    (told,) = [event for event in events if event["type"] == "USAGE"]
    assert told["output_tokens"] == 3
    assert told["input_tokens"] > 0
    assert told["is_estimated"] is True


async def test_a_character_cut_between_two_packets_arrives_whole() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        data = f"data: {json.dumps(content('naïve 🙂 ok'), ensure_ascii=False)}\r\n\r\n".encode()
        for byte in data:
            await exchange.send(bytes([byte]))
        await exchange.say(finish(), "[DONE]")
        await exchange.end()

    async with ModelServer(script) as server:
        events = await events_of(backend(server), job())

    assert text_of(events) == "naïve 🙂 ok"


async def test_the_last_event_counts_without_its_blank_line() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say(content("all"))
        await exchange.send(b": a comment\n\ndata: " + json.dumps(finish()).encode())
        await exchange.end()

    async with ModelServer(script) as server:
        events = await events_of(backend(server), job())

    assert text_of(events) == "all"


async def test_a_server_that_does_not_stream_is_understood() -> None:
    whole = {
        "choices": [{"message": {"content": "At once."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }
    async with ModelServer(refuses("200 OK", whole)) as server:
        events = await events_of(backend(server), job())

    assert text_of(events) == "At once."


async def test_a_huge_event_ends_the_answer_instead_of_filling_the_memory() -> None:
    script = says(content("begun"), content("x" * 5000), finish())
    async with ModelServer(script) as server:
        error = await error_of(backend(server, event_bytes=4000))

    assert error.code == "bad_response"


async def test_an_answer_without_end_is_ended() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        while not exchange.gone.is_set():
            await exchange.say(content("and on and on " * 20))

    async with ModelServer(script) as server:
        error = await error_of(backend(server, answer_chars=5000))
        await server.exchanges[0].gone.wait()

    assert error.code == "too_long"


# ---- Cancelling -----------------------------------------------------------------------------------


async def test_cancelling_closes_the_request_to_the_server() -> None:
    begun = asyncio.Event()

    async def run() -> None:
        async with aclosing(answer(backend(server), job())) as events:
            async for event in events:
                if event["type"] == "TEXT_MESSAGE_CONTENT":
                    begun.set()

    async with ModelServer(falls_silent_after(content("Once upon"))) as server:
        task = asyncio.create_task(run())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.exchanges[0].gone.wait()


async def test_leaving_the_stream_closes_the_request_to_the_server() -> None:
    async with ModelServer(falls_silent_after(content("Once"), content(" upon"))) as server:
        async with aclosing(answer(backend(server), job())) as events:
            assert (await anext(events))["type"] == "TEXT_MESSAGE_START"
        await server.exchanges[0].gone.wait()


async def test_cancelling_before_the_first_byte_closes_the_request() -> None:
    async with ModelServer(hangs) as server:
        task = asyncio.create_task(events_of(backend(server), job()))
        await server.was_asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.exchanges[0].gone.wait()


async def test_all_answers_of_a_process_share_one_client() -> None:
    assert await model_client() is await model_client()
