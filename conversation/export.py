"""A conversation as one JSON document, written while it is read: the memory it takes does not grow with it.

It holds what a member may see up to the moment it began, all alternatives and threads among it:

    {"format": "commsite.conversation", "version": 1, "exported_at", "exported_by": Person | null,
     "conversation": {"id", "title", "assistant", "created_at", "last_seq"}, "members": [{"id", "username", "role"}],
     "messages": [M, ...], "changes": [{"event", "seq", "at", "message_id"?, ...}, ...], "is_complete": true}

Both lists are in the order of `seq`, and together have each one once. `is_complete` stands at the end: a document
without it was cut off. Files are named (`attachments`), not contained.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final
from weakref import WeakSet

import msgspec
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from commsite.realtime.errors import PushError
from commsite.realtime.telemetry import count
from commsite.realtime.threads import in_thread
from conversation import queries
from conversation.file_name import safe_name
from conversation.message_parts import shapes
from conversation.message_shape import Person, time_shape
from conversation.models import Change, Conversation, Message
from conversation.schema import here_shape, member_shape

FORMAT: Final = "commsite.conversation"
VERSION: Final = 1
PAGE_ROWS: Final = 200
AT_ONCE: Final = 2
RETRY_AFTER_MS: Final = 5_000
STALLED_S: Final = 30.0
"""Whoever takes nothing of a document for so long loses it as soon as somebody else wants one."""

Page = tuple[list[dict[str, Any]], int]
_under_way: "WeakSet[Export]" = WeakSet()


def answer(conversation: Conversation, by: Person, *, is_member: bool) -> HttpResponseBase:
    """The document as a download. Raises PushError("overloaded") while others of this process are under way."""
    if len(_under_way) >= AT_ONCE:
        _make_room()
    if len(_under_way) >= AT_ONCE:
        raise PushError("overloaded", retry_after_ms=RETRY_AFTER_MS)
    export = Export(conversation, by, is_member=is_member, now=timezone.now())
    _under_way.add(export)
    count("exports_total")
    response = StreamingHttpResponse(export, content_type="application/json")
    name = f"{safe_name(conversation.title)[:80]} {export.now:%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response.headers["Cache-Control"] = "no-store"
    return response


def _make_room() -> None:
    for each in list(_under_way):
        each.cut_off_if_stalled()


class Export:
    """The document in pieces. A member who is removed meanwhile gets no further piece."""

    def __init__(
        self, conversation: Conversation, by: Person, *, is_member: bool, now: datetime
    ) -> None:
        self.now = now
        self._conversation = conversation
        self._by = by
        self._is_member = is_member
        self._upto = conversation.last_seq
        self._taken_at = time.monotonic()
        self._writing: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._writing = (asyncio.get_running_loop(), asyncio.current_task())
        try:
            async for piece in self._pieces():
                self._taken_at = time.monotonic()
                yield piece
        finally:  # a client that goes away closes this, but not always the response
            self._writing = None
            self.close()

    def cut_off_if_stalled(self) -> None:
        """Ends a document of which nobody has taken anything for long. From any thread."""
        if time.monotonic() - self._taken_at <= STALLED_S:
            return
        self.close()
        loop, task = self._writing or (None, None)
        if loop is not None and task is not None and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield await in_thread(self._head)
        for name, read in (("messages", self._messages), ("changes", self._changes)):
            yield b',\n"' + name.encode() + b'": ['
            async for piece in self._rows(read):
                yield piece
            yield b"]"
        yield b',\n"is_complete": true}\n'

    def close(self) -> None:
        """Makes room for another; called by the response too."""
        _under_way.discard(self)

    async def _rows(self, read: Callable[[int], Page]) -> AsyncIterator[bytes]:
        rows, after = await in_thread(read, 0)
        separator = b"\n"
        while rows:
            yield separator + b",\n".join(msgspec.json.encode(row) for row in rows)
            separator = b",\n"
            rows, after = await in_thread(read, after)

    def _head(self) -> bytes:
        here = self._conversation
        members = [member_shape(row) for row in queries.members(here.id)]
        head = {
            "format": FORMAT,
            "version": VERSION,
            "exported_at": time_shape(self.now),
            "exported_by": self._by,
            "conversation": {
                **here_shape(here),
                "created_at": time_shape(here.created_at),
                "last_seq": self._upto,
            },
            "members": members,
        }
        return msgspec.json.encode(head)[:-1]

    def _messages(self, after: int) -> Page:
        """The messages of a page, and the seq of the last."""
        rows = list(
            Message.objects.filter(**self._span(after))
            .select_related("author")
            .order_by("seq")[:PAGE_ROWS]
        )
        return [dict(shape) for shape in shapes(rows)], rows[-1].seq if rows else after

    def _changes(self, after: int) -> Page:
        rows = list(Change.objects.filter(**self._span(after)).order_by("seq")[:PAGE_ROWS])
        return [_change_shape(row) for row in rows], rows[-1].seq if rows else after

    def _span(self, after: int) -> dict[str, Any]:
        if self._is_member:
            queries.sender(self._conversation.id, self._by["id"])
        return {
            "conversation_id": self._conversation.id,
            "seq__gt": after,
            "seq__lte": self._upto,
        }


def _change_shape(change: Change) -> dict[str, Any]:
    """What happened. What a message said before is not among it: the list of messages says what they say now."""
    about = {} if change.message_id is None else {"message_id": str(change.message_id)}
    at = time_shape(change.created_at)
    return {"event": change.event, "at": at, **about, **change.payload}


def of_member(conversation_id: uuid.UUID, user_id: int) -> HttpResponseBase:
    """The document for a member. Raises PushError("not_found") for strangers."""
    me = queries.membership(conversation_id, user_id)
    by: Person = {"id": me.user_id, "username": me.user.get_username()}
    return answer(me.conversation, by, is_member=True)
