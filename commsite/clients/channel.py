"""The topics `client` (this connection) and `user:<id>` (all devices of one user)."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from commsite.clients import tokens
from commsite.clients.schema import RenewToken
from commsite.realtime.channel import Channel, handles
from commsite.realtime.errors import PushError
from commsite.realtime.threads import in_thread


class ClientChannel(Channel):
    """Every socket has it, joined or not: it is about the connection itself."""

    is_implicit = True

    def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """Who this connection speaks for, and until when."""
        identity = self.identity
        return {
            "connection_id": self.socket.id,
            "session_id": identity.session_id,
            "user": {"id": identity.user_id, "username": identity.username},
            "expires_at": identity.expires_at,
        }

    @handles("renew_token", RenewToken)
    def on_renew_token(self, command: RenewToken) -> Mapping[str, Any]:
        """Keeps the socket with a fresh access token of the same user and client session.

        Raises PushError: "bad_credentials", "token_expired", "token_revoked"; "forbidden" for a
        token of someone else, whose topics these are not.
        """
        renewed = tokens.verify(command.token)
        known = self.identity
        if (renewed.user_id, renewed.session_id) != (known.user_id, known.session_id):
            raise PushError("forbidden", "This token belongs to another client session.")
        self.socket.renew(renewed)
        return {"expires_at": renewed.expires_at}


UserPart = Callable[[int], Mapping[str, Any]]
"""(user id) -> keys of the reply to every join of the user's topic. Runs in a database thread."""
_user_parts: list[UserPart] = []


def on_user_join(part: UserPart) -> None:
    """Lets an app tell devices, as they come, how things stand that `user:<id>` tells the changes of."""
    if part not in _user_parts:
        _user_parts.append(part)


class UserChannel(Channel):
    """What all devices of one user share. Only one's own can be joined."""

    async def join(self, payload: msgspec.Raw) -> Mapping[str, Any]:
        """How things stand for the user; raises PushError("forbidden") for anyone else's topic."""
        if self.topic.id != str(self.identity.user_id):
            raise PushError("forbidden", "This topic belongs to another user.")
        return await in_thread(_parts_of, self.identity.user_id)


def _parts_of(user_id: int) -> dict[str, Any]:
    return {key: its for part in _user_parts for key, its in part(user_id).items()}
