"""Trackers in one test, with a network between them that can lose, double, delay and split, and one true time."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

from presence.tracker.gossip import Gossip, Heartbeat, TransferRequest, decode, encode, receiver
from presence.tracker.periods import Periods
from presence.tracker.replica import Replica
from presence.tracker.tracker import Outcome, Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from presence.tracker.diff import Diff

PERIODS = Periods(broadcast_s=1.0, down_s=4.0, permdown_s=20.0)
TOPIC = "conversation:lobby"
Who = tuple[str, str, str, bytes]


class Cluster:
    """Every call checks that readers who follow the diffs see what a fresh list shows, and nothing that never was."""

    def __init__(
        self,
        *names: str,
        periods: Periods = PERIODS,
        skews: Iterable[float] = (),
        sizes: Iterable[int] = (2, 5, 12),
        part_bytes: int = 150,
    ) -> None:
        self.periods = periods
        self.part_bytes = part_bytes
        self.sizes = tuple(sizes)
        self.now = 1_000.0
        self.started = 0
        self.random = random.Random(7)
        self.trackers: dict[str, Tracker] = {}
        self.network: list[tuple[str, str, bytes]] = []
        self.cut: set[tuple[str, str]] = set()
        self.sent: list[Gossip] = []
        self.shown: dict[str, dict[str, Who]] = {}
        self.diffs: dict[str, list[Diff]] = defaultdict(list)
        self.truth: dict[str, dict[tuple[str, str, str], bytes]] = {}
        self.held: dict[Replica, dict[int, frozenset[str]]] = defaultdict(lambda: {0: frozenset()})
        self.skews = dict(zip(names, [*skews, *[0.0] * len(names)], strict=False))
        for name in names:
            self.start(name)

    # ---- Lives -----------------------------------------------------------------------------------

    def start(self, name: str) -> Tracker:
        """A process starts (again): a new incarnation."""
        self.started += 1
        replica = Replica(name, int(self.now * 1_000_000) + self.started)
        self.trackers[name] = Tracker(
            replica,
            self.time(name),
            random=self.random.random,
            periods=self.periods,
            sizes=self.sizes,
            part_bytes=self.part_bytes,
        )
        self.shown[name] = {}
        self.truth[name] = {}
        self.diffs[name] = []
        return self.trackers[name]

    def kill(self, name: str) -> None:
        """kill -9."""
        del self.trackers[name], self.shown[name], self.truth[name]

    def stop(self, name: str, linger_s: float = 0.0) -> None:
        """A process says goodbye and is gone."""
        self.tell(name, self.trackers[name].stop(linger_s))
        self.kill(name)

    def time(self, name: str) -> float:
        """What this process's clock says."""
        return self.now + self.skews.get(name, 0.0)

    # ---- Entries ---------------------------------------------------------------------------------

    def track(self, name: str, key: str, tab: str = "tab", meta: bytes = b"{}") -> None:
        """A person comes, at this process."""
        self._follow(name, self.trackers[name].track(TOPIC, key, tab, meta))
        self.truth[name][TOPIC, key, tab] = meta
        self._remember(name)

    def update(self, name: str, key: str, tab: str = "tab", meta: bytes = b"{}") -> None:
        """A person's meta changes."""
        self._follow(name, self.trackers[name].update(TOPIC, key, tab, meta))
        self.truth[name][TOPIC, key, tab] = meta
        self._remember(name)

    def untrack(self, name: str, key: str, tab: str = "tab") -> None:
        """A person goes."""
        self._follow(name, self.trackers[name].untrack(TOPIC, key, tab))
        self.truth[name].pop((TOPIC, key, tab), None)
        self._remember(name)

    # ---- Network ---------------------------------------------------------------------------------

    def split(self, *groups: Iterable[str]) -> None:
        """Only those of one group hear each other."""
        side = {name: number for number, group in enumerate(groups) for name in group}
        self.cut = {(a, b) for a in side for b in side if side[a] != side[b]}

    def heal(self) -> None:
        """Everybody hears everybody."""
        self.cut = set()

    def deliver(self, position: int = 0) -> None:
        """One message on its way arrives."""
        sender, name, data = self.network.pop(position)
        if name in self.trackers and (sender, name) not in self.cut:
            self._take(name, self.trackers[name].on_message(self.time(name), decode(data)))

    def settle(self) -> None:
        """Everything on its way arrives, in order, with what it brings about."""
        while self.network:
            self.deliver()

    def lose(self) -> None:
        """Everything on its way is lost."""
        self.network.clear()

    # ---- Time ------------------------------------------------------------------------------------

    def tick(self, name: str) -> None:
        """The timer of a process fires now."""
        self._take(name, self.trackers[name].on_tick(self.time(name)))

    def run(self, seconds: float) -> None:
        """Time passes; every timer fires when it should and every message arrives at once."""
        end = self.now + seconds
        while True:
            self.settle()
            wakes = [(self._wake_at(name), name) for name in self.trackers]
            at, name = min(wakes, default=(end + 1, ""))
            if at > end:
                break
            self.now = max(self.now, at)
            tracker = self.trackers[name]
            due = max(self.time(name), tracker.wake_at)  # the skew may round it to just before
            self._take(name, tracker.on_tick(due))
        self.now = end

    def periods_pass(self, number: float) -> None:
        """So many broadcast periods."""
        self.run(number * self.periods.broadcast_s)

    # ---- What is seen ----------------------------------------------------------------------------

    def seen(self, name: str) -> set[str]:
        """The keys that this process shows."""
        return {entry.key for entry in self.trackers[name].list(TOPIC)}

    def listed(self, name: str) -> list[Who]:
        """Everything that this process shows, sorted."""
        entries = self.trackers[name].list(TOPIC)
        return sorted((entry.topic, entry.key, entry.id, entry.meta) for entry in entries)

    def all_there_is(self) -> list[Who]:
        """What every process should show at rest, sorted."""
        return sorted((*who, meta) for own in self.truth.values() for who, meta in own.items())

    def known_of(self, name: str) -> set[str]:
        """The other replicas that a process has any trace of."""
        tracker = self.trackers[name]
        kept = {
            *tracker._state._parts,
            *tracker._peers._peers,
            *tracker._peers._names.values(),
            *tracker._peers._departed,
            *(replica for peer in tracker._peers for replica in peer.clock),
        }
        return {replica.name for replica in kept if replica != tracker.replica}

    def joins_and_leaves(self, name: str) -> list[tuple[str, str]]:
        """The story a reader at this process was told: ("join" | "leave", key)."""
        return [
            (verb, entry.key)
            for diff in self.diffs[name]
            for topic in diff.topics.values()
            for verb, entries in (("leave", topic.leaves), ("join", topic.joins))
            for entry in entries.values()
        ]

    def requests(self) -> list[TransferRequest]:
        """The transfer requests sent so far."""
        return [message for message in self.sent if isinstance(message, TransferRequest)]

    def heartbeats(self, name: str) -> list[Heartbeat]:
        """The heartbeats of a process so far."""
        beats = [message for message in self.sent if isinstance(message, Heartbeat)]
        return [message for message in beats if message.sender.name == name]

    # ---- Inside ----------------------------------------------------------------------------------

    def _wake_at(self, name: str) -> float:
        return self.trackers[name].wake_at - self.skews.get(name, 0.0)

    def _take(self, name: str, outcome: Outcome) -> None:
        self._follow(name, outcome.diff)
        self.tell(name, outcome.messages)

    def tell(self, name: str, messages: Iterable[Gossip]) -> None:
        """A process sends these."""
        for message in messages:
            self.sent.append(message)
            to = receiver(message)
            names = [other for other in self.trackers if other != name] if to is None else [to.name]
            data = encode(message)
            self.network.extend(
                (name, other, data) for other in names if (name, other) not in self.cut
            )

    def _follow(self, name: str, diff: Diff) -> None:
        """Applies a diff as a reader would, and compares with a fresh list."""
        shown = self.shown[name]
        if diff:
            self.diffs[name].append(diff)
        for topic in diff.topics.values():
            for ref in topic.leaves:
                del shown[ref]
            assert not shown.keys() & topic.joins.keys()
            shown.update(
                (ref, (entry.topic, entry.key, entry.id, entry.meta))
                for ref, entry in topic.joins.items()
            )
        tracker = self.trackers[name]
        assert sorted(shown.values()) == self.listed(name)
        assert len(tracker.roster) == len(shown)
        self._check_past(tracker)

    def _check_past(self, tracker: Tracker) -> None:
        """What is known of a peer is exactly what that peer held at some moment."""
        for peer in tracker._peers:
            known = tracker._state.entries(peer.replica)
            version = tracker._state.version(peer.replica)
            assert {entry.ref for entry in known} == self.held[peer.replica][version]

    def _remember(self, name: str) -> None:
        tracker = self.trackers[name]
        whole = tracker._state._parts[tracker.replica].whole
        self.held[tracker.replica][whole.end] = frozenset(
            entry.ref for entry in whole.entries.values()
        )
