"""The rule that loses people: a delta set keyed by (topic, key, id), merged dot by dot, as phoenix_pubsub has it.

Kept to show that the scenarios of `test_defects.py` are real: what passes there with our state fails with this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Dot = tuple[str, int]


@dataclass
class NaiveState:
    """Values by name, a contiguous context, a cloud of dots beyond it."""

    values: dict[str, Dot] = field(default_factory=dict)
    context: dict[str, int] = field(default_factory=dict)
    cloud: set[Dot] = field(default_factory=set)

    def has_seen(self, dot: Dot) -> bool:
        """True when the dot is covered by the context or the cloud."""
        return dot[1] <= self.context.get(dot[0], 0) or dot in self.cloud

    def merge(self, remote: NaiveState) -> None:
        """Admits unseen values, removes what the remote has seen and does not hold, joins the contexts."""
        admitted = {name: dot for name, dot in remote.values.items() if not self.has_seen(dot)}
        removed = [
            name
            for name, dot in self.values.items()
            if dot not in remote.values.values() and remote.has_seen(dot)
        ]
        self.cloud |= remote.cloud
        for name in removed:
            del self.values[name]
        self.values |= admitted
        for replica, counter in remote.context.items():
            self.context[replica] = max(counter, self.context.get(replica, 0))
        for replica, counter in sorted(self.cloud):
            if counter == self.context.get(replica, 0) + 1:
                self.context[replica] = counter
        self.cloud = {dot for dot in self.cloud if dot[1] > self.context.get(dot[0], 0)}
