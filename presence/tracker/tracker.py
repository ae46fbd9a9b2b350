"""One process's tracker: its state, its peers, and the gossip that keeps it right. Pure: `now` and chance are given.

The process that owns it sends what the calls return, calls `on_tick` at `wake_at`, and hands each message received to
`on_message`. Messages may be lost, doubled, late and out of order. When they arrive again, every tracker shows exactly
what the others hold within two broadcast periods.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from presence.tracker.assembly import Assembly
from presence.tracker.clock import Clock, ahead
from presence.tracker.delta import Change, Delta, Entry
from presence.tracker.diff import Diff
from presence.tracker.farewells import Farewells
from presence.tracker.gossip import (
    Goodbye,
    Gossip,
    Heartbeat,
    TransferAnswer,
    TransferRequest,
    receiver,
)
from presence.tracker.peers import Peers
from presence.tracker.periods import Periods
from presence.tracker.replica import Peer, Replica
from presence.tracker.roster import Roster
from presence.tracker.state import SIZES, Replace, State

PART_BYTES = 256 * 1024
"""A transfer goes in parts of about so much: what is larger holds up what comes behind it, here and on the way."""


TOLD_PARTS = 4
"""News of more than so many parts is not told to everybody in one message: each asks for it, and gets it in parts."""


class Outcome(NamedTuple):
    """What a call changed for readers, and what is to be sent."""

    diff: Diff
    messages: list[Gossip]


class Report(NamedTuple):
    """One replica as an operator sees it. `silent_s` is None for the own one."""

    replica: Replica
    condition: str
    version: int
    silent_s: float | None
    entries: int
    cloud: int
    generations: list[int]


class Tracker:
    """Who is present, in all processes. `random` gives numbers in [0, 1): what it spreads must not happen at once."""

    def __init__(
        self,
        replica: Replica,
        now: float,
        *,
        random: Callable[[], float],
        periods: Periods | None = None,
        sizes: Iterable[int] = SIZES,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self.replica = replica
        self.periods = periods or Periods()
        self.roster = Roster()
        self._farewells = Farewells(self.roster)
        self._random = random
        self._state = State(replica, sizes)
        self._peers = Peers(replica, self.periods)
        self._part_bytes = part_bytes
        self._assembly = Assembly()
        self._number = 0
        self._silent = self.periods.max_silent_periods
        self._broadcast_at = now + self._jitter_s()
        self._ask_at = float("inf")
        self._has_stopped = False

    # ---- Own entries: everybody here sees them at once, the others within a period ------------------

    def track(self, topic: str, key: str, id: str, meta: bytes) -> Diff:  # noqa: A002  the entry's word
        """Adds an entry of this process. Raises AlreadyTracked."""
        return self._show(self._state.track(topic, key, id, meta))

    def update(self, topic: str, key: str, id: str, meta: bytes | Replace) -> Diff:  # noqa: A002
        """Replaces the meta of an entry of this process; a function gets the old one. Raises NotTracked."""
        return self._show(self._state.update(topic, key, id, meta))

    def untrack(self, topic: str, key: str, id: str) -> Diff:  # noqa: A002
        """Removes an entry of this process; one that is not there changes nothing."""
        return self._show(self._state.untrack(topic, key, id))

    # ---- Readers -------------------------------------------------------------------------------------

    def list(self, topic: str) -> list[Entry]:
        """Everybody on a topic in all processes that are not down; the entries of one key stand together."""
        return self.roster.list(topic)

    def get_by_key(self, topic: str, key: str) -> tuple[Entry, ...]:
        """The entries of one key on a topic."""
        return self.roster.get_by_key(topic, key)

    def own(self, topic: str, key: str, id: str) -> Entry | None:  # noqa: A002
        """The entry of this process by this name; another process may have one of the same name."""
        return self._state.own(topic, key, id)

    def count_keys(self, topic: str) -> int:
        """How many keys (people) are on a topic. Costs nothing."""
        return self.roster.count_keys(topic)

    def clock(self) -> Clock:
        """How far this one knows itself and the peers that are not down.

        Down ones are left out: they may have been given up by others, who would ask for them for ever
        (phoenix_pubsub issue 136).
        """
        replicas = [self.replica, *(peer.replica for peer in self._peers if peer.is_up)]
        return {replica: self._state.version(replica) for replica in replicas}

    def report(self, now: float) -> tuple[Report, ...]:
        """This replica and every one that it knows, for operators."""
        rows: list[tuple[Replica, str, float | None]] = [(self.replica, "own", None)]
        rows += [(peer.replica, peer.condition, now - peer.heard_at) for peer in self._peers]
        return tuple(
            Report(who, condition, self._state.version(who), silent_s, *self._state.sizes(who))
            for who, condition, silent_s in rows
        )

    # ---- Time ----------------------------------------------------------------------------------------

    @property
    def wake_at(self) -> float:
        """When `on_tick` is to be called next. Look again after every call."""
        if self._has_stopped:
            return float("inf")
        deadlines = (self._peers.next_deadline, self._farewells.next_deadline)
        return min(self._broadcast_at, self._ask_at, *deadlines)

    def on_tick(self, now: float) -> Outcome:
        """Does what is due: finds who is down, sends the heartbeat with what happened, asks for what is missing."""
        diff = Diff()
        if self._has_stopped:
            return Outcome(diff, [])
        if now - self.wake_at > self.periods.broadcast_s:
            self._peers.forgive(now - self.wake_at, now)
        for peer in self._peers.overdue(now):
            if self._peers.is_spent(peer, now):
                self._remove(peer, diff)
            else:
                peer.is_up = False
                self._hide(peer, diff)
        self._end_farewells(now, diff)
        return Outcome(diff, [*self._broadcast(now), *self._ask(now)])

    def hasten(self, now: float) -> None:
        """The others should hear of us soon: the link is back, or somebody has just arrived."""
        self._silent = self.periods.max_silent_periods
        self._broadcast_at = min(self._broadcast_at, now + self._jitter_s())

    def catch_up(self, now: float) -> tuple[Gossip, ...]:
        """We heard nothing for a while: asks each peer for what it has done since, without waiting for its clock."""
        self.hasten(now)
        known = self._known()
        asked = [
            peer
            for peer in self._peers
            if peer.replica in known
            and peer.leaves_at is None
            and now - peer.asked_at >= self.periods.retry_s
        ]
        for peer in asked:
            peer.asked_at = now
        return tuple(
            TransferRequest(self.replica, peer.replica, {peer.replica: known[peer.replica]})
            for peer in asked
        )

    def stop(self, linger_s: float = 0.0) -> tuple[Gossip, ...]:
        """Says goodbye. The others show our entries for `linger_s` more: for a restart, until the clients are back."""
        self._has_stopped = True
        delta = self._state.flush()
        return (Goodbye(self.replica, linger_s, delta, self.clock()),)

    def _jitter_s(self) -> float:
        return self._random() * self.periods.jitter_s

    def _broadcast(self, now: float) -> tuple[Gossip, ...]:
        if now < self._broadcast_at:
            return ()
        self._broadcast_at = now + self.periods.broadcast_s
        if self._assembly and not self._is_behind:
            self._assembly.clear()
        self._silent += 1
        delta = self._state.flush()
        if delta is None and self._silent < self.periods.max_silent_periods:
            return ()
        if delta is not None and delta.cost > TOLD_PARTS * self._part_bytes:
            delta = None
        self._silent = 0
        self._number += 1
        return (Heartbeat(self.replica, self._number, self.clock(), delta),)

    # ---- Transfers -----------------------------------------------------------------------------------

    def _known(self) -> Clock:
        clock = self.clock()
        del clock[self.replica]
        return clock

    def _plan_asking(self, theirs: Clock, now: float) -> None:
        """Somebody knows more: asks soon; where an answer may be on its way, when it ought to have come."""
        waited = [self._peers.get(replica) for replica in ahead(theirs, self._known())]
        due = [max(now, peer.asked_at + self.periods.retry_s) for peer in waited if peer]
        if due:
            self._ask_at = min(self._ask_at, min(due) + self._jitter_s())

    def _ask(self, now: float) -> tuple[Gossip, ...]:
        """Requests for everything that is missing and was not asked for just now, and the time of the next try."""
        if now < self._ask_at:
            return ()
        self._ask_at = float("inf")
        known = self._known()
        clocks: dict[Replica, Clock] = {}
        for replica, sources in self._peers.sources(known).items():
            self._ask_at = now + self.periods.retry_s + self._jitter_s()
            peer = self._peers.get(replica)
            if peer and now - peer.asked_at >= self.periods.retry_s:
                source = self._source(peer, sources)
                clocks.setdefault(source, {})[replica] = known[replica]
                peer.asked_at = now
                peer.tries += 1
        return tuple(TransferRequest(self.replica, to, clock) for to, clock in clocks.items())

    def _source(self, peer: Peer, sources: Sequence[Replica]) -> Replica:
        """Whom to ask for a peer's events: itself, and every second time anyone who has them."""
        if peer.replica in sources and peer.tries % 2 == 0:
            return peer.replica
        return sources[int(self._random() * len(sources))]

    # ---- Messages ------------------------------------------------------------------------------------

    def on_message(self, now: float, message: Gossip) -> Outcome:
        """Takes what another replica said. What is for somebody else, or our own echo, changes nothing."""
        diff = Diff()
        answers: list[Gossip] = []
        if receiver(message) not in {None, self.replica} or message.sender == self.replica:
            return Outcome(diff, answers)
        match message:
            case Heartbeat():
                self._on_heartbeat(now, message, diff)
            case TransferRequest():
                answers.extend(self._on_request(message))
            case TransferAnswer():
                self._on_answer(now, message, diff)
            case Goodbye():
                self._on_goodbye(now, message, diff)
        self._end_farewells(now, diff)
        return Outcome(diff, answers)

    def _on_heartbeat(self, now: float, heartbeat: Heartbeat, diff: Diff) -> None:
        counter = heartbeat.clock.get(heartbeat.sender, 0)
        peer = self._peers.get(heartbeat.sender) or self._meet(now, heartbeat.sender, counter, diff)
        if peer is None:
            return
        if heartbeat.number > peer.number and peer.leaves_at is None:
            peer.number = heartbeat.number
            was, peer.clock = peer.clock, dict(heartbeat.clock)
            peer.knew({replica: was.get(replica, 0) for replica in heartbeat.clock})
            if peer.hear(now, counter):
                self.hasten(now)
        self._merge(now, peer, heartbeat.delta, diff)
        self._plan_asking(peer.clock, now)

    def _meet(self, now: float, sender: Replica, counter: int, diff: Diff) -> Peer | None:
        """A new acquaintance, which should hear of us too. It ends the earlier run of its name.

        The people of that run are shown until it would have been down: they are on their way back.
        """
        if not self._peers.may_meet(sender):
            return None
        if namesake := self._peers.namesake(sender):
            if sender > namesake.replica:  # else the later run may live after all, and speaks
                self._peers.depart(namesake.replica, now)
            if not namesake.is_up:
                self._remove(namesake, diff)
            elif namesake.leaves_at is None:
                namesake.leaves_at = namesake.deadline(self.periods.down_s, self.periods.permdown_s)
        self.hasten(now)
        return self._peers.meet(sender, now, counter)

    def _on_request(self, request: TransferRequest) -> Iterator[Gossip]:
        """The parts of one answer for each replica of which we know more; never the asker's own."""
        for replica, counter in request.clock.items():
            if replica == request.sender:
                continue
            if replica == self.replica or replica in self._peers:
                delta = self._state.answer(replica, counter)
                parts = () if delta is None else tuple(delta.parts(self._part_bytes))
                clock = self._clock_of(replica)
                for number, part in enumerate(parts):
                    yield TransferAnswer(
                        self.replica, request.sender, part, number, len(parts), clock
                    )

    def _clock_of(self, replica: Replica) -> Clock:
        """How much a replica is known to have known."""
        peer = self._peers.get(replica)
        return self.clock() if peer is None else dict(peer.clock)

    def _on_answer(self, now: float, answer: TransferAnswer, diff: Diff) -> None:
        peer = self._peers.get(answer.delta.replica)
        if peer is None:
            return
        delta = self._assembly.add(answer)
        if delta is None:
            peer.asked_at = now  # the rest is on its way, and may be lost
            self._learn(peer, {peer.replica: answer.delta.end})
            self._plan_asking(peer.clock, now)
        else:
            peer.asked_at = float("-inf")
            peer.tries = 0
            self._learn(peer, answer.clock)
            self._merge(now, peer, delta, diff)
            self._plan_asking(peer.clock, now)

    def _learn(self, peer: Peer, clock: Clock) -> None:
        """Takes what a peer knew, as far as it is about those whom we know."""
        peer.knew(
            {replica: counter for replica, counter in clock.items() if replica in self._peers}
        )

    def _on_goodbye(self, now: float, goodbye: Goodbye, diff: Diff) -> None:
        self._peers.depart(goodbye.sender, now)
        peer = self._peers.get(goodbye.sender)
        if peer is None:
            return
        self._learn(peer, goodbye.clock)
        self._merge(now, peer, goodbye.delta, diff)
        self._plan_asking(peer.clock, now)
        linger_s = min(goodbye.linger_s, self.periods.down_s)
        if linger_s > 0 and peer.is_up:
            peer.leaves_at = peer.leaves_at or now + linger_s
        else:
            self._remove(peer, diff)

    # ---- What readers see ----------------------------------------------------------------------------

    def _merge(self, now: float, peer: Peer, delta: Delta | None, diff: Diff) -> None:
        """Takes events of a peer, and shows the peer once it has caught up."""
        if delta is not None and delta.replica == peer.replica:
            change = self._state.merge(delta)
            if peer.is_shown:
                is_half = bool(change.leaves) and self._is_behind
                until = now + self.periods.patience_s if is_half else None
                diff.apply(self._farewells.apply(change, until))
        if peer.is_up and not peer.is_shown and self._state.version(peer.replica) >= peer.target:
            peer.is_shown = True
            entries = self._state.entries(peer.replica)
            diff.apply(self._farewells.apply(Change(entries, []), None))

    @property
    def _is_behind(self) -> bool:
        """True while somebody is known to know more."""
        return self._peers.is_ahead(self._known())

    def _end_farewells(self, now: float, diff: Diff) -> None:
        """Once nothing is missing any more, those who were held back are gone indeed."""
        if self._farewells:
            diff.leave(self._farewells.release(now if self._is_behind else None))

    def _hide(self, peer: Peer, diff: Diff) -> None:
        if peer.is_shown:
            peer.is_shown = False
            entries = self._state.entries(peer.replica)
            self.roster.drop(entries)
            diff.leave(entries)

    def _remove(self, peer: Peer, diff: Diff) -> None:
        """Ends a replica for good: no trace of it stays (phoenix_pubsub issue 179)."""
        self._hide(peer, diff)
        self._state.forget(peer.replica)
        self._assembly.forget(peer.replica)
        self._peers.remove(peer.replica)

    def _show(self, change: Change) -> Diff:
        diff = Diff()
        diff.apply(self._farewells.apply(change, None))
        return diff
