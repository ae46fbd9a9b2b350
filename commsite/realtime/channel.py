"""`Channel`: what an app's author writes. One instance serves one socket on one topic, from join to leave.

    class RoomChannel(Channel):
        async def join(self, payload): ...

        @handles("say", Say)
        async def on_say(self, command): ...

Handlers run strictly one after another. An `async def` runs in the channel's inbox task, which exists only while there
is work, so a slow one delays only its own topic; a plain `def` runs at once and must not block.
"""

import asyncio
import inspect
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from commsite.realtime.envelope import (
    CLOSE,
    EMPTY,
    ERROR,
    JOIN,
    LEAVE,
    NULL,
    Binary,
    Push,
    encode_payload,
)
from commsite.realtime.errors import PushError, StopChannel
from commsite.realtime.handler import NO_REPLY, Handler, handles
from commsite.realtime.registry import Delivery
from commsite.realtime.schema import parse
from commsite.realtime.telemetry import count
from commsite.realtime.topic import Topic

if TYPE_CHECKING:
    from commsite.realtime.announcement import Outgoing
    from commsite.realtime.auth import Identity
    from commsite.realtime.codec import Codec
    from commsite.realtime.outbox import Outbox
    from commsite.realtime.user_socket import UserSocket

__all__ = ["JOINED", "JOINING", "LEFT", "NO_REPLY", "Channel", "handles"]

logger = logging.getLogger(__name__)

CRASHED = {"reason": "channel_crash"}
JOINING, JOINED, LEFT = range(3)
_ids = itertools.count(1)


class Channel:
    """Base of all channels. `socket`, `topic` and `identity` are there before `join` is called."""

    __slots__ = (
        "__dict__",
        "_inbox",
        "_push_refs",
        "_task",
        "id",
        "join_ref",
        "predecessor",
        "socket",
        "state",
        "topic",
    )

    intercept: ClassVar[Mapping[str, str]] = {}
    """Event -> name of a method that gets each such announcement's decoded payload.

    It returns what to send instead, or None for nothing.
    """
    handlers: ClassVar[dict[str, Handler]] = {}
    is_implicit: ClassVar[bool] = False
    """True for topics that every socket has, joined or not."""
    has_stopped = False
    """True once it has ended in good order (left, or taken away), and not with its socket or by a crash."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        inherited = [vars(base).get("handlers", {}) for base in reversed(cls.__mro__[1:])]
        cls.handlers = {event: its for handlers in inherited for event, its in handlers.items()}
        for name, member in vars(cls).items():
            marked = getattr(member, "handled", None)
            if marked is not None:
                cls.handlers[marked[0]] = Handler(
                    name, marked[1], inspect.iscoroutinefunction(member)
                )

    def __init__(self, socket: "UserSocket", topic: Topic, join: Push) -> None:
        self.id = f"{socket.id}.{next(_ids)}"
        self.socket = socket
        self.topic = topic
        self.join_ref = join.join_ref
        self._push_refs = (join.join_ref if join.join_ref != NULL else join.ref, NULL)
        self.state = JOINING
        self.predecessor: Channel | None = None
        self._inbox: deque[Push] | None = None
        self._task: asyncio.Task[None] | None = None

    # -- for authors

    def join(
        self, payload: msgspec.Raw
    ) -> "Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None":
        """Lets the client in and returns the join reply, or raises PushError to refuse. May be `async def`."""
        return None

    async def leave(self) -> None:
        """Called once after the channel ended, however it ended, if the join had succeeded."""

    def entered(self) -> None:
        """Called once when the join was answered and what was held or replayed is out: from here on all is live."""

    def push(self, event: str, payload: Mapping[str, Any] | msgspec.Raw | Binary) -> None:
        """Sends an event to this client alone, in the order of the calls; nothing once the channel has ended.

        Raises RuntimeError before the join was answered: the reply is the first thing that a client gets.
        """
        self._push(event, encode_payload(payload), Delivery.MUST, None)

    def _push(self, event: str, payload: bytes, delivery: Delivery, key: object) -> None:
        if self.state != JOINED:
            if self.state == JOINING:
                raise RuntimeError("a channel cannot push before its join was answered")
            return
        socket = self.socket
        if socket.fanout.is_dirty:
            socket.fanout.flush_for(socket.channels)
        wire = self.codec.push(self._push_refs, str(self.topic), event, payload)
        socket.put(wire, delivery, key)

    @property
    def identity(self) -> "Identity":
        """Who is on the other side."""
        return self.socket.identity

    @property
    def codec(self) -> "Codec":
        """How this client's frames are written."""
        return self.socket.codec

    @property
    def outbox(self) -> "Outbox":
        """Where this client's frames go."""
        return self.socket.outbox

    # -- for the socket

    def start(self, join: Push) -> None:
        """Begins the join: at once where the author's `join` is plain, else in the inbox task."""
        if inspect.iscoroutinefunction(self.join) or not self.socket.fanout_is_ready(
            str(self.topic)
        ):
            self.enqueue(join)
            return
        self.socket.fanout.hold(str(self.topic), self)
        try:
            response = encode_payload(self.join(msgspec.Raw(join.payload)))  # type: ignore[arg-type]  # no coroutine
        except Exception as error:
            self._refuse(join, error)
            return
        if self.state == JOINING:
            self._admit(join, response)
            self._release()

    def open_unasked(self) -> None:
        """Serves one push on an implicit topic that was not joined: nothing is subscribed, nothing kept."""
        self.state = JOINED

    def accept(self, push: Push) -> None:
        """Takes a push in its turn."""
        if self._task is None and self.state == JOINED:
            handler = self.handlers.get(push.event)
            if handler is None or not handler.is_async:
                self._handle_inline(push, handler)
                return
        self.enqueue(push)

    def enqueue(self, push: Push) -> None:
        """Puts a push into the inbox; a full inbox answers `overloaded`."""
        if self._inbox is None:
            self._inbox = deque()
        elif len(self._inbox) >= self.socket.limits.inbox_pushes:
            count("pushes_refused_total", reason="overloaded")
            self._reply_error(
                push,
                PushError("overloaded", "Too many pushes wait on this topic.", retry_after_ms=1000),
            )
            return
        self._inbox.append(push)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def end(self) -> None:
        """Stops at once, without a frame: unsubscribes, cancels what runs, calls the author's `leave`."""
        if self.state == LEFT:
            return
        was_joined = self.state == JOINED
        self.state = LEFT
        self.socket.fanout.leave(str(self.topic), self)
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        if was_joined and type(self).leave is not Channel.leave:
            self.socket.spawn(self.leave())

    def stop(self, *, reply_to: Push | None = None, reply: Any = NO_REPLY) -> None:
        """Ends in good order: an optional reply, then `phx_close`; the client does not rejoin by itself."""
        self.has_stopped = True
        self._finish()
        if reply_to is not None and reply is not NO_REPLY:
            self.socket.reply(reply_to, "ok", encode_payload(reply))
        self.send_close()

    def send_close(self) -> None:
        """The `phx_close` of this channel, with its own join_ref."""
        ref = self._push_refs[0]
        self.socket.put(self.codec.push((ref, ref), str(self.topic), CLOSE, EMPTY))

    def crash(self) -> None:
        """Ends with `phx_error`: the client rejoins by itself."""
        self._finish()
        ref = self._push_refs[0]
        count("channel_crashes_total", kind=self.topic.kind)
        self.socket.put(
            self.codec.push((ref, ref), str(self.topic), ERROR, encode_payload(CRASHED))
        )

    def intercepted(self, outgoing: "Outgoing") -> None:
        """Delivers an announcement through the author's method."""
        announcement = outgoing.announcement
        payload = (
            Binary(announcement.payload)
            if announcement.is_binary
            else msgspec.json.decode(announcement.payload)
        )
        try:
            changed = getattr(self, self.intercept[announcement.event])(payload)
        except Exception:
            logger.exception("interceptor failed", extra=self._facts(announcement.event))
            self.crash()
            return
        if changed is not None:
            key = announcement.conflation_key
            self._push(announcement.event, encode_payload(changed), announcement.delivery, key)

    # -- inside

    async def _work(self) -> None:
        inbox = self._inbox
        try:
            while inbox and self.state != LEFT:
                await self._step(inbox.popleft())
        finally:
            self._task = None
            self._inbox = None

    async def _step(self, push: Push) -> None:
        if self.state == JOINING:
            if push.event == JOIN:
                await self._join(push)
            else:
                self.socket.reply_unmatched(push)
        elif push.event == LEAVE:
            self.stop(reply_to=push, reply=None)
        else:
            await self._handle(push, self.handlers.get(push.event))

    async def _join(self, push: Push) -> None:
        try:
            self.socket.fanout.hold(str(self.topic), self)
            await self.socket.fanout_ready(str(self.topic))
            await self.outbox.when_clear()
            reply = self.join(msgspec.Raw(push.payload))
            if inspect.isawaitable(reply):
                reply = await reply
            response = encode_payload(reply)
        except Exception as error:
            self._refuse(push, error)
            waiting, self._inbox = self._inbox or (), None
            for later in waiting:
                self.socket.handle(later)
            return
        if self.state == LEFT:
            return
        self._admit(push, response)
        try:
            await self._enter()
        except Exception as error:
            self._failed(push, error)

    def _admit(self, push: Push, response: bytes) -> None:
        self.state = JOINED
        self.socket.reply(push, "ok", response)
        self.close_predecessor()
        self.socket.joined(self)

    async def _enter(self) -> None:
        """After the reply; channels with history replay here first."""
        self._release()

    def _release(self) -> None:
        """Lets what was held during the join go out."""
        if not self.socket.fanout.release(str(self.topic), self):
            self.socket.overflowed()
        elif self.state == JOINED:
            self.entered()

    def _refuse(self, push: Push, error: Exception) -> None:
        if self.state == LEFT:
            return
        self._finish()
        if isinstance(error, PushError):
            count("joins_refused_total", reason=error.reason)
            response = error.as_response()
        else:
            logger.error("join crashed", exc_info=error, extra=self._facts(JOIN))
            count("channel_crashes_total", kind=self.topic.kind)
            response = PushError("join crashed").as_response()
        self.socket.reply(push, "error", encode_payload(response))
        self.close_predecessor()

    def close_predecessor(self) -> None:
        """A duplicate join: the old channel's close follows the new one's reply, as Phoenix orders them."""
        waiting: list[Channel] = [self]
        while (older := waiting[-1].predecessor) is not None:  # who never answered has one too
            waiting[-1].predecessor = None
            waiting.append(older)
        for channel in reversed(waiting[1:]):
            channel.send_close()

    def _finish(self) -> None:
        self.end()
        self.socket.forget(self)

    def _handle_inline(self, push: Push, handler: Handler | None) -> None:
        if push.event == LEAVE:
            self.stop(reply_to=push, reply=None)
            return
        try:
            method = getattr(self, self._known(handler, push).method)
            self._answer(push, method(self._argument(handler, push)))
        except Exception as error:
            self._failed(push, error)

    async def _handle(self, push: Push, handler: Handler | None) -> None:
        try:
            response = getattr(self, self._known(handler, push).method)(
                self._argument(handler, push)
            )
            if inspect.isawaitable(response):
                response = await response
            await self.outbox.when_clear()
            self._answer(push, response)
        except Exception as error:
            self._failed(push, error)

    def _known(self, handler: Handler | None, push: Push) -> Handler:
        if handler is None:
            raise PushError(
                "unknown_event",
                f"{str(self.topic)!r} has no event {push.event[:80]!r}.",
                expected=sorted(self.handlers),
            )
        return handler

    @staticmethod
    def _argument(handler: Handler | None, push: Push) -> Any:
        if handler is None or handler.schema is None:
            return push.payload
        return parse(handler.schema, push.payload)

    def _answer(self, push: Push, response: Any) -> None:
        if response is NO_REPLY or self.state == LEFT:
            return
        self.socket.reply(push, "ok", encode_payload(response))

    def _failed(self, push: Push, error: Exception) -> None:
        if self.state == LEFT:
            return
        if isinstance(error, PushError):
            self._reply_error(push, error)
        elif isinstance(error, StopChannel):
            self.stop(reply_to=push, reply=error.reply if error.reply is not None else NO_REPLY)
        else:
            logger.error("handler crashed", exc_info=error, extra=self._facts(push.event))
            self.crash()

    def _facts(self, event: str) -> dict[str, str]:
        return {"topic": str(self.topic), "event": event, "socket": self.socket.id}

    def _reply_error(self, push: Push, error: PushError) -> None:
        count("pushes_refused_total", reason=error.reason)
        self.socket.reply(push, "error", encode_payload(error.as_response()))
