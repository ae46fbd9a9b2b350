"""One process's part in the tracker: its name, and what another one believes of its life. Pure."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec


class Replica(msgspec.Struct, frozen=True, array_like=True, order=True, cache_hash=True):
    """A replica is one run of one process: a restart is a new `incarnation`, greater than those before.

    The start time in microseconds serves well. Two runs never share a replica, so their event numbers never mix.
    """

    name: str
    incarnation: int

    def ref(self, counter: int) -> str:
        """The dot (replica, counter) as 16 URL-safe characters, the same in every process. Serves as `phx_ref`."""
        who = hashlib.blake2b(f"{self.incarnation}.{self.name}".encode(), digest_size=6).digest()
        return base64.urlsafe_b64encode(who + counter.to_bytes(6)).decode()


@dataclass(slots=True)
class Peer:
    """Another replica as this one sees it: when it was heard, what it knew then, whether its entries are shown.

    A peer that is met, or heard again after it was down, is not shown until we know all that it knew at that moment
    (`target`). So what a split has made stale is never shown as a join that the next merge takes back.
    """

    replica: Replica
    heard_at: float
    target: int
    is_up: bool = True
    is_shown: bool = False
    number: int = -1
    """Of its last heartbeat."""
    clock: dict[Replica, int] = field(default_factory=dict)
    """What it knew when it last spoke."""
    asked_at: float = float("-inf")
    """When its events were last asked for, of anyone."""
    tries: int = 0
    """How often they were asked for since some came."""
    leaves_at: float | None = None
    """When its entries go: it has said goodbye, and its clients were given so long to come back elsewhere."""

    @property
    def condition(self) -> str:
        """In one word: up, joining (not shown yet), leaving or down."""
        if self.leaves_at is not None:
            return "leaving"
        if not self.is_up:
            return "down"
        return "up" if self.is_shown else "joining"

    def knew(self, clock: Mapping[Replica, int]) -> None:
        """It knew this much at some time, and has not forgotten any of it."""
        for replica, counter in clock.items():
            if counter > self.clock.get(replica, 0):
                self.clock[replica] = counter

    def hear(self, now: float, counter: int) -> bool:
        """It gave a sign of life. True when it was down: then it must catch up to `counter` before it is shown."""
        self.heard_at = now
        if self.is_up:
            return False
        self.is_up = True
        self.target = counter
        return True

    def deadline(self, down_s: float, permdown_s: float) -> float:
        """When something is to happen to it if it stays silent."""
        if self.leaves_at is not None:
            return self.leaves_at
        return self.heard_at + (down_s if self.is_up else permdown_s)
