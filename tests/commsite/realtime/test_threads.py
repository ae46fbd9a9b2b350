"""The bounded pool of database threads."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import DatabaseError, connection

from commsite.realtime.threads import DatabaseThreads, in_thread


async def test_a_call_runs_in_a_thread_of_the_pool_and_its_result_or_error_comes_back() -> None:
    name = await in_thread(lambda: threading.current_thread().name)
    assert name.startswith("commsite-db")
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)


async def test_no_more_calls_run_than_there_are_threads_and_the_waiting_are_counted() -> None:
    threads = DatabaseThreads(2)
    gate = threading.Event()
    running: list[int] = []
    two_run = threading.Semaphore(0)

    def hold() -> None:
        running.append(1)
        two_run.release()
        gate.wait(5)

    calls = [asyncio.ensure_future(threads.run(hold)) for _ in range(5)]
    for _ in range(2):
        await asyncio.to_thread(two_run.acquire, timeout=5)
    assert len(running) == 2
    assert threads.waiting == 3
    gate.set()
    await asyncio.gather(*calls)
    assert (len(running), threads.waiting, threads.in_flight) == (5, 0, 0)


def _close() -> None:
    connection.close()


@pytest.mark.django_db(transaction=True)
async def test_a_thread_keeps_its_connection_to_sqlite_and_gives_back_any_other() -> None:
    def opened() -> object:
        connection.ensure_connection()
        return connection.connection

    threads = DatabaseThreads(1)
    first, second = await threads.run(opened), await threads.run(opened)

    left = await threads.run(lambda: connection.connection)
    assert (first is second) == (left is first) == (connection.vendor == "sqlite")
    await threads.run(_close)


@pytest.mark.django_db(transaction=True)
async def test_after_an_error_a_connection_is_not_used_again() -> None:
    def fail() -> None:
        with pytest.raises(DatabaseError):
            connection.cursor().execute("SELECT what FROM nowhere")

    threads = DatabaseThreads(1)
    await threads.run(fail)

    assert await threads.run(lambda: connection.connection) is None
