"""A timing wheel: any number of deadlines for the price of one timer (Varghese and Lauck, 1987).

Pure: ticks are counted by the caller. An item fires at the first tick at or after its deadline; one that is no
longer wanted is simply ignored by its owner when it fires.
"""

from collections.abc import Callable

Action = Callable[[], None]


class Wheel:
    """Slots of one tick each; deadlines beyond one turn wait in their slot for later rounds."""

    def __init__(self, slots: int = 128) -> None:
        self._slots: list[list[tuple[int, Action]]] = [[] for _ in range(slots)]
        self.tick = 0

    def schedule(self, ticks: float, action: Action) -> None:
        """Runs `action` in `ticks` ticks (at least one)."""
        due = self.tick + max(1, -int(-ticks // 1))
        self._slots[due % len(self._slots)].append((due, action))

    def advance(self) -> list[Action]:
        """Moves one tick on and returns the actions that are due, in the order in which they were scheduled."""
        self.tick += 1
        index = self.tick % len(self._slots)
        slot = self._slots[index]
        if not slot:
            return []
        due = [action for at, action in slot if at <= self.tick]
        self._slots[index] = [entry for entry in slot if entry[0] > self.tick]
        return due
