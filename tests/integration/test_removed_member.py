"""A member who is removed in one process hears nothing more in any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.account import Account
from tests.support.people import ADA, GRACE
from tests.support.phoenix_client import ErrorReply, PhoenixClient
from tests.support.redis import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Sites


async def test_a_removed_member_loses_the_topic_in_every_process(
    sites: Sites, tmp_path: Path
) -> None:
    with RedisServer(tmp_path) as redis:
        here = sites("uvicorn", environment={"REDIS_URL": redis.url})
        there = sites(
            "uvicorn", database_url=here.database_url, environment={"REDIS_URL": redis.url}
        )
        ada, grace = await Account.log_in(ADA, here), await Account.log_in(GRACE, there)
        room = await ada.open_conversation("grace")
        async with (
            await PhoenixClient.connect(here.socket_url, token=ada.access) as adas,
            await PhoenixClient.connect(here.socket_url, token=grace.access) as near,
            await PhoenixClient.connect(there.socket_url, token=grace.access) as far,
        ):
            await adas.join(room)
            members = {m["username"]: m["id"] for m in (await near.join(room))["members"]}
            await far.join(room)

            await adas.call(room, "remove_member", {"user_id": members["grace"]})
            await adas.call(room, "send_message", {"body": "alone", "client_id": "c1"})
            for client in (near, far):
                await client.next("phx_close", topic=room)
                await client.heartbeat()
                assert client.waiting("message_sent") == []
                with pytest.raises(ErrorReply, match="not_found"):
                    await client.join(room)
