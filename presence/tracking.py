"""The door to presence: `tracking.track(...)` for channels and server code. Event loop only, but for `from_thread`.

One `tracking` per process. It runs with the hub; entries of channels live and die with their sockets, those of server
code until they are untracked or the process ends. Every change, wherever it was made, is told to those who joined the
topic in this process.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.conf import settings

from commsite.realtime.envelope import encode_payload
from commsite.realtime.errors import PushError
from commsite.realtime.hub import Hub, hub
from commsite.realtime.pubsub import announce_here
from presence.link import TRANSFER, HubLink
from presence.schema import ReportRow, StatusShape, TopicPresence
from presence.tracker.delta import Entry
from presence.tracker.diff import Diff, TopicDiff
from presence.tracker.periods import Periods
from presence.tracker.rendering import DIFF, STATE, Collector, diff_payload, presences, state_parts
from presence.tracker.replica import Replica
from presence.tracker.shard import Shard

REPORT = "presence_report"
COUNTS = "presence_counts"
TOLD_AFTER_S = 0.05
"""Changes of so long are told as one diff: people do not see the difference, clients do."""
PART_BYTES = 256 * 1024
"""A longer `presence_state` goes in parts: the state, then joins."""
BACK_TO_LISTS = 0.8
"""A topic that shrinks is told by names again below this part of the threshold: no flapping at the border."""
MAX_KEY_BYTES = 255
LOOK_AGAIN_S = 0.1
REPORT_S = 2.0
PATIENCE_S = 5.0
"""How long a thread waits for the event loop."""

Found = TypeVar("Found")
Default = TypeVar("Default")
Name = tuple[str, str, str]
"""Topic, key and id of an entry of this process."""
Place = tuple[str, str, str]
"""Topic, key and device."""


def periods() -> Periods:
    """The tracker's times, from the settings."""
    limits = settings.REALTIME
    return Periods(
        broadcast_s=limits["PRESENCE_BROADCAST_S"],
        max_silent_periods=limits["PRESENCE_SILENT_PERIODS"],
        down_s=limits["PRESENCE_DOWN_S"],
        permdown_s=limits["PRESENCE_PERMDOWN_S"],
    )


def device_of(id: str) -> str:  # noqa: A002  the entry's word
    """The device in the id of a person's entry, `<device>/<connection>`."""
    return id.partition("/")[0]


class Tracking:
    """Who is present, as this process knows it and tells it."""

    def __init__(self) -> None:
        self._shard: Shard | None = None
        self._reset()

    def _reset(self) -> None:
        self._collector = Collector()
        self._telling: asyncio.TimerHandle | None = None
        self._graced: dict[Place, dict[str, asyncio.TimerHandle]] = {}
        self._people: dict[str, set[Name]] = {}
        self._is_complete = asyncio.Event()
        self._expiries: dict[str, float] = {}
        self._counted: set[str] = set()
        self.status_changes = 0
        """Grows with every status line that changes: what was read before may be old."""

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
            asyncio.get_running_loop().call_later(2 * periods().broadcast_s, self._look_round)

    def _look_round(self) -> None:
        """Is complete once everybody who was met is shown."""
        if any(row["condition"] == "joining" for row in self._rows()):
            asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look_round)
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
        """Something was lost: be heard soon, so that the others see what they miss of us."""
        if self._shard is not None:
            self._shard.hasten()

    async def _on_transfer(self, payload: dict[str, Any]) -> dict[str, Any]:
        if self._shard is None:
            return {"gossip": []}
        return {"gossip": self._shard.answer(payload["gossip"])}

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
        ours = next((one for one in shard.tracker.get_by_key(topic, key) if one.id == id), None)
        if ours is not None:
            old = msgspec.json.decode(ours.meta)
            if all(old.get(name) == value for name, value in changes.items()):
                return
            changes = {**old, **changes}
        shard.update(topic, key, id, _meta_bytes(changes))

    def untrack(self, topic: str, key: str, id: str) -> None:  # noqa: A002
        """Removes an entry at once; one that is not of this process changes nothing."""
        if self._shard is None:
            return
        timer = self._pop_grace((topic, key, device_of(id)), id)
        if timer is not None:
            timer.cancel()
        names = self._people.get(key, set())
        names.discard((topic, key, id))
        if not names:
            self._people.pop(key, None)
            self._expiries.pop(key, None)
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

    # -- people: entries that live with a socket

    def appear(self, topic: str, key: str, id: str, meta: Mapping[str, Any]) -> None:  # noqa: A002
        """Tracks a person's connection, in the place of one of the same device whose socket has dropped."""
        self.track(topic, key, id, meta)
        self._people.setdefault(key, set()).add((topic, key, id))
        self._watch_status(key, meta.get("status"))
        left = self._graced.get((topic, key, device_of(id)))
        if left:
            self.untrack(topic, key, next(iter(left)))

    def drop(self, topic: str, key: str, id: str) -> None:  # noqa: A002
        """The socket is gone: the entry stays for the time of grace, unless the device comes back before."""
        if (topic, key, id) not in self._people.get(key, ()):
            return
        grace_s = settings.REALTIME["PRESENCE_GRACE_S"]
        loop = asyncio.get_running_loop()
        timer = loop.call_later(grace_s, self.untrack, topic, key, id)
        self._graced.setdefault((topic, key, device_of(id)), {})[id] = timer

    def status_here(self, user_id: int) -> tuple[StatusShape | None] | None:
        """The status line that a person's entries here show, in a tuple; None when they have no entry here."""
        for topic, key, id in self._people.get(str(user_id), ()):  # noqa: A001
            for entry in self.get_by_key(topic, key):
                if entry.id == id:
                    return (msgspec.json.decode(entry.meta)["status"],)
        return None

    def on_status(self, payload: dict[str, Any]) -> None:
        """A person's status line has changed: all their entries here show it."""
        self.status_changes += 1
        key = str(payload["user_id"])
        for name in list(self._people.get(key, ())):
            self.update(*name, {"status": payload["status"]})
        if key in self._people:
            self._watch_status(key, payload["status"])

    def end_statuses(self) -> None:
        """Takes away the status lines whose time is over; called every second."""
        now = time.time()
        for key in [key for key, at in self._expiries.items() if at <= now]:
            self.on_status({"user_id": key, "status": None})

    def _watch_status(self, key: str, status: StatusShape | None) -> None:
        if status is not None and status["expires_at"] is not None:
            self._expiries[key] = status["expires_at"]
        else:
            self._expiries.pop(key, None)

    def on_untrack(self, payload: dict[str, Any]) -> None:
        """An admin takes an entry away, if it is ours."""
        self.untrack(payload["topic"], payload["key"], payload["id"])

    def _pop_grace(self, place: Place, id: str) -> asyncio.TimerHandle | None:  # noqa: A002
        timers = self._graced.get(place)
        if timers is None:
            return None
        timer = timers.pop(id, None)
        if not timers:
            del self._graced[place]
        return timer

    # -- what is told

    def snapshot(self, topic: str) -> Sequence[tuple[str, bytes]]:
        """(event, payload) pairs that bring a newcomer up to date; the diffs that come later may repeat them."""
        if self._is_counted(topic):
            return [(STATE, b"{}"), (COUNTS, self._counts(topic))]
        return tuple(state_parts(self.list(topic), PART_BYTES))

    async def topic_presence(self, topic: str) -> TopicPresence:
        """Who is there, as REST answers it."""
        entries = [] if self._is_counted(topic) else self.list(topic)
        return {
            "topic": topic,
            "count": self.count(topic),
            "presences": msgspec.json.decode(presences(entries)),
        }

    async def people_on(self, topic: str) -> Sequence[Entry]:
        """The entries themselves, as the admin lists them."""
        return self.list(topic)

    async def topics(self) -> dict[str, int]:
        """Every topic with the number of people on it."""
        return {} if self._shard is None else self._shard.tracker.roster.topics()

    def _is_counted(self, topic: str) -> bool:
        """Whether the topic is told by numbers alone; there is a margin between growing and shrinking."""
        most: int = settings.REALTIME["PRESENCE_COUNTS_ABOVE"]
        return self.count(topic) > (most * BACK_TO_LISTS if topic in self._counted else most)

    def _counts(self, topic: str) -> bytes:
        return encode_payload({"count": self.count(topic)})

    def _changed(self, diff: Diff) -> None:
        self._end_graces(diff)
        for topic, change in self._collector.add(diff).items():
            self._tell(topic, change)
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(TOLD_AFTER_S, self._tell_all)

    def _end_graces(self, diff: Diff) -> None:
        """A device that dropped here is back in another process: its old entry goes at once."""
        if not self._graced:
            return
        back = [
            (topic, entry.key, old)
            for topic, change in diff.topics.items()
            for entry in change.joins.values()
            for old in self._graced.get((topic, entry.key, device_of(entry.id)), {})
            if (topic, entry.key, entry.id) not in self._people.get(entry.key, ())
            and entry.id != old
        ]
        loop = asyncio.get_running_loop()
        for name in back:
            loop.call_soon(self.untrack, *name)

    def _tell_all(self) -> None:
        self._telling = None
        for topic, change in self._collector.take().items():
            self._tell(topic, change)

    def _tell(self, topic: str, change: TopicDiff) -> None:
        was_counted, is_counted = topic in self._counted, self._is_counted(topic)
        if is_counted:
            self._counted.add(topic)
            if not was_counted:
                announce_here(topic, STATE, b"{}")
            announce_here(topic, COUNTS, self._counts(topic))
        elif was_counted:
            self._counted.discard(topic)
            for event, payload in state_parts(self.list(topic), PART_BYTES):
                announce_here(topic, event, payload)
        else:
            announce_here(topic, DIFF, diff_payload(change))

    # -- for operators

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
