"""What a member may do with messages over the socket; each asks the database anew whether they may."""

from collections.abc import Mapping
from typing import Any

from commsite.realtime.channel import handles
from conversation import actions, queries
from conversation.rates import spend
from conversation.schema import (
    EditMessage,
    FetchHistory,
    NameMessage,
    React,
    SearchMessages,
    SendMessage,
)
from conversation.search import search
from conversation.seat import Seat


class MessageEvents(Seat):
    """Say, edit, delete, read back; reactions and pins."""

    __slots__ = ()

    @handles("send_message", SendMessage)
    async def on_send_message(self, command: SendMessage) -> Mapping[str, Any]:
        """{"message": M}: stored, and told to all members, the sender's other tabs among them."""
        spend("message", self.identity.user_id)
        sent = await self.as_member(actions.send_message, command)
        return {"message": sent.message}

    @handles("edit_message", EditMessage)
    async def on_edit_message(self, command: EditMessage) -> Mapping[str, Any]:
        """{"message": M} as it is now."""
        spend("change", self.identity.user_id)
        return {"message": await self.as_member(actions.edit_message, command)}

    @handles("delete_message", NameMessage)
    async def on_delete_message(self, command: NameMessage) -> Mapping[str, Any]:
        """{"message": M}: what is left of it."""
        spend("change", self.identity.user_id)
        return {"message": await self.as_member(actions.delete_message, command)}

    @handles("fetch_history", FetchHistory)
    async def on_fetch_history(self, command: FetchHistory) -> Mapping[str, Any]:
        """One page of messages."""
        spend("history", self.identity.user_id)
        return dict(await self.as_member(queries.history, command))

    @handles("search_messages", SearchMessages)
    async def on_search_messages(self, command: SearchMessages) -> Mapping[str, Any]:
        """{"results": [{"message", "snippet"}], "has_more"}: the newest first."""
        spend("history", self.identity.user_id)
        return dict(await self.as_member(search, command))

    @handles("add_reaction", React)
    async def on_add_reaction(self, command: React) -> Mapping[str, Any]:
        """{"message_id", "reactions"}: all of the message."""
        spend("change", self.identity.user_id)
        return dict(await self.as_member(actions.add_reaction, command))

    @handles("remove_reaction", React)
    async def on_remove_reaction(self, command: React) -> Mapping[str, Any]:
        """{"message_id", "reactions"}: all of the message."""
        spend("change", self.identity.user_id)
        return dict(await self.as_member(actions.remove_reaction, command))

    @handles("pin_message", NameMessage)
    async def on_pin_message(self, command: NameMessage) -> Mapping[str, Any]:
        """{"message_id", "pinned_at"}."""
        spend("change", self.identity.user_id)
        return dict(await self.as_member(actions.pin_message, command))

    @handles("unpin_message", NameMessage)
    async def on_unpin_message(self, command: NameMessage) -> Mapping[str, Any]:
        """{"message_id", "pinned_at": null}."""
        spend("change", self.identity.user_id)
        return dict(await self.as_member(actions.unpin_message, command))
