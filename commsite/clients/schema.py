"""What clients say and are told, on the socket and over REST."""

from typing import Any

from rest_framework import serializers

from commsite.clients.models import ClientSession
from commsite.realtime.schema import Payload


# --- On the socket -------------------------------------------------------------------------------
class RenewToken(Payload):
    """Event ``renew_token`` on topic ``client``: a fresh access token of the same session."""

    token: str


# --- Tokens --------------------------------------------------------------------------------------
class Credentials(serializers.Serializer[Any]):
    """A name and a password; ``name`` is what this client wants to be called in the list."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)
    name = serializers.CharField(max_length=100, required=False, allow_blank=True)


class TokenPair(serializers.Serializer[Any]):
    """An access token for the next minutes and the refresh token that buys the next pair."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class Refresh(serializers.Serializer[Any]):
    """A refresh token. It is good once."""

    refresh = serializers.CharField()


class AnyToken(serializers.Serializer[Any]):
    """One token of either kind, under any of the names it goes by."""

    token = serializers.CharField(required=False)
    access = serializers.CharField(required=False)
    refresh = serializers.CharField(required=False)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """Exactly one of them, given back as ``token``."""
        given = [attrs[key] for key in ("token", "access", "refresh") if key in attrs]
        if len(given) != 1:
            raise serializers.ValidationError("Give one of token, access, refresh.")
        return {"token": given[0]}


class Verified(serializers.Serializer[Any]):
    """What a good token is."""

    token_type = serializers.ChoiceField(choices=["access", "refresh"])
    expires_at = serializers.DateTimeField()


class TicketRequest(serializers.Serializer[Any]):
    """The origin that will use the ticket; without it, the Origin of this very request."""

    origin = serializers.CharField(max_length=300, required=False, allow_blank=True)


class TicketAnswer(serializers.Serializer[Any]):
    """A ticket for one handshake (``?ticket=``) within ``expires_in`` seconds."""

    ticket = serializers.CharField()
    expires_in = serializers.IntegerField()


class Problem(serializers.Serializer[Any]):
    """Every error: a reason of the one table and a sentence."""

    reason = serializers.CharField()
    message = serializers.CharField()


# --- Sessions and preferences --------------------------------------------------------------------
class SessionShape(serializers.ModelSerializer[ClientSession]):
    """One of my client sessions."""

    is_current = serializers.SerializerMethodField()

    class Meta:
        """Nothing here can be written; a session is only ever revoked."""

        model = ClientSession
        fields = (
            "id",
            "name",
            "kind",
            "address",
            "user_agent",
            "created_at",
            "last_seen_at",
            "is_current",
        )
        read_only_fields = fields

    def get_is_current(self, session: ClientSession) -> bool:
        """True for the session that asks."""
        return str(session.id) == self.context.get("session_id")


DEFAULT_PREFERENCES: dict[str, object] = {
    "theme": "system",
    "time_format": "system",
    "send_with": "enter",
    "visibility": "everyone",
    "last_seen": "on",
    "share_receipts": True,
}


class PreferencesShape(serializers.Serializer[Any]):
    """What a user can set. PUT sets what is missing to its default, PATCH leaves it."""

    theme = serializers.ChoiceField(choices=["system", "light", "dark"], required=False)
    time_format = serializers.ChoiceField(choices=["system", "h12", "h23"], required=False)
    send_with = serializers.ChoiceField(choices=["enter", "ctrl_enter"], required=False)
    visibility = serializers.ChoiceField(
        choices=["everyone", "nobody"],
        required=False,
        help_text="Who sees on the site that I am online. Members of a conversation that I have open always do.",
    )
    last_seen = serializers.ChoiceField(
        choices=["on", "off"],
        required=False,
        help_text="Whether the site keeps when I was last here. With `off` nothing is stored, and what was is deleted.",
    )
    share_receipts = serializers.BooleanField(
        required=False, help_text="Whether others see how far I have read, and what has reached me."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuses preferences that do not exist: a typing mistake should not look like success."""
        given = self.initial_data if isinstance(self.initial_data, dict) else {}
        unknown = sorted(set(given) - set(self.fields))
        if unknown:
            raise serializers.ValidationError(
                dict.fromkeys(unknown, f"No such preference; there are {', '.join(self.fields)}.")
            )
        return attrs
