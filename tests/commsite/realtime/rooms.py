"""Channels for tests: a room that does what it is told, gates that hold, and a log that keeps history in a list."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from commsite.realtime.announcement import Announcement
from commsite.realtime.channel import NO_REPLY, Channel, handles
from commsite.realtime.envelope import Binary, encode_payload
from commsite.realtime.errors import PushError, StopChannel
from commsite.realtime.history_channel import HistoryChannel
from commsite.realtime.registry import Delivery, Fact
from commsite.realtime.schema import Payload

if TYPE_CHECKING:
    from collections.abc import Mapping


class Say(Payload):
    """A command with a bound."""

    text: str
    times: int = 1


class Gates:
    """Named events: what waits at a gate goes on when the test opens it."""

    def __init__(self) -> None:
        self._gates: dict[str, asyncio.Event] = {}

    def __getitem__(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def clear(self) -> None:
        self._gates.clear()


gates = Gates()
left: list[str] = []
stored: dict[str, list[Fact]] = {}


def reset() -> None:
    gates.clear()
    left.clear()
    stored.clear()


class RoomChannel(Channel):
    """Joins at once."""

    def join(self, payload: msgspec.Raw) -> Any:
        asked = msgspec.json.decode(payload)
        if isinstance(asked, dict):
            if "refuse" in asked:
                raise PushError("forbidden", asked["refuse"])
            if "crash" in asked:
                raise RuntimeError("join")
            if "odd" in asked:
                return {"odd": object()}
            if "reply" in asked:
                return asked["reply"]
        return None

    async def leave(self) -> None:
        left.append(str(self.topic))

    @handles("say", Say)
    def on_say(self, command: Say) -> dict[str, Any]:
        return {"said": command.text * command.times}

    @handles("echo")
    def on_echo(self, payload: bytes) -> bytes:
        return payload

    @handles("say_slowly", Say)
    async def on_say_slowly(self, command: Say) -> dict[str, Any]:
        await gates[command.text].wait()
        return {"said": command.text}

    @handles("push_then_reply")
    def on_push_then_reply(self, payload: bytes) -> None:
        self.push("note", {"n": 1})
        self.push("note", {"n": 2})

    @handles("nothing")
    def on_nothing(self, payload: bytes) -> Any:
        return NO_REPLY

    @handles("refuse")
    def on_refuse(self, payload: bytes) -> None:
        raise PushError("conflict", "no", retry_after_ms=70, why="because")

    @handles("crash")
    def on_crash(self, payload: bytes) -> None:
        raise RuntimeError("handler")

    @handles("crash_slowly")
    async def on_crash_slowly(self, payload: bytes) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("handler")

    @handles("stop")
    def on_stop(self, payload: bytes) -> None:
        raise StopChannel

    @handles("stop_with_reply")
    async def on_stop_with_reply(self, payload: bytes) -> None:
        raise StopChannel({"bye": True})

    @handles("tell_all")
    def on_tell_all(self, payload: bytes) -> None:
        announce(self, "told", payload)

    @handles("tell_others")
    def on_tell_others(self, payload: bytes) -> None:
        announce(self, "told", payload, exclude=self.id)


def announce(channel: Channel, event: str, payload: bytes, **options: Any) -> None:
    """Announces on the channel's own hub (pubsub knows only the process's)."""
    is_binary = isinstance(payload, Binary)
    delivery = options.pop("delivery", EVENTS[event])
    topic = options.pop("topic", str(channel.topic))
    channel.socket.hub.announce(
        Announcement(topic, event, bytes(payload), delivery, is_binary=is_binary, **options)
    )


class SlowRoomChannel(RoomChannel):
    """The join waits at the gate that is named like the topic."""

    async def join(self, payload: msgspec.Raw) -> Any:
        await gates[str(self.topic)].wait()
        return super().join(payload)


class QuietRoomChannel(RoomChannel):
    """Intercepts: secrets stay, names are shouted."""

    intercept: ClassVar[Mapping[str, str]] = {
        "secret": "on_secret",
        "name": "on_name",
        "told": "on_told",
    }

    def on_secret(self, payload: Any) -> None:
        return None

    def on_name(self, payload: Any) -> dict[str, Any]:
        return {"name": payload["name"].upper(), "for": self.identity.username}

    def on_told(self, payload: Any) -> dict[str, Any]:
        raise RuntimeError("interceptor")


class ConnectionChannel(Channel):
    """Like topic `client`: there without a join."""

    is_implicit = True

    @handles("whoami")
    def on_whoami(self, payload: bytes) -> dict[str, Any]:
        return {"user": self.identity.user_id}

    @handles("whoami_slowly")
    async def on_whoami_slowly(self, payload: bytes) -> dict[str, Any]:
        return {"user": self.identity.user_id}


class LogChannel(HistoryChannel):
    """Keeps history in a list."""

    def authorize(self) -> None:
        if self.topic.id == "closed":
            raise PushError("forbidden")

    def snapshot(self) -> tuple[int, dict[str, Any]]:
        facts = list(stored.get(self.topic.id, ()))
        return len(facts), {"facts": [fact.payload["n"] for fact in facts]}

    def welcome(self) -> dict[str, Any]:
        return {"hello": self.identity.username}

    def replay(self, after: int, limit: int) -> tuple[int, list[Fact]] | None:
        facts = list(stored.get(self.topic.id, ()))
        if after > len(facts) or len(facts) - after > limit:
            return None
        return len(facts), facts[after:]


def read_log(topic_id: str, after: int, upto: int) -> list[Fact]:
    """What the hub fills holes from."""
    return [fact for fact in stored.get(topic_id, ()) if after < fact.seq <= upto]


def commit(topic_id: str, **more: Any) -> Announcement:
    """Stores the next fact of a log and returns how it is announced."""
    facts = stored.setdefault(topic_id, [])
    fact = Fact("written", {"n": len(facts) + 1, **more}, len(facts) + 1)
    facts.append(fact)
    return Announcement(
        f"log:{topic_id}", fact.event, encode_payload(fact.payload), Delivery.MUST, fact.seq
    )


ROUTES: dict[str, type[Channel]] = {
    "room": RoomChannel,
    "slow": SlowRoomChannel,
    "quiet": QuietRoomChannel,
    "client": ConnectionChannel,
    "log": LogChannel,
}
EVENTS = {
    "told": Delivery.MUST,
    "secret": Delivery.MUST,
    "name": Delivery.MUST,
    "moved": Delivery.STATE,
    "typing": Delivery.EPHEMERAL,
    "written": Delivery.MUST,
}
