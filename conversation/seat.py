"""One member on one socket in one conversation: what all parts of the channel share."""

import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Concatenate, ParamSpec, TypeVar

from commsite.realtime.channel import Channel
from commsite.realtime.threads import in_thread
from conversation import queries

P = ParamSpec("P")
T = TypeVar("T")


class Seat(Channel):
    """Base of the groups of handlers that ConversationChannel is made of."""

    __slots__ = ()

    @cached_property
    def conversation_id(self) -> uuid.UUID:
        """The conversation this topic is about. Raises PushError("not_found") if it names none."""
        return queries.conversation_id_of(self.topic.id)

    async def as_member(
        self, do: Callable[Concatenate[uuid.UUID, int, P], T], *given: P.args, **named: P.kwargs
    ) -> T:
        """`do(conversation id, user id, ...)` in a database thread: how actions and queries begin."""
        user_id = self.identity.user_id
        return await in_thread(do, self.conversation_id, user_id, *given, **named)
