"""The one door for announcements and control messages: from any thread, on commit, in a server or outside of one."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import msgspec
from channels.layers import get_channel_layer
from django.db import transaction

from commsite.realtime.announcement import Announcement
from commsite.realtime.envelope import Binary, encode_payload
from commsite.realtime.fanout import followers
from commsite.realtime.hub import (
    ControlHandler,
    announced_handlers,
    control_handlers,
    gap_handlers,
    heard_handlers,
    hub,
    node_name,
    stop_handlers,
)
from commsite.realtime.packet import CONTROL, OUTSIDE, Control, Envelope, Packet, group_of, pack
from commsite.realtime.registry import delivery_of
from commsite.realtime.topic import shard_of


def announce(  # noqa: PLR0913  one door, and each option is one word
    topic: str,
    event: str,
    payload: Mapping[str, Any] | msgspec.Raw | Binary | bytes,
    *,
    seq: int | None = None,
    key: str | None = None,
    exclude: str | None = None,
    version: int | None = None,
) -> None:
    """Sends `event` to everyone who joined `topic`, in every process.

    The class of the event (registry.declare) decides how it is delivered: `seq` orders must events, `key` conflates
    state events; `exclude` is the id of a channel that shall not get it. `version` numbers the pieces in which the
    state of a key is told: joiners do not get those that their snapshot holds, and slow clients get the snapshot of
    the event's mirror (registry.mirror) in place of what they missed. Returns at once, from any thread.
    Raises LookupError for an event that nobody declared.
    """
    body = encode_payload(payload)
    is_binary = isinstance(body, Binary)
    announcement = Announcement(
        topic, event, bytes(body), delivery_of(event), seq, key, exclude, is_binary, version
    )
    _on_loop(lambda: hub.announce(announcement), lambda: (shard_of(topic), Envelope(announcement)))


def announce_here(topic: str, event: str, payload: bytes, *, key: str | None = None) -> None:
    """Sends `event` to those who joined `topic` in this process only: each process tells its own. Event loop only."""
    hub.fanout.accept(Announcement(topic, event, payload, delivery_of(event), key=key))


def listeners(topic: str) -> int:
    """How many have joined `topic` in this process: with none `announce_here` is for nobody. Event loop only."""
    state = hub.fanout.topics.get(topic)
    return 0 if state is None else state.size


def announce_on_commit(topic: str, event: str, payload: Mapping[str, Any], **options: Any) -> None:
    """The same once the transaction has committed (at once outside of one); never when it rolls back."""
    transaction.on_commit(partial(announce, topic, event, payload, **options))


def control(kind: str, payload: dict[str, Any]) -> None:
    """Tells every process, this one included; handlers run on the event loop. From any thread."""
    _on_loop(lambda: hub.control(kind, payload), lambda: (CONTROL, Control(kind, payload)))


def control_on_commit(kind: str, payload: dict[str, Any]) -> None:
    """The same once the transaction has committed."""
    transaction.on_commit(partial(control, kind, payload))


def on_control(kind: str, handler: ControlHandler) -> None:
    """Calls `handler(payload)` on the event loop for each control message of this kind."""
    handlers = control_handlers.setdefault(kind, [])
    if handler not in handlers:
        handlers.append(handler)


def on_gap(handler: Callable[[], None]) -> None:
    """Calls `handler()` on the event loop when control messages were lost."""
    if handler not in gap_handlers:
        gap_handlers.append(handler)


def on_stop(handler: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Awaits `handler()` when this process ends in good order, after its sockets and before its link to the others."""
    if handler not in stop_handlers:
        stop_handlers.append(handler)


def on_announced(event: str, handler: Callable[[str, int | None], None]) -> None:
    """Calls `handler(topic, seq)` on the event loop of the process, and only the one, that announces such an event."""
    handlers = announced_handlers.setdefault(event, [])
    if handler not in handlers:
        handlers.append(handler)


def on_heard(event: str, handler: Callable[[Announcement], None]) -> None:
    """Calls `handler(announcement)` on the event loop for each such event that another process announces."""
    handlers = heard_handlers.setdefault(event, [])
    if handler not in handlers:
        handlers.append(handler)


def on_going_out(event: str, handler: Callable[[Announcement], None]) -> None:
    """Calls `handler(announcement)` on the event loop of every process that has the topic, in order of `seq`: what
    comes after it on the topic goes out after the handler, wherever it was read from.
    """
    handlers = followers.setdefault(event, [])
    if handler not in handlers:
        handlers.append(handler)


def _on_loop(
    here: Callable[[], None], outside: Callable[[], tuple[int, Envelope | Control]]
) -> None:
    loop = hub.loop
    if loop is None or loop.is_closed():
        _publish_from_outside([outside()], f"{node_name()}.{threading.get_ident()}")
        return
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = False
    if is_here:
        here()
    else:
        loop.call_soon_threadsafe(here)


def _publish_from_outside(items: list[tuple[int, Envelope | Control]], node: str) -> None:
    """Publishes from a process with no event loop of ours (a management command): a node that lives for one message."""
    from asgiref.sync import async_to_sync  # noqa: PLC0415  the server never comes here

    layer = get_channel_layer()
    if layer is None:
        return

    async def send() -> None:
        for shard, item in items:
            packet = Packet(node, OUTSIDE, shard, 1, [item])
            await layer.group_send(group_of(shard), {"type": "commsite.packet", "d": pack(packet)})

    async_to_sync(send)()
