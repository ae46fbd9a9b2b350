"""Typing and receipts on the socket. Marks are written within a second, and told then."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from commsite.realtime.channel import handles
from conversation import attention, receipts
from conversation.attention_schema import FetchReceipts, MarkDelivered, MarkRead, StartTyping
from conversation.mark_writer import writer
from conversation.marks import Place
from conversation.rates import spend
from conversation.seat import Seat
from conversation.typing_notices import notices


class AttentionEvents(Seat):
    """What a member does without saying anything."""

    __slots__ = ()

    async def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """Adds who types just now, which no database knows."""
        reply = await cast("Any", super().join(payload))
        return {**reply, "typing": notices.on(self.conversation_id)}

    async def leave(self) -> None:
        """Whoever has no other socket here does not type here any more."""
        topic, user_id = str(self.topic), self.identity.user_id
        if not any(topic in socket.channels for socket in self.socket.hub.sockets_of(user_id)):
            notices.end(self.conversation_id, user_id)
        await super().leave()

    @handles("start_typing", StartTyping)
    async def on_start_typing(self, command: StartTyping) -> Mapping[str, Any]:
        """{"is_told"}: False where the conversation is too large for that."""
        spend("typing", self.identity.user_id)
        return {"is_told": await self.as_member(attention.start_typing, command)}

    @handles("stop_typing")
    def on_stop_typing(self, payload: Any) -> None:
        """Ends it before it expires."""
        notices.end(self.conversation_id, self.identity.user_id)

    @handles("mark_read", MarkRead)
    def on_mark_read(self, command: MarkRead) -> None:
        """The others, and one's own devices, hear of it within a second."""
        self._mark(command)

    @handles("mark_delivered", MarkDelivered)
    def on_mark_delivered(self, command: MarkDelivered) -> None:
        """The same, for what has only arrived."""
        self._mark(command)

    @handles("fetch_receipts", FetchReceipts)
    async def on_fetch_receipts(self, command: FetchReceipts) -> Mapping[str, Any]:
        """{"receipts", "receipt_counts"} of the conversation itself or of a thread."""
        spend("history", self.identity.user_id)
        return dict(await self.as_member(receipts.receipts, command))

    def _mark(self, command: MarkRead | MarkDelivered) -> None:
        """At once and without a question: a mark must not get lost because its tab is closed just now."""
        spend("read", self.identity.user_id)
        place = Place(self.identity.user_id, command.thread_id)
        writer.note(self.conversation_id, place, attention.mark_of(command))
