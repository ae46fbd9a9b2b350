"""A model behind real servers: what operators see of it, and what nobody sees."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import KINDS
from tests.support.account import Account
from tests.support.deadline import PATIENCE_S
from tests.support.metrics import metric
from tests.support.model_server import ModelServer, content, falls_silent_after, refuses
from tests.support.people import ADA
from tests.support.phoenix_client import PRESENCE, PhoenixClient
from tests.support.run_viewer import Watcher

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.server import ServerKind, Site

KEY = "sk-swordfish-0123456789"
PASSWORD = "pass-word-of-the-address"


async def watch(site: Site) -> Watcher:
    """Ada, in a conversation of her own."""
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation("grace")
    client = await PhoenixClient.connect(site.socket_url, token=ada.access, max_size=None)
    client.deaf_to = PRESENCE
    return await Watcher.enter(client, room)


async def ask(watcher: Watcher) -> str:
    """Has something answered; the id of the run."""
    started = await watcher.call("start_run", body="Why?", client_id="r1")
    return str(started["run"]["id"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_key_is_told_and_counted_and_appears_nowhere(
    sites: Sites, kind: ServerKind
) -> None:
    said = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    async with ModelServer(refuses("401 Unauthorized", said)) as server:
        address = server.url.replace("//", f"//ada:{PASSWORD}@")
        model = {"ASSISTANT_BASE_URL": address, "ASSISTANT_MODEL": "small"}
        site = sites(
            kind,
            environment=model | {"ASSISTANT_API_KEY": KEY, "COMMSITE_LOG_LEVEL": "DEBUG"},
        )
        watcher = await watch(site)
        message = await watcher.completed(await ask(watcher))
        requests = metric(site, "assistant_requests_total", outcome="bad_key")
        answers = metric(site, "assistant_answers_total", backend="openai", outcome="bad_key")
        await watcher.client.close()

    assert f"Bearer {KEY}" in server.exchanges[0].head
    assert message["run"]["error"]["code"] == "bad_key"
    assert (requests, answers) == (1, 1)
    assert "refuses the key" in site.log
    for shown in (site.log, str(message)):
        assert KEY not in shown
        assert PASSWORD not in shown


@pytest.mark.parametrize("kind", KINDS)
async def test_a_site_that_ends_closes_its_requests_to_the_model(
    sites: Sites, kind: ServerKind
) -> None:
    async with ModelServer(falls_silent_after(content("Once upon"))) as server:
        model = {"ASSISTANT_BASE_URL": server.url, "ASSISTANT_MODEL": "small"}
        site = sites(kind, environment=model | {"COMMSITE_DRAIN_S": "0.1"})
        watcher = await watch(site)
        await watcher.until_shown(await ask(watcher), "Once upon")
        site.signal(signal.SIGTERM)
        await asyncio.wait_for(server.exchanges[0].gone.wait(), PATIENCE_S)
        assert await asyncio.to_thread(site.wait) == 0
