"""`HistoryChannel`: topics whose events can be replayed. Never a gap, never a repeat.

A join subscribes first (holding what arrives), reads history up to some seq, replies, replays, and then releases what
was held beyond that seq.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from commsite.realtime.channel import JOINED, Channel
from commsite.realtime.envelope import encode_payload
from commsite.realtime.registry import Fact, State, mirror_of
from commsite.realtime.schema import Payload, parse
from commsite.realtime.threads import in_thread

REPLAY_LIMIT = 1000
"""A client that missed more than this starts afresh (`reset`)."""


class Read(NamedTuple):
    """What a join has read in one go."""

    seq: int
    reply: dict[str, Any]
    facts: list[Fact]
    states: list[State]


MAX_SEQ = (1 << 53) - 1
"""What a JavaScript client can count to, and more than any database has facts."""


class JoinCommand(Payload):
    """What a join may carry: the last seq that the client has."""

    since: Annotated[int, msgspec.Meta(le=MAX_SEQ)] | None = None


class HistoryChannel(Channel):
    """A channel whose join takes `since`.

    Authors write `authorize`, `snapshot`, `welcome` and `replay`; all sync, run in a thread.
    """

    __slots__ = ("_floor", "_replay", "_versions")

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

    def states(self) -> list[State]:
        """What is told in pieces, as it is now (a run's text so far); read after history, before `welcome`.

        Its pieces up to each version do not come again. A joiner finds the states in the reply, where `welcome` puts
        them; they are pushed only when more came than could be kept, and they had to be read again.
        """
        return []

    async def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """Reads history in one thread call and answers `{"seq", "reset", …}`."""
        since = parse(JoinCommand, payload).since
        read = await in_thread(self._read, since)
        self._floor: int = read.seq
        self._replay: list[Fact] = read.facts
        self._keep(read.states)
        self.socket.fanout.baseline(str(self.topic), read.seq)
        return read.reply

    def has_read(self, seq: int) -> bool:
        """True when the join, which is over, has read the fact of this number."""
        return getattr(self, "_floor", -1) >= seq

    def _read(self, since: int | None) -> Read:
        self.authorize()
        replayed = self.replay(since, REPLAY_LIMIT) if since is not None and since >= 0 else None
        is_reset = replayed is None and since is not None
        facts: list[Fact] = []
        newest: dict[str, Any] = {}
        if replayed is not None:
            seq, facts = replayed
        else:
            seq, newest = self.snapshot()
        states = self.states()
        return Read(seq, {"seq": seq, "reset": is_reset, **self.welcome(), **newest}, facts, states)

    def _read_again(self) -> tuple[int, list[Fact], list[State]] | None:
        replayed = self.replay(self._floor, REPLAY_LIMIT)
        return None if replayed is None else (*replayed, self.states())

    def _keep(self, states: list[State]) -> None:
        """From here on this process can tell slow clients what these states are."""
        self._versions = {state.key: state.version for state in states}
        for state in states:
            mirror = mirror_of(state.event)
            if mirror is not None:
                mirror.prime(state.key, state.version, encode_payload(state.payload))

    async def _enter(self) -> None:
        """Replays as fast as the client reads; what came meanwhile and could not be kept is read again."""
        topic, fanout = str(self.topic), self.socket.fanout
        while True:
            for fact in self._replay:
                await self.outbox.when_clear()
                self.push(fact.event, fact.payload)
            if not fanout.hold_again(topic, self, self._floor):
                break
            again = await in_thread(self._read_again)
            if again is None:
                self.crash()  # more than may be replayed: the client joins again and starts afresh
                return
            self._floor, facts, states = again
            self._keep(states)
            self._replay = [*facts, *(Fact(each.event, each.payload, -1) for each in states)]
        self._replay = []
        fanout.release(topic, self, self._floor, self._versions)
        if self.state == JOINED:
            self.entered()
