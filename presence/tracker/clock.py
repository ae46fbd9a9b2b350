"""Version vectors: how far somebody knows each replica's events. Pure.

Every event of a replica (an entry tracked, updated or untracked) takes the next number of that replica, from 1. A
clock says up to which number, without a gap, the events of each replica are known; a missing replica counts as 0.
Because one replica alone writes its entries, equal numbers mean equal knowledge.
"""

from collections.abc import Mapping

from presence.tracker.replica import Replica

Clock = dict[Replica, int]


def ahead(theirs: Mapping[Replica, int], ours: Mapping[Replica, int]) -> Clock:
    """What `theirs` knows beyond `ours`, of the replicas named in `ours` only: {replica: their number}.

    A replica that we do not know is none of our business until it speaks itself: so one that was given up for good
    is not brought back by those who have not given it up yet (phoenix_pubsub issues 80, 135, 136).
    """
    return {
        replica: counter
        for replica, counter in theirs.items()
        if counter > ours.get(replica, counter)
    }
