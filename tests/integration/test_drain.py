"""SIGTERM: the balancer is told first, then every client, then the process ends."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.people import ADA
from tests.support.phoenix_client import PhoenixClient

if TYPE_CHECKING:
    from tests.integration.conftest import Sites

both_servers = pytest.mark.parametrize("kind", ["uvicorn", "daphne"])


@both_servers
async def test_every_client_gets_a_closing_frame_and_1012_and_the_process_ends_well(
    sites: Sites, kind: Any
) -> None:
    site = sites(kind)
    ada = await Account.log_in(ADA, site)
    clients = [await PhoenixClient.connect(site.socket_url, token=ada.access) for _ in range(5)]
    for client in clients:
        await client.join("bench:drain")
    site.signal(signal.SIGTERM)
    for client in clients:
        assert await client.close_code() == 1012
        farewell = client.waiting("closing")[-1]
        assert farewell.topic == "client"
        assert (farewell.payload["code"], farewell.payload["resume"]) == (1012, True)
    assert await asyncio.to_thread(site.wait) == 0


@both_servers
async def test_readiness_turns_false_while_clients_are_still_being_sent_away(
    sites: Sites, kind: Any
) -> None:
    site = sites(kind, environment={"COMMSITE_DRAIN_BATCH": "1", "COMMSITE_DRAIN_S": "8"})
    ada = await Account.log_in(ADA, site)
    clients = [await PhoenixClient.connect(site.socket_url, token=ada.access) for _ in range(8)]
    assert site.probe("/readyz") == 200
    site.signal(signal.SIGTERM)

    async def is_unready() -> bool:
        return await asyncio.to_thread(site.probe, "/readyz") == 503

    await eventually(is_unready, "503 from /readyz")
    assert any(client.closed is None for client in clients), "readiness came after the closes"
    for client in clients:
        assert await client.close_code() == 1012
    assert await asyncio.to_thread(site.wait) == 0
