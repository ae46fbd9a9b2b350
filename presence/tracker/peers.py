"""The other replicas that one knows: met, silent, replaced, gone. Pure."""

from collections.abc import Iterator

from presence.tracker.clock import Clock, ahead
from presence.tracker.periods import Periods
from presence.tracker.replica import Peer, Replica


class Peers:
    """One run per name. A replica becomes known by its own heartbeat only, and is unknown again once it is removed.

    For `down_s` after a goodbye (or after a later run of the same name came) a late heartbeat is not taken for a new
    acquaintance; after that nothing of it is left. Of one that was silent for too long nothing is left at once.
    """

    def __init__(self, own: Replica, periods: Periods) -> None:
        self._own = own
        self._periods = periods
        self._peers: dict[Replica, Peer] = {}
        self._names: dict[str, Replica] = {}
        self._departed: dict[Replica, float] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def __contains__(self, replica: Replica) -> bool:
        return replica in self._peers

    def get(self, replica: Replica) -> Peer | None:
        """The peer, if it is known."""
        return self._peers.get(replica)

    def may_meet(self, replica: Replica) -> bool:
        """Whether a heartbeat of this unknown replica is to be believed.

        Of two runs with one name the later is. An earlier one is believed when the later is down: the machine's
        clock may have been set back between them.
        """
        if replica in self._departed or replica.name == self._own.name:
            return False
        known = self.namesake(replica)
        return known is None or replica > known.replica or not known.is_up

    def namesake(self, replica: Replica) -> Peer | None:
        """The known run of the same name."""
        known = self._names.get(replica.name)
        return None if known is None else self._peers[known]

    def meet(self, replica: Replica, now: float, target: int) -> Peer:
        """A replica that was never heard. From now on it alone has its name."""
        self._names[replica.name] = replica
        peer = self._peers[replica] = Peer(replica, now, target)
        return peer

    def depart(self, replica: Replica, now: float) -> None:
        """The replica has ended and will say nothing new, though something old may still be on its way."""
        self._departed[replica] = now

    def remove(self, replica: Replica) -> None:
        """Forgets a replica and what the others said of it."""
        if self._peers.pop(replica, None) is not None and self._names.get(replica.name) == replica:
            del self._names[replica.name]
        for peer in self:
            peer.clock.pop(replica, None)

    def forgive(self, late_s: float, now: float) -> None:
        """We were away ourselves for `late_s` (a stopped process, a blocked loop): nobody was silent in that time."""
        for peer in self:
            peer.heard_at = min(now, peer.heard_at + late_s)

    def overdue(self, now: float) -> list[Peer]:
        """Those whose deadline has passed."""
        self._departed = {
            replica: at for replica, at in self._departed.items() if now - at < self._periods.down_s
        }
        return [peer for peer in self if now >= self._deadline(peer)]

    @property
    def next_deadline(self) -> float:
        """When the next peer is overdue if none is heard before."""
        return min(map(self._deadline, self), default=float("inf"))

    def is_spent(self, peer: Peer, now: float) -> bool:
        """True when an overdue peer is to be removed, and not only down."""
        return peer.leaves_at is not None or now >= peer.heard_at + self._periods.permdown_s

    def is_ahead(self, known: Clock) -> bool:
        """Whether somebody knows more than `known`, or of somebody who was never heard of here."""
        return any(
            peer.is_up
            and (
                ahead(peer.clock, known)
                or any(map(self._is_stranger, peer.clock.keys() - known.keys()))
            )
            for peer in self
        )

    def _is_stranger(self, replica: Replica) -> bool:
        return replica not in self._peers and self.may_meet(replica)

    def sources(self, known: Clock) -> dict[Replica, list[Replica]]:
        """For each replica of `known` that somebody knows more of: who can be asked. One that ends cannot."""
        sources: dict[Replica, list[Replica]] = {}
        for peer in self:
            if not peer.is_up:
                continue
            for replica in ahead(peer.clock, known):
                able = [one for one in (peer, self._peers[replica]) if one.leaves_at is None]
                sources.setdefault(replica, []).extend(one.replica for one in able[:1])
        return {replica: able for replica, able in sources.items() if able}

    def _deadline(self, peer: Peer) -> float:
        return peer.deadline(self._periods.down_s, self._periods.permdown_s)
