"""Messages on real servers: changed over both doors, heard at the other, held to one rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.account import Account
from tests.support.deadline import PATIENCE_S
from tests.support.people import ADA, GRACE
from tests.support.phoenix_client import PRESENCE, ErrorReply, PhoenixClient

if TYPE_CHECKING:
    from tests.integration.conftest import Sites
    from tests.support.server import ServerKind

KINDS: tuple[ServerKind, ...] = ("uvicorn", "daphne")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_done_over_one_door_is_heard_at_the_other_now_and_after_coming_back(
    sites: Sites, kind: ServerKind
) -> None:
    site = sites(kind)
    ada, grace = await Account.log_in(ADA, site), await Account.log_in(GRACE, site)
    room = await ada.open_conversation("grace")
    path = f"conversations/{room.partition(':')[2]}/messages"
    (said,) = await ada.say(room, "helo @grace")
    one = f"{path}/{said['id']}"
    async with (
        await PhoenixClient.connect(site.socket_url, token=grace.access) as stays,
        await PhoenixClient.connect(site.socket_url, token=grace.access) as returns,
    ):
        stays.deaf_to = returns.deaf_to = PRESENCE
        await stays.join(room)

        await ada.call("PATCH", f"{one}/", revision=1, body="hello @grace")
        await stays.call(room, "add_reaction", {"message_id": said["id"], "emoji": "🐎"})
        await ada.call("POST", f"{one}/reactions/", emoji="#️⃣")
        await ada.call("DELETE", f"{one}/reactions/{quote('#️⃣', safe='')}/")
        await ada.call("PUT", f"{one}/pin/")
        await stays.call(
            room, "send_message", {"body": "hi", "client_id": "r1", "thread_id": said["id"]}
        )
        final = (await ada.call("GET", f"{one}/"))["message"]
        await stays.settle(room)
        heard = [(fact.event, seq_of(fact.payload)) for fact in facts(stays)]
        await returns.join(room, {"since": 1})
        await returns.settle(room)
        missed = facts(returns)

    assert heard == [
        ("message_edited", 2),
        ("reaction_added", 3),
        ("reaction_added", 4),
        ("reaction_removed", 5),
        ("message_pinned", 6),
        ("message_sent", 7),
    ]
    assert [(fact.event, seq_of(fact.payload)) for fact in missed] == heard
    assert missed[0].payload["message"] == final
    assert (final["body"], final["reply_count"]) == ("hello @grace", 1)
    assert [each["emoji"] for each in final["reactions"]] == ["🐎"]
    assert final["pinned_by"]["username"] == "ada"


def facts(client: PhoenixClient) -> list[Any]:
    """What has a place in history; receipts and typing have none."""
    return [each for each in client.waiting() if {"seq", "message"} & each.payload.keys()]


def seq_of(payload: dict[str, Any]) -> int:
    seq: int = payload["seq"] if "seq" in payload else payload["message"]["seq"]
    return seq


@pytest.mark.parametrize("kind", KINDS)
async def test_sockets_and_rest_of_one_person_have_one_rate_and_the_socket_stays(
    sites: Sites, kind: ServerKind
) -> None:
    slow = {"COMMSITE_BENCH": "0", "COMMSITE_MESSAGES_PER_S": "0.01", "COMMSITE_MESSAGE_BURST": "2"}
    site = sites(kind, environment=slow)
    ada = await Account.log_in(ADA, site)
    room = await ada.open_conversation()
    async with await PhoenixClient.connect(site.socket_url, token=ada.access) as client:
        await client.join(room)

        await ada.say(room, "over REST")
        await client.call(room, "send_message", {"body": "over the socket", "client_id": "c1"})
        with pytest.raises(ErrorReply) as refused:
            await client.call(room, "send_message", {"body": "too much", "client_id": "c2"})
        over_rest = await _post(ada, room)
        await client.heartbeat()
        page = await client.call(room, "fetch_history", {})

    assert refused.value.reason == "rate_limited"
    assert 0 < refused.value.response["retry_after_ms"] <= 100_000
    assert (over_rest.status_code, over_rest.json()["reason"]) == (429, "rate_limited")
    assert [each["body"] for each in page["messages"]] == ["over REST", "over the socket"]


async def _post(account: Account, room: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {account.access}"}
    address = f"{account.url}/api/v1/conversations/{room.partition(':')[2]}/messages/"
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_S, trust_env=False) as http:
        return await http.post(address, json={"body": "too much", "client_id": "c3"})
