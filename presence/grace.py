"""The time of grace: entries whose socket has dropped stay a while, for the device may come back. Event loop only."""

import asyncio
from collections.abc import Callable, Iterator

from presence.naming import Name, Place, place_of
from presence.tracker.diff import Diff


class Grace:
    """The dropped entries of this process, by the place to which a device would come back."""

    def __init__(self) -> None:
        self._dropped: dict[Place, dict[Name, asyncio.TimerHandle]] = {}

    def begin(self, name: Name, seconds: float, end: Callable[[Name], None]) -> None:
        """Calls `end(name)` in so many seconds, unless `stop(name)` comes first."""
        timer = asyncio.get_running_loop().call_later(seconds, end, name)
        self._dropped.setdefault(place_of(name), {})[name] = timer

    def stop(self, name: Name) -> None:
        """The entry is gone otherwise; harmless when it was not dropped."""
        dropped = self._dropped.get(place_of(name), {})
        timer = dropped.pop(name, None)
        if timer is not None:
            timer.cancel()
        if not dropped:
            self._dropped.pop(place_of(name), None)

    def at(self, name: Name) -> list[Name]:
        """The dropped entries at the place of `name`, the oldest first."""
        return [dropped for dropped in self._dropped.get(place_of(name), ()) if dropped != name]

    def came_back(self, diff: Diff, is_ours: Callable[[str, str, str], bool]) -> Iterator[Name]:
        """The entries whose device is back in another process, as this diff tells."""
        if not self._dropped:
            return
        for change in diff.topics.values():
            for entry in change.joins.values():
                name = (entry.topic, entry.key, entry.id)
                if not is_ours(*name):
                    yield from self.at(name)
