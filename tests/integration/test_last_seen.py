"""What a killed process loses of the time its people were here: no more than is written between two rounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.people import ADA, GRACE
from tests.support.phoenix_client import PhoenixClient

if TYPE_CHECKING:
    from tests.integration.conftest import Sites

LOBBY = "presence:lobby"
SEEN_S = 1.0


async def test_a_killed_process_loses_no_more_than_a_round(sites: Sites) -> None:
    site = sites("uvicorn", environment={"COMMSITE_PRESENCE_SEEN_S": str(SEEN_S)})
    ada = await Account.log_in(ADA, site)
    rounds = timedelta(
        seconds=SEEN_S + 4
    )  # a round, its write on a busy machine, the cut-off second
    async with await PhoenixClient.connect(site.socket_url, token=ada.access) as client:
        me = (await client.join(LOBBY))["user"]["id"]
        since = datetime.now(UTC)

        async def is_long_enough() -> bool:
            return datetime.now(UTC) - since > rounds

        await eventually(is_long_enough, "time")
        killed_at = datetime.now(UTC)
        site.kill()
    site.start()

    grace = await Account.log_in(GRACE, site)
    answer = await grace.call("GET", f"presence/{LOBBY}/?users={me}")
    seen = datetime.fromisoformat(answer["last_seen"][str(me)])
    assert killed_at - rounds <= seen <= killed_at


async def test_a_process_that_ends_in_good_order_loses_nothing(sites: Sites) -> None:
    site = sites("uvicorn", environment={"COMMSITE_PRESENCE_SEEN_S": "3600"})
    ada = await Account.log_in(ADA, site)
    async with await PhoenixClient.connect(site.socket_url, token=ada.access) as client:
        me = (await client.join(LOBBY))["user"]["id"]
        await client.next("presence_state")
        since = datetime.now(UTC).replace(microsecond=0)
        site.stop()
    site.start()

    grace = await Account.log_in(GRACE, site)
    answer = await grace.call("GET", f"presence/{LOBBY}/?users={me}")
    assert datetime.fromisoformat(answer["last_seen"][str(me)]) >= since
