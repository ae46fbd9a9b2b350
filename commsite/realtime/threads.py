"""The process's bounded pool of database threads: the only way from the event loop to the ORM.

The pool keeps its connections (opening SQLite costs sixty times a query) and drops one that has become unusable;
with PostgreSQL the connection goes back to psycopg's pool after each call.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from commsite.realtime import telemetry
from commsite.realtime.errors import PushError
from commsite.realtime.limits import limits

logger = logging.getLogger(__name__)

RETRY_AFTER_MS = 1000
P = ParamSpec("P")
R = TypeVar("R")


class DatabaseThreads:
    """A bounded pool; `waiting` says how many calls have no thread yet."""

    def __init__(self, size: int) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="commsite-db")
        self.size = size
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Calls that wait for a thread."""
        return max(0, self.in_flight - self.size)

    async def run(self, call: Callable[[], R]) -> R:
        """Runs `call` in a thread of the pool. Cancelling the caller does not stop the thread."""
        self.in_flight += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, self._guarded, call
            )
        finally:
            self.in_flight -= 1

    @staticmethod
    def _guarded(call: Callable[[], R]) -> R:
        try:
            return call()
        except OperationalError as error:  # locked, gone, out of connections: nothing was written
            logger.warning("database is not available: %s", error)
            telemetry.count("database_unavailable_total")
            raise PushError("overloaded", retry_after_ms=RETRY_AFTER_MS) from error
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:
                    _give_back(connection)


def _give_back(connection: BaseDatabaseWrapper) -> None:
    # Opening SQLite costs many queries: its connection stays, whatever CONN_MAX_AGE says for requests, which have
    # threads of their own. After an error nobody asks what it still is.
    if connection.vendor != "sqlite" or connection.errors_occurred:
        connection.close()


@functools.cache
def pool() -> DatabaseThreads:
    """The pool of this process."""
    threads = DatabaseThreads(limits().db_threads)
    telemetry.gauge("database_threads_waiting", lambda: threads.waiting)
    telemetry.gauge("database_threads_busy", lambda: min(threads.in_flight, threads.size))
    telemetry.gauge("database_connections", lambda: pooled("pool_size"))
    telemetry.gauge("database_connections_wanted", lambda: pooled("requests_waiting"))
    return threads


def pooled(figure: str) -> int:
    """A figure of psycopg's pool; SQLite has none, there each thread holds one connection."""
    psycopg_pool = getattr(connections[DEFAULT_DB_ALIAS], "pool", None)
    return int(psycopg_pool.get_stats().get(figure, 0)) if psycopg_pool is not None else 0


async def in_thread(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs sync Django code in the bounded database pool and returns its result or raises its error.

    A database that cannot be reached or is locked raises PushError("overloaded"): sending again is safe.
    """
    return await pool().run(functools.partial(fn, *args, **kwargs))
