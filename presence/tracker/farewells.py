"""Leaves that wait: nobody is shown as gone by one who knows that something was missed. Pure.

Somebody moves from one process to another while we hear neither. Then we hear of the leave first and of the join a
moment later: readers would see a person go who never went. So while events are missing that others know of, the last
entry of a person stays; a join takes its place, and the end of the catching up (or of patience) takes it away.
"""

from collections import OrderedDict
from collections.abc import Iterable

from presence.tracker.delta import Change, Entry
from presence.tracker.roster import Roster


class Farewells:
    """Shows changes in a roster, and holds back the leaves that may be only half of a move."""

    __slots__ = ("_held", "_roster", "_waiting")

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._held: dict[tuple[str, str], set[str]] = {}
        self._waiting: OrderedDict[str, tuple[Entry, float]] = OrderedDict()
        """By ref, the one that waits longest first: all wait for the same time."""

    def __bool__(self) -> bool:
        return bool(self._held)

    @property
    def next_deadline(self) -> float:
        """When the next one is to be taken away whatever happens."""
        first = next(iter(self._waiting), None)
        return float("inf") if first is None else self._waiting[first][1]

    def apply(self, change: Change, until: float | None) -> Change:
        """Makes a change visible and returns what of it is. With `until`, a person's last entry stays for now."""
        self._roster.show(change.joins)
        leaves = []
        for entry in change.leaves:
            if until is None or not self._hold(entry, until):
                self._roster.drop((entry,))
                leaves.append(entry)
        relieved = self._relieve(change.joins)
        self._roster.drop(relieved)
        return Change(change.joins, leaves + relieved)

    def release(self, now: float | None = None) -> list[Entry]:
        """Takes away those whose time is over, or all; returns them. Costs what it returns."""
        entries = []
        while self._waiting and (now is None or self.next_deadline <= now):
            entry, _ = self._waiting[next(iter(self._waiting))]
            self._forget(entry)
            entries.append(entry)
        self._roster.drop(entries)
        return entries

    def _hold(self, entry: Entry, until: float) -> bool:
        """Keeps an entry if it is the last one of its key that is not held; False when it may go."""
        place = (entry.topic, entry.key)
        held = self._held.get(place, ())
        others = len(self._roster.get_by_key(*place)) - len(held) - 1
        if others > 0:
            return False
        self._held.setdefault(place, set()).add(entry.ref)
        self._waiting[entry.ref] = (entry, until)
        return True

    def _relieve(self, joins: Iterable[Entry]) -> list[Entry]:
        """Those in whose place somebody has come."""
        if not self._held:
            return []
        places = {(entry.topic, entry.key) for entry in joins}
        refs = [ref for place in places for ref in self._held.pop(place, ())]
        return [self._waiting.pop(ref)[0] for ref in refs]

    def _forget(self, entry: Entry) -> None:
        del self._waiting[entry.ref]
        place = (entry.topic, entry.key)
        self._held[place].discard(entry.ref)
        if not self._held[place]:
            del self._held[place]
