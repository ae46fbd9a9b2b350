"""Clients that come and go, as after an outage: what they used is given back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.metrics import metric
from tests.support.people import ADA
from tests.support.phoenix_client import PhoenixClient

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.server import Site

MIB = 1024 * 1024
AT_ONCE = 25


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_sockets_that_are_gone_keep_no_memory(sites: Sites, kind: Any) -> None:
    site = sites(kind)
    ada = await Account.log_in(ADA, site)
    await come_and_go(site, ada, times=20)
    before = site.rss_bytes()
    await come_and_go(site, ada, times=100)
    growth = site.rss_bytes() - before
    # Python's collector lags some 20 MiB behind; what is never let go is 18 KiB a socket.
    assert growth < 32 * MIB, f"2,500 sockets came and went and left {growth / MIB:.0f} MiB"


async def come_and_go(site: Site, account: Account, *, times: int) -> None:
    """So many rounds of 25 clients that connect, join and leave without a word."""
    for _ in range(times):
        clients = await asyncio.gather(
            *(PhoenixClient.connect(site.socket_url, token=account.access) for _ in range(AT_ONCE))
        )
        await asyncio.gather(*(client.join("bench:storm") for client in clients))
        for client in clients:
            client.drop()
        await asyncio.gather(*(client.close() for client in clients))

    async def nobody_is_left() -> bool:
        return await asyncio.to_thread(metric, site, "sockets") == 0

    await eventually(nobody_is_left, "end of the last socket")
