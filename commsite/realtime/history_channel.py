"""`HistoryChannel`: topics whose events can be replayed. Never a gap, never a repeat.

A join subscribes first (holding what arrives), reads history up to some seq, replies, replays, and then releases what
was held beyond that seq.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from commsite.realtime.channel import JOINED, Channel
from commsite.realtime.registry import Fact
from commsite.realtime.schema import Payload, parse
from commsite.realtime.threads import in_thread

REPLAY_LIMIT = 1000
"""A client that missed more than this starts afresh (`reset`)."""

JoinReply = tuple[int, dict[str, Any], list[Fact]]


MAX_SEQ = (1 << 53) - 1
"""What a JavaScript client can count to, and more than any database has facts."""


class JoinCommand(Payload):
    """What a join may carry: the last seq that the client has."""

    since: Annotated[int, msgspec.Meta(le=MAX_SEQ)] | None = None


class HistoryChannel(Channel):
    """A channel whose join takes `since`.

    Authors write `authorize`, `snapshot`, `welcome` and `replay`; all sync, run in a thread.
    """

    __slots__ = ("_floor", "_replay")

    def authorize(self) -> None:
        """Raises PushError when this identity may not join."""
        raise NotImplementedError

    def snapshot(self) -> tuple[int, dict[str, Any]]:
        """(last seq, what a client without `since` gets in the reply: the newest 50 and the like)."""
        raise NotImplementedError

    def welcome(self) -> dict[str, Any]:
        """What every join reply holds besides (names, members)."""
        return {}

    def replay(self, after: int, limit: int) -> tuple[int, list[Fact]] | None:
        """(last seq, all facts after `after` in order), or None when they cannot be had or are more than `limit`."""
        raise NotImplementedError

    async def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """Reads history in one thread call and answers `{"seq", "reset", …}`."""
        since = parse(JoinCommand, payload).since
        seq, reply, facts = await in_thread(self._read, since)
        self._floor: int = seq
        self._replay: list[Fact] = facts
        self.socket.fanout.baseline(str(self.topic), seq)
        return reply

    def _read(self, since: int | None) -> JoinReply:
        self.authorize()
        if since is not None:
            replayed = self.replay(since, REPLAY_LIMIT) if since >= 0 else None
            if replayed is not None:
                seq, facts = replayed
                return seq, {"seq": seq, "reset": False, **self.welcome()}, facts
        seq, state = self.snapshot()
        return seq, {"seq": seq, "reset": since is not None, **self.welcome(), **state}, []

    async def _enter(self) -> None:
        """Replays as fast as the client reads; what came meanwhile and could not be kept is read again."""
        topic, fanout = str(self.topic), self.socket.fanout
        while True:
            for fact in self._replay:
                await self.outbox.when_clear()
                self.push(fact.event, fact.payload)
            if not fanout.hold_again(topic, self, self._floor):
                break
            replayed = await in_thread(self.replay, self._floor, REPLAY_LIMIT)
            if replayed is None:
                self.crash()  # more than may be replayed: the client joins again and starts afresh
                return
            self._floor, self._replay = replayed
        self._replay = []
        fanout.release(topic, self, self._floor)
        if self.state == JOINED:
            self.entered()
