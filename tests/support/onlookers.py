"""People who watch one conversation on several sites, and must all come to the same in the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.convergence import FACTS, Told, apply
from tests.support.phoenix_client import PRESENCE, PhoenixClient
from tests.support.run_viewer import Watcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.account import Account
    from tests.support.server import Site


class Onlooker(Watcher):
    """A watcher who keeps all that was told, in its order."""

    def __init__(self, client: PhoenixClient, topic: str, reply: Mapping[str, Any]) -> None:
        super().__init__(client, topic, reply)
        self.told: list[Told] = []
        self.seq: int = reply["seq"]

    def take(self, event: str, payload: dict[str, Any]) -> None:
        super().take(event, payload)
        if event in FACTS:
            seq = payload["message"]["seq"] if event == "message_sent" else payload["seq"]
            self.told.append(Told(self.topic, event, payload, seq))
            self.seq = seq

    async def up_to(self, seq: int) -> None:
        """Watches until that fact is there."""
        while self.seq < seq:
            message = await self.client.next()
            self.take(message.event, message.payload)

    def sees(self) -> dict[str, Any]:
        """The conversation as it stands on this screen."""
        return apply(self.told, joined(self.reply))


def joined(reply: Mapping[str, Any]) -> dict[str, Any]:
    """What a join reply says of the conversation, as facts move it."""
    return {
        "seq": reply["seq"],
        "title": reply["conversation"]["title"],
        "assistant": reply["conversation"]["assistant"],
        "members": {member["id"]: member for member in reply["members"]},
        "pins": reply["pins"],
        "messages": reply["messages"],
        "threads": {},
    }


class Onlookers:
    """One screen for each person on each site."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.all: list[Onlooker] = []

    async def enter(self, site: Site, account: Account) -> Onlooker:
        """Somebody joins, and watches from now on."""
        client = await PhoenixClient.connect(site.socket_url, token=account.access, max_size=None)
        client.deaf_to = PRESENCE | {"receipts_changed", "typing_changed"}
        onlooker = await Onlooker.enter(client, self.topic)
        assert isinstance(onlooker, Onlooker)
        self.all.append(onlooker)
        return onlooker

    async def agree(self, site: Site, account: Account) -> dict[str, Any]:
        """Waits until all have heard of everything; all see what a newcomer sees, which is returned."""
        late = await self.enter(site, account)
        fresh = late.sees()
        for onlooker in self.all:
            await onlooker.up_to(fresh["seq"])
            seen = onlooker.sees()
            assert _text(seen) == _text(fresh), (seen, fresh)
            for run_id, message in onlooker.viewer.final.items():
                onlooker.viewer.assert_lost_nothing(run_id)
                assert message["run"]["status"] in (
                    "finished", "cancelled", "error", "interrupted",
                )  # fmt: skip
        await self.leave(late)
        return fresh

    async def leave(self, *some: Onlooker) -> None:
        """These, or all, go."""
        for onlooker in some or tuple(self.all):
            self.all.remove(onlooker)
            await onlooker.client.close()


def _text(seen: dict[str, Any]) -> str:
    return json.dumps(seen, sort_keys=True)
