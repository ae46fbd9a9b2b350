"""The backplane as the tracker's way to the other processes."""

import logging
from typing import Any

from django.conf import settings

from commsite.realtime.hub import hub

logger = logging.getLogger(__name__)

GOSSIP = "presence"
"""The control message that carries gossip to everybody."""
TRANSFER = "presence"
"""The call by which one replica asks another, and by which the other answers."""


class HubLink:
    """A `presence.tracker.shard.Link`."""

    def to_all(self, gossip: bytes) -> None:
        """Sends it as a control message."""
        hub.backplane.control(GOSSIP, {"from": hub.backplane.mailbox, "gossip": gossip})

    async def tell(self, address: str, gossip: bytes) -> None:
        """Calls the process; raises Unreachable when it has not taken this within a period."""
        patience_s = settings.REALTIME["PRESENCE_BROADCAST_S"]
        message = {"from": hub.backplane.mailbox, "gossip": gossip}
        await hub.backplane.call(address, TRANSFER, message, patience_s)

    def spawn(self, work: Any) -> None:
        """Runs a transfer in a task of the hub."""
        hub.spawn(_quietly(work))


async def _quietly(work: Any) -> None:
    """A transfer that fails is asked for again by the tracker itself."""
    try:
        await work
    except Exception as error:
        logger.debug("presence: no transfer: %r", error)
