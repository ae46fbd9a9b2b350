"""`crowd:<name>` (only with COMMSITE_BENCH=1): where load generators fill a process with presences and look into it."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from commsite.realtime import registry
from commsite.realtime.channel import handles
from commsite.realtime.hub import hub
from commsite.realtime.schema import Payload, parse
from presence.channel import AttendedChannel
from presence.tracking import tracking

SLICE = 1_000
"""Entries that are made in one go."""
ID = "bench/1"
TOLD = "presence_told"


class Join(Payload):
    """How somebody joins: seen by the others, told who is there."""

    is_present: bool = False
    is_told: bool = False


class Crowd(Payload):
    """So many more people on each of so many topics, all of this process."""

    topic: str
    topics: int
    people: int


class Stir(Payload):
    """Every so many-th of the crowd's entries gets a new meta."""

    every: int


class Nothing(Payload):
    """No members."""


class CrowdChannel(AttendedChannel):
    """Holds a crowd of entries as server code would, and tells what the tracker knows."""

    __slots__ = ()

    is_present = False
    is_told = False

    async def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """Lets in everybody, as they like."""
        how = parse(Join, payload)
        self.is_present, self.is_told = how.is_present, how.is_told
        return {"node": hub.node}

    def entered(self) -> None:
        """Only those who want to be are seen."""
        if self.is_present:
            super().entered()

    async def tell_who_is_here(self, topic: str, key: str) -> None:
        """Only those who want to be are told; everybody hears when all is done."""
        if self.is_told:
            await super().tell_who_is_here(topic, key)
        self.push(TOLD, {})

    @handles("crowd", Crowd)
    async def on_crowd(self, command: Crowd) -> Mapping[str, Any]:
        """{"entries": how many this process shows}."""
        for number, (topic, key) in enumerate(_places(command), 1):
            tracking.track(topic, key, ID, _meta(key, 0))
            _held.append((topic, key))
            if number % SLICE == 0:
                await asyncio.sleep(0)
        return {"entries": len(tracking.shard.tracker.roster)}

    @handles("stir", Stir)
    async def on_stir(self, command: Stir) -> Mapping[str, Any]:
        """{"changed": how many}."""
        chosen = _held[:: command.every]
        for number, (topic, key) in enumerate(chosen, 1):
            old = msgspec.json.decode(tracking.get_by_key(topic, key)[0].meta)
            tracking.update(topic, key, ID, _meta(key, old["turn"] + 1))
            if number % SLICE == 0:
                await asyncio.sleep(0)
        return {"changed": len(chosen)}

    @handles("flip", Nothing)
    def on_flip(self, command: Nothing) -> Mapping[str, Any]:
        """Somebody comes or goes on this topic: one diff."""
        topic = str(self.topic)
        if tracking.get_by_key(topic, "flip"):
            tracking.untrack(topic, "flip", ID)
        else:
            tracking.track(topic, "flip", ID, _meta("flip", 0))
        return {}

    @handles("look", Nothing)
    def on_look(self, command: Nothing) -> Mapping[str, Any]:
        """{"entries", "clock": how far each node is known and shown, "lag_ms"}."""
        tracker = tracking.shard.tracker
        shown = {
            row.replica: row.version for row in tracker.report(0.0) if row.condition != "joining"
        }
        return {
            "entries": len(tracker.roster),
            "clock": {replica.name: shown.get(replica, 0) for replica in tracker.clock()},
            "lag_ms": hub.lag_s * 1000,
        }

    @handles("checksum", Nothing)
    async def on_checksum(self, command: Nothing) -> Mapping[str, Any]:
        """{"checksum"} over every entry that this process shows."""
        topics = tracking.shard.tracker.roster.topics()
        refs = sorted(entry.ref for topic in topics for entry in tracking.list(topic))
        return {"checksum": hashlib.blake2b("".join(refs).encode(), digest_size=16).hexdigest()}


_held: list[tuple[str, str]] = []


def _places(command: Crowd) -> Iterator[tuple[str, str]]:
    first = len(_held)
    for number in range(command.topics):
        topic = command.topic if command.topics == 1 else f"{command.topic}-{number}"
        for person in range(command.people):
            yield topic, f"{hub.node}.{first + person}"


def _meta(key: str, turn: int) -> dict[str, Any]:
    """As long as that of a person's connection."""
    return {
        "username": key,
        "session": "0123456789ab",
        "device": "Firefox on Linux",
        "kind": "browser",
        "activity": "active",
        "status": None,
        "online_at": "2026-11-22T12:00:00.000Z",
        "turn": turn,
    }


def install() -> None:
    """Serves the crowd topics."""
    registry.route("crowd", CrowdChannel)
