"""How far every process has been heard in each shard, and what was missed of it. Pure."""


class Heads:
    """A process numbers from 1: what it said before it was heard for the first time counts as missed."""

    def __init__(self) -> None:
        self._heads: dict[tuple[str, int, int], int] = {}

    def missing(self, node: str, epoch: int, shard: int, upto: int) -> int:
        """How many should have come by now, up to this number, and have not."""
        return max(0, upto - self._heads.get((node, epoch, shard), 0))

    def put(self, node: str, epoch: int, shard: int, head: int) -> None:
        """Everything up to this number has come, or is known to be missed; what comes late changes nothing."""
        key = node, epoch, shard
        self._heads[key] = max(head, self._heads.get(key, 0))

    def forget(self, node: str) -> None:
        """The process is gone: nothing more comes of it."""
        for key in [key for key in self._heads if key[0] == node]:
            del self._heads[key]

    @property
    def nodes(self) -> set[str]:
        """Those of whom anything is kept."""
        return {node for node, _, _ in self._heads}
