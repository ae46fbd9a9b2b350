"""The door to presence: `tracking.track(...)` for channels and server code. Event loop only, but for `from_thread`.

One `tracking` per process. It runs with the hub; entries of channels live and die with their sockets, those of server
code until they are untracked or the process ends. Every change, wherever it was made, is told to those who joined the
topic in this process.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.conf import settings

from commsite.realtime.envelope import encode_payload
from commsite.realtime.errors import PushError
from commsite.realtime.hub import Hub, hub
from commsite.realtime.user_socket import UserSocket
from presence.link import TRANSFER, HubLink
from presence.people import People
from presence.schema import ReportRow, TopicPresence
from presence.telling import Telling
from presence.tracker.delta import Entry
from presence.tracker.diff import Diff
from presence.tracker.periods import Periods
from presence.tracker.replica import Replica
from presence.tracker.shard import Shard

REPORT = "presence_report"
MAX_KEY_BYTES = 255
VIEWING = b'"viewing":true'
"""As it stands in the JSON of a meta; within a text its quotes would be escaped."""
LOOK_AGAIN_S = 0.1
LOOK_AGAIN_AT_PEOPLE_S = 3.0
REPORT_S = 2.0
PATIENCE_S = 5.0
"""How long a thread waits for the event loop."""

Found = TypeVar("Found")
Default = TypeVar("Default")


def periods() -> Periods:
    """The tracker's times, from the settings."""
    limits = settings.REALTIME
    return Periods(
        broadcast_s=limits["PRESENCE_BROADCAST_S"],
        max_silent_periods=limits["PRESENCE_SILENT_PERIODS"],
        down_s=limits["PRESENCE_DOWN_S"],
        permdown_s=limits["PRESENCE_PERMDOWN_S"],
    )


class Tracking:
    """Who is present, as this process knows it and tells it."""

    def __init__(self) -> None:
        self._shard: Shard | None = None
        self._followers: list[Callable[[Diff], None]] = []
        self._reset()

    def _reset(self) -> None:
        self._is_complete = asyncio.Event()
        self._complete_by = 0.0
        self._is_looking = self._must_look = False
        self.telling = Telling(self)
        self.people = People(self, self.telling)

    # -- with the hub

    def start(self, hub: Hub) -> None:
        """Begins to gossip; called when the hub has started."""
        self._reset()
        replica = Replica(hub.node, time.time_ns() // 1000)
        self._shard = Shard(replica, periods(), HubLink(), self._changed)
        hub.backplane.answers[TRANSFER] = self._on_transfer
        hub.backplane.answers[REPORT] = self._on_report
        if hub.backplane.is_alone:
            self._is_complete.set()
        else:  # within two periods everybody who lives has spoken
            loop = asyncio.get_running_loop()
            self._complete_by = loop.time() + periods().down_s
            loop.call_later(2 * periods().broadcast_s, self._look_round)
        hub.spawn(self.people.sightings.forever())

    def _look_round(self) -> None:
        """Is complete once everybody who was met is shown; a process that tells nothing of itself is not waited for."""
        loop = asyncio.get_running_loop()
        is_joining = any(row["condition"] == "joining" for row in self._rows())
        if is_joining and loop.time() < self._complete_by:
            loop.call_later(LOOK_AGAIN_S, self._look_round)
        else:
            self._is_complete.set()

    async def complete(self) -> None:
        """Waits until this process, fresh from its start, knows what the others know.

        A list that it gave before would show people as gone to those who come over from another process.
        """
        await self._is_complete.wait()

    def stop(self, hub: Hub) -> None:
        """Says goodbye; the others show our people for the time of grace, so that they can come back elsewhere."""
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.stop(settings.REALTIME["PRESENCE_GRACE_S"])

    def on_gossip(self, payload: dict[str, Any]) -> None:
        """What another process told everybody."""
        if self._shard is not None and payload["from"] != hub.backplane.mailbox:
            self._shard.receive(payload["from"], payload["gossip"])

    def on_gap(self) -> None:
        """Something was lost: asks for it, is heard soon for others to see what they miss, asks what people chose."""
        if self._shard is not None:
            self._shard.catch_up()
            hub.spawn(self._look_again())

    async def _look_again(self) -> None:
        """Reads what people chose until the database has answered; one reader at a time is enough."""
        if self._is_looking:
            self._must_look = True
            return
        self._is_looking = self._must_look = True
        try:
            while self._must_look:
                self._must_look = False
                try:
                    await self.people.look_again()
                except PushError:  # no database
                    self._must_look = True
                    await asyncio.sleep(LOOK_AGAIN_AT_PEOPLE_S)
        finally:
            self._is_looking = False

    async def _on_transfer(self, payload: dict[str, Any]) -> dict[str, Any]:
        if self._shard is not None:
            self._shard.receive_own(payload["from"], payload["gossip"])
        return {}

    # -- for channels and server code

    @property
    def shard(self) -> Shard:
        """The running tracker. Raises RuntimeError outside of a server."""
        if self._shard is None:
            raise RuntimeError("presence runs with the hub, which has not started here")
        return self._shard

    def track(self, topic: str, key: str, id: str, meta: Mapping[str, Any]) -> None:  # noqa: A002
        """Adds an entry of this process. Raises AlreadyTracked, PushError("too_large"), ValueError for a bad key."""
        if not key or len(key.encode()) > MAX_KEY_BYTES or key.startswith("__"):
            raise ValueError(f"{key!r} is no key of a presence")
        self.shard.track(topic, key, id, _meta_bytes(meta))

    def update(self, topic: str, key: str, id: str, changes: Mapping[str, Any]) -> None:  # noqa: A002
        """Puts `changes` into an entry's meta; does nothing when they change nothing. Raises NotTracked."""
        shard = self.shard
        ours = shard.tracker.own(topic, key, id)
        if ours is not None:
            old = msgspec.json.decode(ours.meta)
            if all(old.get(name) == value for name, value in changes.items()):
                return
            changes = {**old, **changes}
        shard.update(topic, key, id, _meta_bytes(changes))

    @staticmethod
    def weigh(meta: Mapping[str, Any]) -> None:
        """Raises PushError("too_large") for a meta that would not be taken."""
        _meta_bytes(meta)

    def untrack(self, topic: str, key: str, id: str) -> None:  # noqa: A002
        """Removes an entry at once; one that is not of this process changes nothing."""
        if self._shard is not None:
            self.people.forget((topic, key, id))
            self._shard.untrack(topic, key, id)

    def list(self, topic: str) -> Sequence[Entry]:
        """Everybody on a topic, in all processes; the entries of one key stand together."""
        return [] if self._shard is None else self._shard.tracker.list(topic)

    def get_by_key(self, topic: str, key: str) -> tuple[Entry, ...]:
        """The entries of one key."""
        return () if self._shard is None else self._shard.tracker.get_by_key(topic, key)

    def count(self, topic: str) -> int:
        """How many people are on a topic."""
        return 0 if self._shard is None else self._shard.tracker.count_keys(topic)

    def viewers(self, scope: str, topics: Iterable[str]) -> dict[str, Sequence[int]]:
        """Who of `scope` has which of these rooms before their eyes; rooms where nobody has are left out.

        So are rooms with too many people to name, and people who are not seen in the scope.
        """
        found: dict[str, Sequence[int]] = {}
        for topic in topics:
            if self.count(topic) > settings.REALTIME["PRESENCE_COUNTS_ABOVE"]:
                continue
            keys = {entry.key for entry in self.list(topic) if VIEWING in entry.meta}
            seen = sorted(int(key) for key in keys if self.get_by_key(scope, key))
            if seen:
                found[topic] = seen
        return found

    def follow(self, follower: Callable[[Diff], None]) -> None:
        """Calls `follower(diff)` with every change, wherever it was made."""
        if follower not in self._followers:
            self._followers.append(follower)

    # -- what others tell of people

    def on_status(self, payload: dict[str, Any]) -> None:
        """A status line has changed."""
        self.people.on_status(payload)

    def on_manner(self, payload: dict[str, Any]) -> None:
        """Somebody has chosen anew who may see them, and whether they are remembered."""
        self.people.on_manner(payload)

    def on_untrack(self, payload: dict[str, Any]) -> None:
        """An admin takes an entry away, if it is ours."""
        self.untrack(payload["topic"], payload["key"], payload["id"])

    def on_acted(self, socket: UserSocket) -> None:
        """A connection that was silent has pushed something."""
        self.people.attention.acted(socket)

    def on_closed(self, socket: UserSocket, code: int) -> None:
        """A connection is gone."""
        self.people.attention.end(socket)

    def end_statuses(self) -> None:
        """Called every second."""
        self.people.end_statuses()

    def _changed(self, diff: Diff) -> None:
        loop = asyncio.get_running_loop()
        for name in self.people.came_back(diff):
            loop.call_soon(self.untrack, *name)
        self.telling.changed(diff)
        for follower in self._followers:
            follower(diff)

    # -- for REST and operators

    async def topic_presence(
        self, topic: str, own_key: str, keys: Iterable[str] | None = None
    ) -> TopicPresence:
        """Who is there, as REST answers it to the person with `own_key`."""
        return self.telling.presence(topic, own_key, keys)

    async def who_is_on(self, topic: str, keys: Iterable[str]) -> set[str]:
        """Those of these keys that are on the topic."""
        return {key for key in keys if self.get_by_key(topic, key)}

    async def people_on(self, topic: str) -> Sequence[Entry]:
        """The entries themselves, as the admin lists them."""
        return self.list(topic)

    async def topics(self) -> dict[str, int]:
        """Every topic with the number of people on it."""
        return {} if self._shard is None else self._shard.tracker.roster.topics()

    async def reports(self) -> dict[str, Sequence[ReportRow]]:
        """What each process says of every replica that it knows, by node; those that do not answer are left out."""
        if self._shard is None:
            return {}
        addresses = self._shard.addresses
        nodes = [replica.name for replica in addresses]
        asked = [hub.backplane.call(each, REPORT, {}, REPORT_S) for each in addresses.values()]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        rows = {hub.node: self._rows()}
        rows |= {
            node: answer["rows"]
            for node, answer in zip(nodes, answers, strict=True)
            if not isinstance(answer, BaseException)
        }
        return rows

    async def _on_report(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"rows": self._rows()}

    def _rows(self) -> Sequence[ReportRow]:
        reports = () if self._shard is None else self._shard.report()
        return [
            {
                "replica": report.replica.name,
                "condition": report.condition,
                "version": report.version,
                "silent_s": report.silent_s,
                "entries": report.entries,
                "cloud": report.cloud,
                "generations": report.generations,
            }
            for report in reports
        ]


def _meta_bytes(meta: Mapping[str, Any]) -> bytes:
    data = encode_payload(meta)
    most = settings.REALTIME["PRESENCE_META_BYTES"]
    if len(data) > most:
        raise PushError("too_large", f"What is told of a presence may be {most} bytes long.")
    return data


tracking = Tracking()


def from_thread(
    read: Callable[[], Coroutine[Any, Any, Found]], otherwise: Default
) -> Found | Default:
    """Runs `read()` on the event loop of this process and returns its result; `otherwise` where no hub runs."""
    loop = hub.loop
    if loop is None or loop.is_closed():
        return otherwise
    return asyncio.run_coroutine_threadsafe(read(), loop).result(PATIENCE_S)
