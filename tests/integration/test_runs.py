"""Runs on real servers with a model behind real HTTP: killed, restarted, spread over processes, read slowly."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.integration.test_slow_client import join_raw
from tests.support.account import Account
from tests.support.deadline import PATIENCE_S
from tests.support.metrics import metric
from tests.support.model_server import ModelServer
from tests.support.model_tap import Tap
from tests.support.people import ADA, GRACE, LINUS
from tests.support.phoenix_client import PRESENCE, PhoenixClient
from tests.support.run_viewer import Viewer, Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.conftest import Sites
    from tests.support.redis import RedisServer
    from tests.support.server import Site

LEASE = {"COMMSITE_ASSISTANT_LEASE_S": "3"}


@pytest_asyncio.fixture
async def tap() -> AsyncIterator[tuple[Tap, dict[str, str]]]:
    """A model, and the settings of a site that asks it."""
    tap = Tap()
    async with ModelServer(tap) as server:
        yield tap, {"ASSISTANT_BASE_URL": server.url, "ASSISTANT_MODEL": "small"} | LEASE


async def watch(site: Site, account: Account, room: str, **how: Any) -> Watcher:
    client = await PhoenixClient.connect(site.socket_url, token=account.access, max_size=None)
    client.deaf_to = PRESENCE
    return await Watcher.enter(client, room, **how)


async def ask(watcher: Watcher) -> str:
    started = await watcher.call("start_run", body="Why?", client_id="r1")
    return str(started["run"]["id"])


async def test_killed_mid_stream_under_twenty_viewers_keeps_the_text_and_tells_all(
    sites: Sites, tap: tuple[Tap, dict[str, str]]
) -> None:
    model, environment = tap
    site = sites(environment=environment)
    people = [await Account.log_in(person, site) for person in (ADA, GRACE, LINUS)]
    room = await people[0].open_conversation("grace", "linus")
    watchers = [await watch(site, people[n % 3], room) for n in range(20)]
    run_id = await ask(watchers[0])
    await model.asked()
    words = [f"word {n} " for n in range(200)]
    model.say(*words[:100])
    for watcher in watchers:
        await watcher.until_shown(run_id, "".join(words[:100]))
    model.say(*words[100:])
    while watchers[0].viewer.texts[run_id] == "".join(words[:100]):
        await watchers[0].until("run_event")
    site.kill()
    shown = set()
    for watcher in watchers:
        with contextlib.suppress(Exception):
            while True:
                message = await watcher.client.next()
                watcher.viewer.see(message.event, message.payload)
        shown.add(watcher.viewer.texts[run_id])

    site.restart()
    back = [
        await watch(site, people[n % 3], room, since=watcher.reply["seq"])
        for n, watcher in enumerate(watchers)
    ]
    messages = [await asyncio.wait_for(watcher.completed(run_id), PATIENCE_S) for watcher in back]

    assert {(each["run"]["status"], each["body"]) for each in messages} == {
        ("interrupted", messages[0]["body"])
    }
    assert messages[0]["run"]["error"]["code"] == "server_restarted"
    assert all(messages[0]["body"].startswith(text) for text in shown)
    assert len(max(shown, key=len)) > len("".join(words[:100]))
    for watcher in (*watchers, *back):
        await watcher.client.close()


async def test_two_processes_show_the_same_and_stop_each_others_runs(
    sites: Sites, redis: RedisServer, tap: tuple[Tap, dict[str, str]]
) -> None:
    model, environment = tap
    environment |= {"REDIS_URL": redis.url}
    here = sites(environment=environment)
    there = sites(environment=environment, database_url=here.database_url)
    ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
    room = await ada.open_conversation("grace")
    asker, reader = await watch(here, grace, room), await watch(there, ada, room)
    run_id = await ask(asker)
    exchange = await model.asked()
    model.say("Once ", "upon ", "🕰️")
    for watcher in (asker, reader):
        await watcher.until_shown(run_id, "Once upon 🕰️")
    late = await watch(there, grace, room)

    verdict = await reader.call("cancel_run", run_id=run_id)
    await asyncio.wait_for(exchange.gone.wait(), PATIENCE_S)

    assert (verdict["verdict"], verdict["offset"]) == ("stopped", 13)
    for watcher in (asker, reader, late):
        message = await watcher.completed(run_id)
        assert (message["run"]["status"], message["body"]) == ("cancelled", "Once upon 🕰️")
        assert (watcher.viewer.gaps, watcher.viewer.repeats) == (set(), 0)
        await watcher.client.close()


async def test_the_other_process_ends_what_a_killed_one_has_left_and_takes_what_waits(
    sites: Sites, redis: RedisServer, tap: tuple[Tap, dict[str, str]]
) -> None:
    model, environment = tap
    environment |= {"REDIS_URL": redis.url}
    here = sites(environment=environment)
    there = sites(environment=environment, database_url=here.database_url)
    ada = await Account.log_in(ADA, here)
    room = await ada.open_conversation("grace")
    asker = await watch(here, ada, room)
    reader = await watch(there, ada, room)
    run_id = await ask(asker)
    await model.asked()
    model.say("Half")
    await reader.until_shown(run_id, "Half")
    waiting = await reader.call("start_run", body="And?", client_id="r2", queue=True)

    here.kill()

    message = await asyncio.wait_for(reader.completed(run_id), PATIENCE_S)
    assert (message["run"]["status"], message["body"]) == ("interrupted", "Half")
    await model.asked()
    model.say("Whole.")
    model.end()
    ended = await asyncio.wait_for(reader.completed(waiting["run"]["id"]), PATIENCE_S)
    assert (ended["run"]["status"], ended["body"]) == ("finished", "Whole.")
    await reader.client.close()


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_server_that_drains_lets_a_run_end_or_interrupts_it_with_its_text(
    sites: Sites, tap: tuple[Tap, dict[str, str]], kind: Any
) -> None:
    model, environment = tap
    site = sites(kind, environment=environment | {"COMMSITE_DRAIN_S": "1"})
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation("grace")
    asker = await watch(site, ada, room)
    run_id = await ask(asker)
    await model.asked()
    model.say("Half")
    await asker.until_shown(run_id, "Half")

    site.signal(signal.SIGTERM)
    await asyncio.to_thread(site.wait)
    await asyncio.to_thread(site.restart)
    back = await watch(site, ada, room)

    (message,) = [each for each in back.reply["messages"] if each["role"] == "assistant"]
    assert (message["run"]["id"], message["run"]["status"]) == (run_id, "interrupted")
    assert message["body"] == "Half"
    assert back.reply["runs"] == []
    await back.client.close()


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_slow_viewer_gets_a_snapshot_and_holds_nobody_back(
    sites: Sites, tap: tuple[Tap, dict[str, str]], kind: Any
) -> None:
    model, environment = tap
    site = sites(kind, environment=environment | {"COMMSITE_ASSISTANT_ANSWER_CHARS": "50000000"})
    ada, grace = await Account.log_in(ADA, site), await Account.log_in(GRACE, site)
    room = await ada.open_conversation("grace")
    slow, joined = await join_raw(site, grace, room)
    viewer = Viewer(joined)
    asker = await watch(site, ada, room)
    run_id = await ask(asker)
    await model.asked()
    text = ""
    while not metric(site, "deliveries_conflated_total"):
        assert len(text) < 20_000_000, "nothing had to wait for the viewer that does not read"
        piece = f"{len(text)} ".rjust(40_000, "x")
        text += piece
        model.say(piece)
        await asker.until_shown(run_id, text)  # whoever does not read holds nobody back

    while not viewer.snapshots:
        see(viewer, await slow.read_envelope())
    model.say("the end")
    model.end()
    await asker.completed(run_id)
    while run_id not in viewer.final:
        see(viewer, await slow.read_envelope())
    slow.close()

    assert viewer.final[run_id]["body"] == viewer.texts[run_id] == text + "the end"
    assert (viewer.gaps, viewer.repeats) == (set(), 0)
    assert metric(site, "deliveries_renewed_total") >= 1
    await asker.client.close()


def see(viewer: Viewer, envelope: list[Any]) -> None:
    *_, event, payload = envelope
    viewer.see(event, payload)
