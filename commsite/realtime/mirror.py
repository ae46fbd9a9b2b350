"""`Mirror`: what this process knows of states that are told in pieces, so that slow clients get a snapshot. Pure.

The app says how pieces add up (`Folding`). A mirror is as far as what was announced here, or further where a joiner
has read further: whoever gets its snapshot misses nothing, and drops the pieces that it has by then.
"""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

S = TypeVar("S")

MAX_KEYS = 1000
"""The least recently told are forgotten beyond this."""
MAX_EARLY_BYTES = 256 * 1024
"""Pieces kept for a state whose beginning is not known yet."""


class Folding(Protocol[S]):
    """How the pieces of one event type add up. They are numbered from 1."""

    def begin(self, piece: bytes) -> S | None:
        """The state in piece 1, where that says everything; None where only a snapshot begins a state."""

    def load(self, snapshot: bytes) -> S:
        """The state in the payload of a snapshot."""

    def fold(self, state: S, piece: bytes) -> S | None:
        """The state with one more piece (it may be changed in place); None when it has come to its end."""

    def dump(self, state: S) -> bytes:
        """The payload of an event that stands for all pieces so far."""


class _Known(Generic[S]):
    """One key. `version` is that of `state`, -1 while the state is not known."""

    __slots__ = ("early", "early_bytes", "primed", "state", "version")

    def __init__(self) -> None:
        self.version = -1
        self.state: S | None = None
        self.early: list[tuple[int, bytes]] = []
        self.early_bytes = 0
        self.primed: tuple[int, bytes] | None = None

    def lose(self) -> None:
        """A piece is missing: the state is not known any more."""
        self.version, self.state = -1, None
        self.early, self.early_bytes = [], 0

    def keep(self, version: int, piece: bytes) -> None:
        """Keeps a piece until the state before it is known; those before a gap are of no use."""
        if self.early and self.early[-1][0] != version - 1:
            self.lose()
        self.early.append((version, piece))
        self.early_bytes += len(piece)
        if self.early_bytes > MAX_EARLY_BYTES:
            self.lose()


class Mirror(Generic[S]):
    """The states of one event type, by key. Event loop only."""

    def __init__(self, folding: Folding[S]) -> None:
        self._folding = folding
        self._known: OrderedDict[str, _Known[S]] = OrderedDict()

    def accept(self, key: str, version: int, piece: bytes) -> None:
        """Takes a piece that is about to be delivered; pieces may be missing, doubled, or come before `prime`."""
        known = self._get(key)
        if known.state is not None and version <= known.version:
            return
        if known.state is None or version != known.version + 1:
            self._resume(known, version)
        if known.state is None:
            self._begin(known, version, piece)
        elif version == known.version + 1:
            self._fold(key, known, version, piece)

    def prime(self, key: str, version: int, snapshot: bytes) -> None:
        """Takes a snapshot that a joiner has read: all pieces up to `version`, some of them not announced yet."""
        known = self._get(key)
        if known.state is not None:
            if version > known.version:
                known.primed = (version, snapshot)
            return
        later = [piece for piece in known.early if piece[0] > version]
        if later and later[0][0] != version + 1:
            return
        known.state, known.version = self._folding.load(snapshot), version
        known.early, known.early_bytes = [], 0
        for number, piece in later:
            self._fold(key, known, number, piece)

    def snapshot(self, key: str) -> bytes | None:
        """The payload of an event that stands for every piece accepted so far; None when it is not known here."""
        known = self._known.get(key)
        return None if known is None or known.state is None else self._folding.dump(known.state)

    def _get(self, key: str) -> _Known[S]:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known()
            if len(self._known) > MAX_KEYS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return known

    def _begin(self, known: _Known[S], version: int, piece: bytes) -> None:
        """Nothing is known of the key yet: it begins with this piece, or waits for a joiner who reads it."""
        known.state = self._folding.begin(piece) if version == 1 else None
        if known.state is None:
            known.keep(version, piece)
        else:
            known.version = version
            known.early, known.early_bytes = [], 0

    def _resume(self, known: _Known[S], version: int) -> None:
        """Nobody was here to be told the pieces before this one: what a joiner has read may hold them."""
        primed, known.primed = known.primed, None
        if primed is not None and primed[0] >= version - 1:
            known.state, known.version = self._folding.load(primed[1]), primed[0]
        elif known.state is not None:
            known.lose()

    def _fold(self, key: str, known: _Known[S], version: int, piece: bytes) -> None:
        if known.state is None:
            return
        known.state = self._folding.fold(known.state, piece)
        known.version = version
        if known.state is None:
            self._known.pop(key, None)
        elif known.primed is not None and known.primed[0] <= version:
            known.primed = None
