"""One client's live connection: who it is, which channels it has joined, and where its pushes go (transport-free)."""

import asyncio
import itertools
import os
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from commsite.realtime.auth import ClientContext, Identity
from commsite.realtime.channel import JOINED, Channel
from commsite.realtime.codec import Codec
from commsite.realtime.envelope import (
    EMPTY,
    HEARTBEAT,
    HEARTBEAT_TOPIC,
    JOIN,
    LEAVE,
    NULL,
    Binary,
    Push,
    Wire,
    encode_payload,
)
from commsite.realtime.errors import CloseCode, PushError, SocketError
from commsite.realtime.outbox import Outbox, Transport
from commsite.realtime.rate import Rate
from commsite.realtime.registry import Delivery, channel_for
from commsite.realtime.telemetry import count, counters, emit
from commsite.realtime.topic import Topic, is_too_long

if TYPE_CHECKING:
    from commsite.realtime.hub import Hub

PUSHES = ("pushes_total", ())
STALE = ("pushes_stale_total", ())
CLIENT_TOPIC = "client"
CLOSING = "closing"
_PREFIX = f"{os.getpid():x}-{int(time.time() * 1000) & 0xFFFFFF:x}"
_ids = itertools.count(1)


class UserSocket:
    """A joined-up client. Event loop only; every method returns at once."""

    __slots__ = (
        "__weakref__",
        "acted_tick",
        "channels",
        "close_code",
        "codec",
        "context",
        "fanout",
        "hub",
        "id",
        "is_closing",
        "is_quiet",
        "kinds",
        "last_tick",
        "limits",
        "opened_at",
        "outbox",
        "rate",
        "transport",
    )

    def __init__(
        self,
        hub: "Hub",
        context: ClientContext,
        codec: Codec,
        transport: Transport,
        kinds: frozenset[str] | None,
    ) -> None:
        self.id = f"{_PREFIX}-{next(_ids):x}"
        self.hub = hub
        self.close_code: CloseCode | None = None
        self.limits = hub.limits
        self.fanout = hub.fanout
        self.context = context
        self.codec = codec
        self.kinds = kinds
        self.transport = transport
        self.outbox = Outbox(transport, hub.limits.outbox_bytes, self.overflowed)
        self.channels: dict[str, Channel] = {}
        self.opened_at = time.time()
        self.last_tick = hub.wheel.tick
        self.acted_tick = hub.wheel.tick
        self.is_quiet = False  # whoever sets it hears of the next push ("socket_acted")
        self.rate: Rate | None = None
        self.is_closing = False

    # -- what the admin and the apps read

    @property
    def identity(self) -> Identity:
        """Who this socket speaks for."""
        return self.context.identity

    @property
    def topics(self) -> list[str]:
        """The topics joined."""
        return list(self.channels)

    @property
    def bytes_waiting(self) -> int:
        """Bytes not yet taken by the client's network."""
        return self.outbox.bytes_waiting

    @property
    def rtt_ms(self) -> float | None:
        """The last measured round trip."""
        return self.transport.rtt_ms

    @property
    def node(self) -> str:
        """The process it lives in."""
        return self.hub.node

    # -- in

    def receive(self, data: bytes, is_binary: bool) -> None:
        """One message from the client: decoded, counted, routed. What is wrong with it costs only this socket."""
        if self.is_closing:
            return
        self.last_tick = self.hub.wheel.tick
        if len(data) > self.limits.frame_bytes:
            self.close(CloseCode.TOO_BIG, "frame too big")
            return
        try:
            push = self.codec.decode(data, is_binary=is_binary)
        except SocketError as error:
            self.close(error.code, error.reason)
            return
        counters[PUSHES] += 1
        if self.limits.bench or self._is_within_rate(push):
            self.handle(push)

    def handle(self, push: Push) -> None:
        """Routes one push."""
        if push.event == JOIN:
            self._join(push)
            return
        if push.topic == HEARTBEAT_TOPIC and push.event == HEARTBEAT:
            self.put(self.codec.reply((NULL, push.ref), HEARTBEAT_TOPIC, "ok", EMPTY))
            return
        if push.topic != CLIENT_TOPIC:  # there clients speak by themselves
            self._act()
        channel = self.channels.get(push.topic) or self._implicit(push)
        if channel is None:
            if push.event == LEAVE:
                self.reply(push, "ok", EMPTY)
            else:
                self.reply_unmatched(push)
        elif push.join_ref not in (NULL, channel.join_ref):
            counters[STALE] += 1
        else:
            channel.accept(push)

    def _act(self) -> None:
        """The person, or their program, does something: no heartbeat, no join, no new token."""
        self.acted_tick = self.hub.wheel.tick
        if self.is_quiet:
            self.is_quiet = False
            emit("socket_acted", socket=self)

    def _join(self, push: Push) -> None:
        channel_class = self._route(push.topic)
        if channel_class is None:
            self.reply_unmatched(push)
            return
        older = self.channels.get(push.topic)
        if older is None and len(self.channels) >= self.limits.topics_per_socket:
            count("joins_refused_total", reason="too many channels joined")
            self.reply(
                push, "error", encode_payload(PushError("too many channels joined").as_response())
            )
            return
        channel = channel_class(self, Topic.parse(push.topic), push)
        if older is not None:
            older.end()
            channel.predecessor = older
        self.channels[push.topic] = channel
        channel.start(push)

    def _route(self, topic: str) -> type[Channel] | None:
        if is_too_long(topic):
            return None
        kind = topic.partition(":")[0]
        if self.kinds is not None and kind not in self.kinds:
            return None
        return channel_for(kind)

    def _implicit(self, push: Push) -> Channel | None:
        channel_class = self._route(push.topic)
        if channel_class is None or not channel_class.is_implicit or push.event == LEAVE:
            return None
        channel = channel_class(
            self, Topic.parse(push.topic), Push(push.join_ref, NULL, push.topic, JOIN, EMPTY)
        )
        channel.open_unasked()
        return channel

    # -- out

    def put(
        self, wire: Wire | None, delivery: Delivery = Delivery.MUST, key: object = None
    ) -> None:
        """Sends a frame to this client."""
        if wire is None:
            count("deliveries_not_representable_total", codec=self.codec.name)
        elif not self.is_closing:
            self.outbox.put(wire, delivery, key)

    def reply(self, push: Push, status: str, response: bytes) -> None:
        """Answers a push, behind whatever was announced before on the topics of this socket."""
        if self.fanout.is_dirty:
            self.fanout.flush_for(self.channels)
        wire = self.codec.reply((push.join_ref, push.ref), push.topic, status, response)
        if wire is None and isinstance(response, Binary):
            wire = self.codec.reply(
                (push.join_ref, push.ref),
                push.topic,
                "error",
                encode_payload(
                    PushError(
                        "version_unsupported", "This format cannot carry binary."
                    ).as_response()
                ),
            )
        self.put(wire)

    def reply_unmatched(self, push: Push) -> None:
        """Answers a push on a topic that is not joined or not served: join_ref null, as Phoenix does."""
        response = encode_payload(PushError("unmatched topic").as_response())
        self.put(self.codec.reply((NULL, push.ref), push.topic, "error", response))

    def notify(self, event: str, payload: dict[str, Any]) -> None:
        """Sends an event on topic `client`."""
        channel = self.channels.get(CLIENT_TOPIC)
        if channel is not None and channel.state == JOINED:
            channel.push(event, payload)
        else:
            self.put(self.codec.push((NULL, NULL), CLIENT_TOPIC, event, encode_payload(payload)))

    # -- life

    def renew(self, identity: Identity) -> None:
        """Goes on with a newer token of the same client."""
        is_same = identity.expires_at == self.identity.expires_at
        self.context.identity = identity
        if not is_same:
            self.hub.deadlines.watch_expiry(self)

    def stop_topic(
        self, topic: str, event: str | None = None, payload: dict[str, Any] | None = None
    ) -> bool:
        """Ends a joined topic from the server's side, after an optional last event. False when it was not joined."""
        channel = self.channels.get(topic)
        if channel is None:
            return False
        if event is not None and channel.state == JOINED:
            channel.push(event, payload or {})
        channel.stop()
        return True

    def joined(self, channel: Channel) -> None:
        """Called by a channel whose join has succeeded."""
        count("joins_total", kind=channel.topic.kind)
        emit("socket_joined", socket=self, topic=str(channel.topic))

    def forget(self, channel: Channel) -> None:
        """Called by a channel that ended."""
        if self.channels.get(str(channel.topic)) is channel:
            del self.channels[str(channel.topic)]

    def close(self, code: CloseCode, reason: str, retry_after_ms: int | None = None) -> None:
        """Ends the socket: a last frame `closing` on topic `client`, then the close code; once."""
        if self.is_closing:
            return
        payload = {
            "code": int(code),
            "reason": reason,
            "retry_after_ms": retry_after_ms,
            "resume": code.may_resume,
        }
        last = self.codec.push((NULL, NULL), CLIENT_TOPIC, CLOSING, encode_payload(payload))
        count("sockets_closed_total", code=str(int(code)))
        if retry_after_ms:
            self.hub.admission.defer(self.identity.session_id, retry_after_ms / 1000)
        self.close_code = code
        self.end()
        self.outbox.close(int(code), reason, last)

    def end(self) -> None:
        """Ends every channel: the connection is going or gone."""
        self.is_closing = True
        channels, self.channels = self.channels, {}
        for channel in channels.values():
            channel.end()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` in a task that the hub owns."""
        self.hub.spawn(work)

    def fanout_is_ready(self, topic: str) -> bool:
        """True when subscribing needs no waiting."""
        return self.hub.is_subscribed(topic)

    async def fanout_ready(self, topic: str) -> None:
        """Waits until announcements of other processes on this topic reach this one."""
        await self.hub.subscribe(topic)

    # -- limits

    def _is_within_rate(self, push: Push) -> bool:
        rate = self.rate
        if rate is None:
            rate = self.rate = Rate(self.limits)
        wait_s = rate.take(asyncio.get_running_loop().time(), is_join=push.event == JOIN)
        if wait_s <= 0:
            return True
        count("pushes_refused_total", reason="rate_limited")
        wait_ms = max(1, round(wait_s * 1000))
        if rate.is_abused:
            self.close(
                CloseCode.RATE_LIMITED,
                "too many pushes over the rate",
                retry_after_ms=max(1000, wait_ms),
            )
        else:
            error = PushError("rate_limited", retry_after_ms=wait_ms)
            self.put(
                self.codec.reply(
                    (push.join_ref, push.ref),
                    push.topic,
                    "error",
                    encode_payload(error.as_response()),
                )
            )
        return False

    def overflowed(self) -> None:
        """The client does not take what it must get: closes with 4008; it comes back and resumes."""
        count("sockets_too_slow_total")
        self.close(CloseCode.TOO_SLOW, "client reads too slowly")
