"""Typing, receipts and unread counts over two processes: to each person they are one site."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.account import Account
from tests.support.people import ADA, GRACE, LINUS
from tests.support.phoenix_client import PRESENCE, PhoenixClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.integration.conftest import Sites
    from tests.support.people import Person
    from tests.support.redis import RedisServer
    from tests.support.server import Site

    Enter = Callable[..., Any]


@pytest.fixture
def expiry_s() -> int:
    """So long somebody types who does not say so again: longer than any test but the one about it."""
    return 600


@pytest.fixture
def cluster(redis: RedisServer, sites: Sites, expiry_s: int) -> tuple[Site, Site]:
    environment = {"REDIS_URL": redis.url, "COMMSITE_TYPING_EXPIRY_S": str(expiry_s)}
    here = sites("uvicorn", environment=environment)
    there = sites("daphne", database_url=here.database_url, environment=environment)
    return here, there


@pytest.fixture
async def room(cluster: tuple[Site, Site]) -> str:
    ada = await Account.log_in(ADA, cluster[0])
    return await ada.open_conversation("grace", "linus")


@pytest.fixture
async def enter(room: str) -> AsyncIterator[Enter]:
    """`await enter(ADA, site)`: a tab of hers in the conversation and on her own topic."""
    tabs: list[PhoenixClient] = []

    async def enter(person: Person, site: Site) -> PhoenixClient:
        account = await Account.log_in(person, site)
        tab = await PhoenixClient.connect(site.socket_url, token=account.access)
        tab.deaf_to = PRESENCE
        tabs.append(tab)
        joined = await tab.join(room)
        await tab.join(f"user:{joined['user']['id']}")
        return tab

    yield enter
    for tab in tabs:
        await tab.close()


async def say(tab: PhoenixClient, room: str, body: str) -> int:
    sent = await tab.call(room, "send_message", {"body": body, "client_id": body})
    seq: int = sent["message"]["seq"]
    return seq


async def typing_on(tab: PhoenixClient, names: list[str]) -> None:
    """Waits until this tab shows exactly these people."""
    while sorted(
        each["user"]["username"] for each in (await tab.next("typing_changed")).payload["typing"]
    ) != sorted(names):
        pass


async def unread_on(tab: PhoenixClient, unread: int) -> Any:
    """Waits until this tab is told of so many unread messages; the whole payload."""
    while (told := (await tab.next("unread_changed")).payload)["unread"] != unread:
        pass
    return told


async def read_by(tab: PhoenixClient, user_id: int, seq: int) -> None:
    """Waits until this tab is told that the person has read so far."""
    while True:
        (one,) = (await tab.next("receipts_changed")).payload["receipts"]
        if (one["user_id"], one["read_seq"]) == (user_id, seq):
            return


async def test_two_tabs_of_one_person_in_two_processes_agree_on_what_is_unread(
    cluster: tuple[Site, Site], room: str, enter: Enter
) -> None:
    here, there = cluster
    ada, one, other = await enter(ADA, here), await enter(GRACE, here), await enter(GRACE, there)

    seqs = [await say(ada, room, f"@grace {n}") for n in range(3)]
    unread = [await unread_on(tab, 3) for tab in (one, other)]
    await other.call(room, "mark_read", {"seq": seqs[1]})
    left = [await unread_on(tab, 1) for tab in (one, other)]
    await one.call(room, "mark_read", {"seq": seqs[2]})
    read = [await unread_on(tab, 0) for tab in (one, other)]

    for pair in (unread, left, read):
        assert pair[0] == pair[1]
    assert [each[0]["mentions"] for each in (unread, left, read)] == [3, 1, 0]
    assert read[0]["read_seq"] == seqs[2]


async def test_marks_from_two_processes_end_at_the_furthest_for_everybody(
    cluster: tuple[Site, Site], room: str, enter: Enter
) -> None:
    here, there = cluster
    ada, one, other = await enter(ADA, there), await enter(GRACE, here), await enter(GRACE, there)
    last = [await say(ada, room, f"message {n}") for n in range(20)][-1]

    for seq in range(last + 1):
        await (one if seq % 2 else other).push(room, "mark_read", {"seq": seq})
    joined = await other.join(room)
    await read_by(ada, joined["user"]["id"], last)

    for tab in (ada, one, other):
        shown = await tab.call(room, "fetch_receipts")
        marks = {each["user_id"]: each["read_seq"] for each in shown["receipts"]}
        assert marks[joined["user"]["id"]] == last


async def test_people_who_type_in_two_processes_are_shown_together_and_go_one_by_one(
    cluster: tuple[Site, Site], room: str, enter: Enter
) -> None:
    here, there = cluster
    ada, linus = await enter(ADA, here), await enter(LINUS, there)
    graces = [await enter(GRACE, here), await enter(GRACE, there)]

    await ada.call(room, "start_typing")
    await linus.call(room, "start_typing")
    for tab in (*graces, ada, linus):
        await typing_on(tab, ["ada", "linus"])
    await say(linus, room, "done")
    for tab in graces:
        await typing_on(tab, ["ada"])
    await ada.close()
    for tab in graces:
        await typing_on(tab, [])


@pytest.mark.parametrize("expiry_s", [3])
async def test_those_who_typed_in_a_process_that_was_killed_stop_by_themselves(
    cluster: tuple[Site, Site], room: str, enter: Enter
) -> None:
    here, there = cluster
    ada, grace = await enter(ADA, there), await enter(GRACE, here)
    await ada.call(room, "start_typing")
    await typing_on(grace, ["ada"])

    there.kill()

    await typing_on(grace, [])


async def test_what_was_read_just_before_a_process_ends_in_good_order_is_kept_and_told(
    cluster: tuple[Site, Site], room: str, enter: Enter
) -> None:
    here, there = cluster
    ada, grace = await enter(ADA, here), await enter(GRACE, there)
    seqs = [await say(ada, room, f"message {n}") for n in range(2)]
    await grace.call(room, "mark_read", {"seq": seqs[0]})
    joined = await ada.join(room)
    grace_id = next(each["id"] for each in joined["members"] if each["username"] == "grace")
    await read_by(ada, grace_id, seqs[0])

    await grace.call(room, "mark_read", {"seq": seqs[1]})
    there.signal(signal.SIGTERM)

    await read_by(ada, grace_id, seqs[1])
    assert await asyncio.to_thread(there.wait) == 0
