"""How many sockets each user has in the other processes, as they told it. Pure but for the clock given in."""

from collections import defaultdict

LEASE_S = 30.0
"""A process that has said nothing for so long is gone, and its sockets with it."""


class Census:
    """Counts by node. Exact when nothing is lost, and right again with the next full report of a node."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[int, int]] = {}
        self._heard: dict[str, float] = {}
        self._totals: dict[int, int] = defaultdict(int)

    def elsewhere(self, user_id: int) -> int:
        """Sockets of this user in other processes."""
        return self._totals.get(user_id, 0)

    def report(self, node: str, counts: dict[int, int], now: float, *, is_full: bool) -> None:
        """Takes a node's word: all its users (`is_full`) or only those whose number changed."""
        known = self._nodes.setdefault(node, {})
        if is_full:
            for user_id in [user_id for user_id in known if user_id not in counts]:
                self._set(known, user_id, 0)
        for user_id, number in counts.items():
            self._set(known, user_id, number)
        self._heard[node] = now

    def expire(self, now: float) -> list[str]:
        """Forgets the nodes whose lease is over and returns their names."""
        gone = [node for node, heard in self._heard.items() if now - heard > LEASE_S]
        for node in gone:
            self.forget(node)
        return gone

    def forget(self, node: str) -> None:
        """A node said that it stops."""
        known = self._nodes.pop(node, {})
        for user_id in list(known):
            self._set(known, user_id, 0)
        self._heard.pop(node, None)

    @property
    def nodes(self) -> list[str]:
        """The other processes heard of lately."""
        return sorted(self._heard)

    def _set(self, known: dict[int, int], user_id: int, number: int) -> None:
        self._totals[user_id] += number - known.get(user_id, 0)
        if self._totals[user_id] <= 0:
            del self._totals[user_id]
        if number:
            known[user_id] = number
        else:
            known.pop(user_id, None)
