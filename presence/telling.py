"""What is told of changes to those who joined a topic in this process, and what a newcomer is told. Event loop only.

Everybody on a topic gets the same bytes, encoded once. Two kinds of people get a word of their own beside them: where
only numbers are told, and where somebody appears offline, a person still sees themselves.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Protocol

import msgspec
from django.conf import settings

from commsite.realtime.envelope import encode_payload
from commsite.realtime.pubsub import announce_here, listeners
from presence.naming import HIDDEN, hidden, public
from presence.schema import TopicPresence
from presence.tracker.delta import Entry
from presence.tracker.diff import Diff, TopicDiff
from presence.tracker.rendering import (
    DIFF,
    STATE,
    Collector,
    diff_parts,
    diff_payload,
    presences,
    state_parts,
)

COUNTS = "presence_counts"
TOLD_AFTER_S = 0.05
"""Changes of so long are told as one diff: people do not see the difference, clients do."""
PART_BYTES = 224 * 1024
"""A longer `presence_state` goes in parts: a state that names everybody, then joins. So does a long diff. With its
envelope, and an update that does not quite fit, no frame is above 256 KiB, however it is written."""
NOBODY = b"{}"
BACK_TO_LISTS = 0.8
"""A topic that shrinks is told by names again below this part of the threshold: no flapping at the border."""

Push = Callable[[str, msgspec.Raw], None]
"""Sends an event to one client."""


class Readers(Protocol):
    """Who is where, as the tracker has it."""

    def list(self, topic: str) -> Sequence[Entry]:
        """Everybody on a topic."""

    def get_by_key(self, topic: str, key: str) -> tuple[Entry, ...]:
        """The entries of one key."""

    def count(self, topic: str) -> int:
        """How many keys are on a topic."""


class Telling:
    """The voice of this process's tracker."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._collector = Collector()
        self._timer: asyncio.TimerHandle | None = None
        self._counted: dict[str, int | None] = {}
        """The topics that are told by numbers alone, with the number that everybody has; None: not all have one."""
        self._ears: dict[str, dict[str, set[Push]]] = {}

    # -- who is told of themselves

    def listen(self, topic: str, key: str, push: Push) -> None:
        """From now on `push` is told what the others of the topic are not told of this key."""
        self._ears.setdefault(topic, {}).setdefault(key, set()).add(push)

    def unlisten(self, topic: str, key: str, push: Push) -> None:
        """Ends that; harmless when it did not listen."""
        keys = self._ears.get(topic, {})
        ears = keys.get(key, set())
        ears.discard(push)
        if not ears:
            keys.pop(key, None)
        if not keys:
            self._ears.pop(topic, None)

    # -- whoever asks

    def snapshot(self, topic: str, key: str) -> Iterable[tuple[str, bytes]]:
        """(event, payload) pairs that bring a newcomer up to date; the diffs that come meanwhile may repeat them.

        Each is read when it is asked for: time may pass between them.
        """
        if self._is_counted(topic) != (topic in self._counted):
            self._tell_all()  # the others must change over too, or the newcomer would be alone with its numbers
        if self._is_counted(topic):
            number = self._readers.count(topic)
            if self._counted.get(topic, number) != number:
                self._counted[topic] = (
                    None  # the newcomer is ahead of the others: all get the next one
                )
            parts = [(STATE, NOBODY), (COUNTS, _counts(number))]
            own = self._own(topic, key)
            return [*parts, (DIFF, _joins(own))] if own else parts
        return state_parts(
            lambda: chain(self._readers.list(topic), self._readers.get_by_key(hidden(topic), key)),
            # a topic that has grown since the first part is told by numbers
            lambda each: () if topic in self._counted else self._one(topic, each, key),
            PART_BYTES,
        )

    def _one(self, topic: str, key: str, own_key: str) -> Iterable[Entry]:
        return self._own(topic, key) if key == own_key else self._readers.get_by_key(topic, key)

    def presence(self, topic: str, own_key: str, keys: Iterable[str] | None) -> TopicPresence:
        """Who is there, as REST answers it: everybody, or these; a person always sees themselves.

        Where only numbers are told, people are named only when asked for.
        """
        if keys is not None:
            found = list(chain.from_iterable(self._readers.get_by_key(topic, key) for key in keys))
        elif self._is_counted(topic):
            found = list(self._readers.get_by_key(topic, own_key))
        else:
            found = list(self._readers.list(topic))
        if keys is None or own_key in keys:
            found += self._readers.get_by_key(hidden(topic), own_key)
        return {
            "topic": topic,
            "count": self._readers.count(topic),
            "presences": msgspec.json.decode(presences(found)),
        }

    # -- changes

    def changed(self, diff: Diff) -> None:
        """Takes what changed; what happens within a moment is told together."""
        for topic, change in self._collector.add(diff).items():
            self._tell(topic, change)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TOLD_AFTER_S, self._tell_all)

    def _tell_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for topic, change in self._collector.take().items():
            self._tell(topic, change)

    def _tell(self, topic: str, change: TopicDiff) -> None:
        if topic.startswith(HIDDEN):
            self._tell_themselves(public(topic), change)
            return
        was_counted, is_counted = topic in self._counted, self._is_counted(topic)
        if is_counted:
            if was_counted:
                self._tell_themselves(topic, change)
                self._tell_number(topic)
            else:  # names are no longer told: everybody keeps their own
                announce_here(topic, STATE, NOBODY)
                self._tell_number(topic)
                self._tell_again(topic, partial(self._own, topic))
        elif was_counted:
            del self._counted[topic]
            readers = self._readers
            everybody = partial(readers.list, topic), partial(readers.get_by_key, topic)
            for event, payload in state_parts(*everybody, PART_BYTES):
                announce_here(topic, event, payload)
            self._tell_again(topic, partial(readers.get_by_key, hidden(topic)))
        elif listeners(topic):
            for payload in diff_parts(change, PART_BYTES):
                announce_here(topic, DIFF, payload)

    def _tell_number(self, topic: str) -> None:
        """Most changes in a crowd are of somebody's activity: the number stays, and everybody has it."""
        number = self._readers.count(topic)
        if self._counted.get(topic) != number:
            announce_here(topic, COUNTS, _counts(number))
        self._counted[topic] = number

    def _tell_themselves(self, topic: str, change: TopicDiff) -> None:
        """The part of a change that concerns each of those who listen for themselves, to them alone."""
        ears = self._ears.get(topic, {})
        for key in {entry.key for entry in _entries(change)} & ears.keys():
            own = TopicDiff(
                {ref: entry for ref, entry in change.joins.items() if entry.key == key},
                {ref: entry for ref, entry in change.leaves.items() if entry.key == key},
            )
            _push(ears[key], DIFF, diff_payload(own))

    def _tell_again(self, topic: str, read: Callable[[str], Sequence[Entry]]) -> None:
        """A state has replaced what clients had: those whom it leaves out see themselves again."""
        for key, ears in list(self._ears.get(topic, {}).items()):
            if own := read(key):
                _push(ears, DIFF, _joins(own))

    def _own(self, topic: str, key: str) -> list[Entry]:
        readers = self._readers
        return [*readers.get_by_key(topic, key), *readers.get_by_key(hidden(topic), key)]

    def _is_counted(self, topic: str) -> bool:
        """Whether the topic is told by numbers alone; there is a margin between growing and shrinking."""
        most: int = settings.REALTIME["PRESENCE_COUNTS_ABOVE"]
        count = self._readers.count(topic)
        return count > (most * BACK_TO_LISTS if topic in self._counted else most)


def _counts(number: int) -> bytes:
    return encode_payload({"count": number})


def _joins(entries: Iterable[Entry]) -> bytes:
    return diff_payload(TopicDiff({entry.ref: entry for entry in entries}))


def _entries(change: TopicDiff) -> Iterator[Entry]:
    yield from change.joins.values()
    yield from change.leaves.values()


def _push(ears: Iterable[Push], event: str, payload: bytes) -> None:
    for push in list(ears):
        push(event, msgspec.Raw(payload))
