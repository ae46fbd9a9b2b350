"""What one replica knows of all replicas' events: the add-wins set itself, and its merges. Pure.

For each replica it holds the *whole* (every entry alive after its events 1…n: the contiguous context) and the *cloud*
(stretches of later events that came ahead of a loss). A stretch in the cloud has no effect until what came before it
is here; so the whole is always exactly what that replica held after its n-th event, never a mixture. Knowledge is a
set of events, and a merge is the union of two such sets: commutative, associative, idempotent.

This is condition "causal delta-merging" of Almeida, Shoker and Baquero (2018, definition 5), kept per replica. It is
also what makes phoenix_pubsub issue 148 impossible: there a later event of a topic, key and id can meet an earlier
one that somebody stale still holds, and the two end as neither.
"""

from collections.abc import Callable, Iterable, Iterator

from presence.tracker.clock import Clock
from presence.tracker.delta import Change, Delta, Entry, Generations
from presence.tracker.replica import Replica

SIZES = (100, 1_000, 10_000)
"""Entries and removals in each generation (Phoenix's max_delta_sizes)."""

Name = tuple[str, str, str]
Replace = Callable[[bytes], bytes]


class AlreadyTracked(Exception):
    """This (topic, key, id) has an entry here: update it."""


class NotTracked(Exception):
    """This (topic, key, id) has no entry here to update."""


class _Part:
    """One replica's events as far as they are known."""

    __slots__ = ("cloud", "generations", "whole")

    def __init__(self, replica: Replica, sizes: Iterable[int]) -> None:
        self.whole = Delta(replica, 0, 0)
        self.cloud: list[Delta] = []
        self.generations = Generations(sizes)

    def merge(self, delta: Delta) -> list[Change]:
        if delta.end <= self.whole.end:
            return []
        if delta.start > self.whole.end:
            self._hold(delta)
            return []
        return [self._absorb(delta), *self._compact()]

    def _absorb(self, delta: Delta) -> Change:
        change = self.whole.extend(delta)
        self.generations.push(delta)
        return change

    def _compact(self) -> Iterator[Change]:
        """Takes from the cloud what the whole has reached."""
        while self.cloud and self.cloud[0].start <= self.whole.end:
            held = self.cloud.pop(0)
            if held.end > self.whole.end:
                yield self._absorb(held)

    def _hold(self, delta: Delta) -> None:
        """Puts a stretch into the cloud, which stays sorted; stretches that touch become one."""
        cloud: list[Delta] = []
        for held in sorted([*self.cloud, delta.copy()], key=lambda held: held.start):
            if not cloud or held.start > cloud[-1].end:
                cloud.append(held)
            elif held.end > cloud[-1].end:
                cloud[-1].extend(held)
        self.cloud = cloud


class State:
    """The set as `replica` knows it. It alone writes its own entries; all else comes by `merge`."""

    def __init__(self, replica: Replica, sizes: Iterable[int] = SIZES) -> None:
        self.replica = replica
        self._sizes = tuple(sizes)
        self._parts: dict[Replica, _Part] = {replica: _Part(replica, self._sizes)}
        self._own: dict[Name, int] = {}
        self._pending = Delta(replica, 0, 0)

    # ---- Own entries -----------------------------------------------------------------------------

    def track(self, topic: str, key: str, id: str, meta: bytes) -> Change:  # noqa: A002  the entry's word
        """Adds an entry. Raises AlreadyTracked."""
        name = (topic, key, id)
        if name in self._own:
            raise AlreadyTracked(
                f"{key!r} is on {topic!r} through {id!r} already; update it instead."
            )
        return self._write(name, None, meta)

    def update(self, topic: str, key: str, id: str, meta: bytes | Replace) -> Change:  # noqa: A002
        """Replaces an entry's meta, or makes it from the old one, in one event. Raises NotTracked."""
        name = (topic, key, id)
        if name not in self._own:
            raise NotTracked(f"{key!r} is not on {topic!r} through {id!r}; track it first.")
        old = self._own[name]
        if not isinstance(meta, bytes):
            meta = meta(self._parts[self.replica].whole.entries[old].meta)
        return self._write(name, old, meta)

    def untrack(self, topic: str, key: str, id: str) -> Change:  # noqa: A002
        """Removes an entry; one that is not there changes nothing."""
        name = (topic, key, id)
        old = self._own.get(name)
        return Change([], []) if old is None else self._write(name, old, None)

    def own(self, topic: str, key: str, id: str) -> Entry | None:  # noqa: A002
        """The entry of this process by this name, if there is one."""
        counter = self._own.get((topic, key, id))
        return None if counter is None else self._parts[self.replica].whole.entries[counter]

    def _write(self, name: Name, old: int | None, meta: bytes | None) -> Change:
        """One event: takes `old` away and, with a meta, adds a new entry. Even a removal has a number of its own,
        or a lost one would never be missed."""
        whole = self._parts[self.replica].whole
        counter = whole.end + 1
        event = Delta(self.replica, whole.end, counter)
        self._own.pop(name, None)
        if old is not None:
            event.removed.add(old)
        if meta is not None:
            event.entries[counter] = Entry(*name, meta, self.replica.ref(counter))
            self._own[name] = counter
        self._pending.extend(event)
        return whole.extend(event)

    def flush(self) -> Delta | None:
        """The own events since the last flush, for everybody; None when nothing happened."""
        pending = self._pending
        if pending.is_empty:
            return None
        self._pending = Delta(self.replica, pending.end, pending.end)
        self._parts[self.replica].generations.push(pending)
        return pending

    # ---- Everybody's -----------------------------------------------------------------------------

    def merge(self, delta: Delta) -> Change:
        """Takes in what happened at another replica; returns what joined and what left, in all.

        Costs the size of the delta. What is known already changes nothing; own events are only written here.
        """
        if delta.replica == self.replica:
            return Change([], [])
        part = self._parts.get(delta.replica)
        if part is None:
            part = self._parts[delta.replica] = _Part(delta.replica, self._sizes)
        return _sum(part.merge(delta))

    def deltas(self) -> Iterator[Delta]:
        """All that is known, as deltas: merged into another state they make it know it too."""
        for part in self._parts.values():
            yield part.whole
            yield from part.cloud

    def answer(self, replica: Replica, counter: int) -> Delta | None:
        """What brings one who knows `replica` up to `counter` up to date: the smallest generation that covers, else
        the whole. None when we have nothing newer that was broadcast. It goes on changing here: copy what is kept."""
        part = self._parts.get(replica)
        if part is None or counter >= self.version(replica):
            return None
        return part.generations.covering(counter) or part.whole

    def version(self, replica: Replica) -> int:
        """Up to which event the replica is known, without a gap. Of the own ones: up to the last flush."""
        if replica == self.replica:
            return self._pending.start
        part = self._parts.get(replica)
        return 0 if part is None else part.whole.end

    def clock(self) -> Clock:
        """The version of every replica that is known."""
        return {replica: self.version(replica) for replica in self._parts}

    def entries(self, replica: Replica) -> list[Entry]:
        """The entries of one replica as it held them at its `version` (the own ones: now)."""
        part = self._parts.get(replica)
        return [] if part is None else list(part.whole.entries.values())

    def forget(self, replica: Replica) -> None:
        """Removes every trace of another replica: its entries, clock, cloud and generations."""
        if replica != self.replica:
            self._parts.pop(replica, None)

    def sizes(self, replica: Replica) -> tuple[int, int, list[int]]:
        """(entries, entries and removals in the cloud, those in each generation) of one replica."""
        part = self._parts.get(replica)
        if part is None:
            return 0, 0, [0] * len(self._sizes)
        cloud = sum(held.size for held in part.cloud)
        return len(part.whole.entries), cloud, part.generations.sizes()


def _sum(changes: list[Change]) -> Change:
    """Changes one after the other as one; an entry that came and went is in neither list."""
    if len(changes) == 1:
        return changes[0]
    joins: dict[str, Entry] = {}
    leaves: dict[str, Entry] = {}
    for change in changes:
        for entry in change.leaves:
            if joins.pop(entry.ref, None) is None:
                leaves[entry.ref] = entry
        joins.update((entry.ref, entry) for entry in change.joins)
    return Change(list(joins.values()), list(leaves.values()))
