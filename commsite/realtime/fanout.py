"""Topics and who joined them in this process: holds, orders and delivers announcements (design: docs/architecture.md).

The events of one loop turn are joined: each codec's frames for a topic become one bytes object that every subscriber
that keeps up gets in one write. No await and no task per delivery.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from commsite.realtime.announcement import Announcement, Outgoing
from commsite.realtime.codec import Codec
from commsite.realtime.outbox import Outbox
from commsite.realtime.registry import mirror_of
from commsite.realtime.sequence import Sequence
from commsite.realtime.telemetry import count, counters
from commsite.realtime.topic_state import Held, Subscriber, TopicState

logger = logging.getLogger(__name__)

DELIVERIES = ("deliveries_total", ())
JOINED_BYTES = 64 * 1024
"""A turn's frames are flushed early when they exceed this."""
HOLE_PATIENCE_S = 0.05
"""How long a hole may be just a slower thread before the database is asked."""
HOLE_RETRIES = 5
FAILED_PATIENCE_S = 5.0
"""The longest pause between tries to read a history that cannot be read at all."""
NO_VERSIONS: Mapping[str, int] = {}

Fill = Callable[[str, int, int | None], Awaitable[list[Announcement] | None]]
"""(topic, after, up to and including or None) -> what history holds between them; None when it cannot be read now."""
followers: dict[str, list[Callable[[Announcement], None]]] = {}
"""By event: who is called when it goes out on a topic here, in its order, before anything later does."""


class Fanout:
    """All topics of this process. Event loop only."""

    def __init__(self, keeps_history: Callable[[str], bool], fill: Fill) -> None:
        self.topics: dict[str, TopicState] = {}
        self._keeps_history = keeps_history
        self._fill = fill
        self._dirty: list[TopicState] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # -- who is there

    def hold(self, name: str, subscriber: Subscriber) -> None:
        """Subscribes, but keeps what arrives until `release`: what was announced before stays out."""
        state = self.topics.get(name)
        if state is None:
            state = self.topics[name] = TopicState(name, keeps_history=self._keeps_history(name))
        elif state.pending:
            self._flush_topic(state)
        state.holding[subscriber] = Held()

    def baseline(self, name: str, seq: int) -> None:
        """History up to `seq` has been read for a subscriber of this topic."""
        state = self.topics.get(name)
        if state is not None and state.sequence is not None:
            self._queue_all(state, state.sequence.baseline(seq))
            if state.is_behind:
                state.is_behind = False
                self._start(self._catch_up(state, None))

    def hold_again(self, name: str, subscriber: Subscriber, floor: int) -> bool:
        """True when history must be read again, from `floor` on, before the hold may end.

        Either more arrived during the hold than could be kept, or another join, which has read history later, has
        set the baseline beyond `floor`: what lies between was released to nobody.
        """
        state = self.topics.get(name)
        if state is not None and state.pending:
            self._flush_topic(state)
        held = state.holding.get(subscriber) if state is not None else None
        if state is None or held is None:
            return False
        if held.is_overrun:
            state.holding[subscriber] = Held()
            return True
        start = state.sequence.start if state.sequence is not None else None
        return start is not None and floor < start

    def release(
        self,
        name: str,
        subscriber: Subscriber,
        floor: int | None = None,
        versions: Mapping[str, int] = NO_VERSIONS,
    ) -> bool:
        """Ends the hold: delivers what came meanwhile, but for must events up to `floor` (the history it has read)
        and for pieces of state up to `versions` by key (the snapshots it has read). False when too much came.
        """
        state = self.topics.get(name)
        if state is None or subscriber not in state.holding:
            return True
        if state.pending:
            self._flush_topic(state)
        held = state.holding.pop(subscriber)
        sequence = state.sequence
        if (
            floor is not None
            and sequence is not None
            and (sequence.last is None or sequence.last < floor)
        ):
            state.late[subscriber] = floor
        if versions:
            state.ahead[subscriber] = dict(versions)
        if subscriber.intercept:
            state.intercepting[subscriber] = None
        else:
            group = (subscriber.codec, subscriber.outbox.write is not None)
            state.groups.setdefault(group, {})[subscriber] = subscriber.outbox
        for outgoing in held.outgoing:
            if outgoing.announcement.is_after(floor, versions):
                self._deliver(subscriber, outgoing)
        return not held.is_overrun

    def leave(self, name: str, subscriber: Subscriber) -> None:
        """Unsubscribes; harmless when not subscribed. What was announced before is delivered first."""
        state = self.topics.get(name)
        if state is None:
            return
        if state.pending:
            self._flush_topic(state)
        state.forget(subscriber)
        if state.is_empty:
            self.topics.pop(name, None)

    # -- what goes out

    def accept(self, announcement: Announcement) -> None:
        """Takes an announcement from this process or another; must events with a seq go out in its order."""
        state = self.topics.get(announcement.topic)
        if state is None:
            return
        outgoing = Outgoing(announcement)
        if announcement.version is not None:
            self._mirror(announcement)
        if announcement.seq is None or state.sequence is None:
            self._queue(state, outgoing)
            return
        self._queue_all(state, state.sequence.offer(announcement.seq, outgoing))
        if state.sequence.hole is not None and not state.is_mending:
            self._mend_later(state, HOLE_PATIENCE_S)

    @staticmethod
    def _mirror(piece: Announcement) -> None:
        mirror = mirror_of(piece.event)
        if mirror is not None and piece.key is not None and piece.version is not None:
            mirror.accept(piece.key, piece.version, piece.payload)

    def flush(self) -> None:
        """Delivers what this turn announced."""
        dirty, self._dirty = self._dirty, []
        for state in dirty:
            if state.pending:
                self._flush_topic(state)

    def flush_for(self, topics: Mapping[str, object]) -> None:
        """Delivers now what waits on these topics, so that a direct frame does not overtake it."""
        for state in self._dirty:
            if state.pending and state.name in topics:
                self._flush_topic(state)

    @property
    def is_dirty(self) -> bool:
        """True while announcements of this turn wait for its end."""
        return bool(self._dirty)

    def _queue_all(self, state: TopicState, outgoing: list[Outgoing]) -> None:
        for each in outgoing:
            self._queue(state, each)

    def _queue(self, state: TopicState, outgoing: Outgoing) -> None:
        if not state.pending:
            if not self._dirty:
                asyncio.get_running_loop().call_soon(self.flush)
            self._dirty.append(state)
        state.pending.append(outgoing)
        state.pending_bytes += len(outgoing.announcement.payload)
        if state.pending_bytes > JOINED_BYTES:
            self._flush_topic(state)
        if outgoing.announcement.event in followers:
            self._follow(outgoing.announcement)

    @staticmethod
    def _follow(announcement: Announcement) -> None:
        for follower in followers[announcement.event]:
            try:
                follower(announcement)
            except Exception:
                logger.exception("a follower of %s failed", announcement.event)

    def _flush_topic(self, state: TopicState) -> None:
        pending, state.pending, state.pending_bytes = state.pending, [], 0
        for subscriber, held in state.holding.items():
            held.extend(pending, subscriber.outbox.limit)
        for subscriber in list(state.intercepting):
            for outgoing in pending:
                self._deliver_checked(state, subscriber, outgoing)
        apart = state.apart(pending)
        for (codec, is_raw), group in list(state.groups.items()):
            same, one_by_one = _split(group, apart) if is_raw else ([], list(group))
            self._write_joined(codec, same, pending)
            for subscriber in one_by_one:
                for outgoing in pending:
                    self._deliver_checked(state, subscriber, outgoing)

    @staticmethod
    def _write_joined(codec: Codec, outboxes: list[Outbox], pending: list[Outgoing]) -> None:
        if not outboxes:
            return
        frames = [
            (
                wire,
                outgoing.announcement.delivery,
                outgoing.announcement.conflation_key,
                outgoing.renewal(codec),
            )
            for outgoing in pending
            if (wire := outgoing.wire(codec)) is not None
        ]
        if not frames:
            return
        data = (
            frames[0][0].framed
            if len(frames) == 1
            else b"".join([frame[0].framed for frame in frames])
        )
        for outbox in outboxes:
            if outbox.is_clear:
                try:
                    outbox.write(data)  # type: ignore[misc]  # groups of raw transports only
                except (
                    RuntimeError
                ):  # uvloop: the connection is gone, which it will say in a moment
                    continue
            else:
                for frame in frames:
                    outbox.put(*frame)
        counters[DELIVERIES] += len(outboxes) * len(frames)

    def _deliver_checked(
        self, state: TopicState, subscriber: Subscriber, outgoing: Outgoing
    ) -> None:
        if state.is_for(subscriber, outgoing.announcement):
            self._deliver(subscriber, outgoing)

    @staticmethod
    def _deliver(subscriber: Subscriber, outgoing: Outgoing) -> None:
        announcement = outgoing.announcement
        if announcement.event in subscriber.intercept:
            subscriber.intercepted(outgoing)
            return
        wire = outgoing.wire(subscriber.codec)
        if wire is None:
            count("deliveries_not_representable_total", codec=subscriber.codec.name)
            return
        renew = outgoing.renewal(subscriber.codec)
        subscriber.outbox.put(wire, announcement.delivery, announcement.conflation_key, renew)
        counters[DELIVERIES] += 1

    # -- holes in the sequence

    def resync(self, concerns: Callable[[str], bool]) -> None:
        """Reads the must events of the topics concerned again from history: something may have been missed."""
        for state in list(self.topics.values()):
            if state.sequence is not None and concerns(state.name):
                self._start(self._catch_up(state, None))

    def _mend_later(self, state: TopicState, delay_s: float) -> None:
        state.is_mending = True
        asyncio.get_running_loop().call_later(delay_s, self._mend, state)

    def _mend(self, state: TopicState) -> None:
        state.is_mending = False
        hole = state.sequence.hole if state.sequence is not None else None
        if hole is not None and self.topics.get(state.name) is state:
            self._start(self._catch_up(state, hole[1]))

    async def _catch_up(self, state: TopicState, upto: int | None) -> None:
        sequence = state.sequence
        if sequence is None:
            return
        if sequence.last is None:
            state.is_behind = True  # whoever reads history just now may have read it too early
            return
        count("history_holes_total")
        before = sequence.last
        found = await self._fill(state.name, before, upto)
        if found is None:
            state.failures += 1
            delay_s = min(FAILED_PATIENCE_S, HOLE_PATIENCE_S * 2**state.failures)
            asyncio.get_running_loop().call_later(delay_s, self._retry, state, upto)
            return
        state.failures = 0
        for announcement in found:
            if announcement.seq is not None:
                self._queue_all(state, sequence.offer(announcement.seq, Outgoing(announcement)))
        self._judge_hole(state, sequence, before)

    def _judge_hole(self, state: TopicState, sequence: Sequence[Outgoing], before: int) -> None:
        hole = sequence.hole
        # Only a hole that the database itself did not fill counts as a try; under an outage new ones come all the time.
        state.tries = state.tries + 1 if hole is not None and hole[0] == before else 0
        if hole is None or state.is_mending:
            return
        if state.tries > HOLE_RETRIES:
            count("history_holes_given_up_total")
            state.tries = 0
            self._queue_all(state, sequence.skip_to(hole[1]))
        if sequence.hole is not None:
            self._mend_later(state, HOLE_PATIENCE_S * 2**state.tries)

    def _retry(self, state: TopicState, upto: int | None) -> None:
        if self.topics.get(state.name) is state:
            self._start(self._catch_up(state, upto))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _split(
    group: Mapping[Subscriber, Outbox], apart: set[str]
) -> tuple[list[Outbox], list[Subscriber]]:
    """(where the same bytes go, who is asked one by one)."""
    if not apart:
        return list(group.values()), []
    same = [outbox for subscriber, outbox in group.items() if subscriber.id not in apart]
    return same, [subscriber for subscriber in group if subscriber.id in apart]
