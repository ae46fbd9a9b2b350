"""The one HTTP client of a process."""

from __future__ import annotations

import asyncio

import pytest

from commsite.realtime.hub import hub
from conversation.assistant.model_client import model_client
from tests.support.assistant import backend, events_of, job, text_of
from tests.support.model_server import Exchange, ModelServer, content, finish, says


async def test_all_who_ask_at_once_get_the_same_client() -> None:
    clients = await asyncio.gather(*(model_client() for _ in range(5)))

    assert len(set(map(id, clients))) == 1
    assert await model_client() is clients[0]


@pytest.mark.django_db(transaction=True)
async def test_it_is_closed_when_the_hub_stops_and_made_anew_afterwards() -> None:
    await hub.start()
    client = await model_client()
    await hub.stop()

    assert client.is_closed
    assert await model_client() is not client


async def test_answers_after_each_other_share_one_connection() -> None:
    async with ModelServer(says(content("Hi"), finish()), keeps_alive=True) as server:
        for _ in range(3):
            await events_of(backend(server), job())

    assert len(server.exchanges) == 3
    assert server.connections == 1


async def test_a_server_that_never_ends_its_stream_holds_nobody_up() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say(content("Hi"), finish(), "[DONE]")
        await exchange.gone.wait()

    async with ModelServer(script) as server:
        events = await events_of(backend(server), job())
        await server.exchanges[0].gone.wait()

    assert text_of(events) == "Hi"
