"""The topic `conversation:<uuid>`: one member on one socket.

Every join and every event asks the database anew whether the member may.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from commsite.realtime.announcement import Announcement
from commsite.realtime.channel import handles
from commsite.realtime.errors import PushError, StopChannel
from commsite.realtime.history_channel import HistoryChannel
from commsite.realtime.hub import hub
from commsite.realtime.registry import Fact
from commsite.realtime.threads import in_thread
from conversation import actions, queries
from conversation.assistant.channel import AssistantEvents
from conversation.attention_channel import AttentionEvents
from conversation.message_channel import MessageEvents
from conversation.rates import spend
from conversation.schema import (
    AddMember,
    RemoveMember,
    RenameConversation,
    SetAssistant,
)
from presence.room_channel import RoomChannel

PREFIX = "conversation:"


class ConversationChannel(
    AssistantEvents, MessageEvents, AttentionEvents, RoomChannel, HistoryChannel
):
    """Thin: finds the conversation and the member, then hands over to queries and actions."""

    _is_leaving = False

    # --- Joining: the core calls these in a thread, `replay` again while a slow client catches up ---
    def authorize(self) -> None:
        """Members only; strangers are told the same as if there were no such conversation."""
        self._me = queries.membership(self.conversation_id, self.identity.user_id)

    def snapshot(self) -> tuple[int, dict[str, Any]]:
        """(last seq, the newest 50 messages)."""
        last = self._me.conversation.last_seq
        return last, {"messages": queries.newest(self.conversation_id, last)}

    def welcome(self) -> dict[str, Any]:
        """Where they are, who is there, who they are."""
        return {**super().welcome(), **queries.welcome(self._me)}

    def replay(self, after: int, limit: int) -> tuple[int, list[Fact]] | None:
        """(last seq, what was told after `after`); None when it is from a future we never had."""
        last = queries.last_seq(self.conversation_id)
        if after > last or last - after > limit:
            return None
        return last, queries.facts(self.conversation_id, after, last)

    # --- Events ----------------------------------------------------------------------------------
    @handles("rename_conversation", RenameConversation)
    async def on_rename_conversation(self, command: RenameConversation) -> Mapping[str, Any]:
        """{"conversation": {"id", "title"}}."""
        spend("change", self.identity.user_id)
        return {"conversation": await self.as_member(actions.rename_conversation, command)}

    @handles("set_assistant", SetAssistant)
    async def on_set_assistant(self, command: SetAssistant) -> Mapping[str, Any]:
        """{"conversation": {"id", "title", "assistant"}}."""
        spend("change", self.identity.user_id)
        return {"conversation": await self.as_member(actions.set_assistant, command)}

    @handles("add_member", AddMember)
    async def on_add_member(self, command: AddMember) -> Mapping[str, Any]:
        """{"member": {"id", "username", "role"}}."""
        spend("change", self.identity.user_id)
        added = await self.as_member(actions.add_member, command)
        return {"member": added.member}

    @handles("remove_member", RemoveMember)
    async def on_remove_member(self, command: RemoveMember) -> None:
        """Takes a member out; with one's own id it is the last thing done on this topic."""
        if command.user_id != self.identity.user_id:
            spend("change", self.identity.user_id)
            await self.as_member(actions.remove_member, command)
            return
        self._is_leaving = True
        try:
            with suppress(PushError):  # whoever is out already has left as well
                await self.as_member(actions.remove_member, command)
        finally:
            self._is_leaving = False
        raise StopChannel({})

    def stop(self, **how: Any) -> None:
        """Ends the topic; for a member who leaves, not before they have the reply to that."""
        if not self._is_leaving:
            super().stop(**how)


# --- Whoever is no longer a member ---------------------------------------------------------------
def end_with_removal(fact: Announcement) -> None:
    """In every process, when `member_removed` goes out: its topic ends there for that user, before anything said later.

    Who joined after that fact has come back since.
    """
    removed = msgspec.json.decode(fact.payload, type=_Removed)
    for socket in hub.sockets_of(removed.member.id):
        channel = socket.channels.get(fact.topic)
        if isinstance(channel, ConversationChannel) and not channel.has_read(fact.seq or 0):
            channel.stop()


class _Someone(msgspec.Struct):
    id: int


class _Removed(msgspec.Struct):
    member: _Someone


def take_topic_away(removed: Mapping[str, Any]) -> None:
    """In every process, once a removal is committed: ends the topic on that user's sockets here.

    A join that was permitted before the removal is ended too, whatever it reads; one that comes later is refused.
    """
    hub.eject(removed["topic"], removed["user_id"])


async def eject_strangers() -> None:
    """The same for all removals that this process may not have heard of."""
    joined = {
        (topic.removeprefix(PREFIX), socket.identity.user_id)
        for socket in hub.sockets()
        for topic in socket.topics
        if topic.startswith(PREFIX)
    }
    for topic_id, user_id in await in_thread(queries.strangers, joined):
        hub.eject(PREFIX + topic_id, user_id)
