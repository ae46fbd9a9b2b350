"""Clients in the admin: sessions to revoke, live connections to disconnect, the rest to look at."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.timesince import timesince

from commsite.clients import actions, queries
from commsite.clients.models import (
    ClientSession,
    Connection,
    Node,
    Preferences,
    Revocation,
    Ticket,
    TokenVersion,
)


class LookedAt:
    """Rows that only the program writes: to be looked at, not edited."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds one by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody edits one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes one, except together with the user it belongs to."""
        match = request.resolver_match
        return bool(match and match.url_name and match.url_name.startswith("auth_user_"))


@admin.register(ClientSession)
class ClientSessionAdmin(LookedAt, admin.ModelAdmin[ClientSession]):
    """Devices and programs that people logged in with."""

    list_display = ("name", "user", "kind", "address", "created_at", "last_seen_at", "state")
    list_filter = ("kind", "revoked_reason")
    search_fields = ("name", "user__username", "address")
    list_select_related = ("user",)
    date_hierarchy = "created_at"
    exclude = ("refresh_id",)
    actions = ("revoke",)

    @admin.display(description="state")
    def state(self, session: ClientSession) -> str:
        """Alive, or why it ended."""
        return session.get_revoked_reason_display() if session.is_revoked else "alive"

    @admin.action(description="Revoke: void its tokens and close its sockets", permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ClientSession]) -> None:
        """Ends the chosen sessions in every process."""
        reason = ClientSession.Ended.ADMIN
        ended = sum(actions.revoke_session(session.id, reason) for session in queryset)
        self.message_user(request, f"{ended} sessions revoked.", messages.SUCCESS)


@admin.register(Connection)
class ConnectionAdmin(LookedAt, admin.ModelAdmin[Connection]):
    """Live sockets of all processes, a few seconds old."""

    list_display = (
        "user",
        "client",
        "address",
        "connected",
        "topic_count",
        "bytes_waiting",
        "rtt_ms",
        "node",
        "id",
    )
    list_filter = ("node",)
    search_fields = ("id", "user__username", "address")
    list_select_related = ("user", "session", "node")
    list_display_links = ("id",)
    actions = ("disconnect",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        """Only what processes that are alive have written."""
        return super().get_queryset(request) & queries.live_connections()

    @admin.display(description="client", ordering="session__name")
    def client(self, connection: Connection) -> str:
        """The client session's name, once it is known."""
        return connection.session.name if connection.session else "-"

    @admin.display(description="connected for", ordering="-since")
    def connected(self, connection: Connection) -> str:
        """How long it has been open."""
        return timesince(connection.since, timezone.now())

    @admin.display(description="topics")
    def topic_count(self, connection: Connection) -> int:
        """How many topics it has joined; the row's own page lists them."""
        return len(connection.topics)

    @admin.action(description="Disconnect: close the socket (1001)", permissions=["view"])
    def disconnect(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        """Closes the chosen sockets, in whichever process they are; their clients may return."""
        for connection in queryset:
            actions.disconnect_connection(connection.id)
        self.message_user(request, f"{len(queryset)} sockets are being closed.", messages.SUCCESS)


@admin.register(Node)
class NodeAdmin(LookedAt, admin.ModelAdmin[Node]):
    """Server processes: when they last wrote, their limits, and how often each was reached."""

    list_display = ("id", "started_at", "seen_at", "sockets", "refused")
    fields = ("id", "started_at", "seen_at", "sockets", "counted", "limits")
    readonly_fields = fields

    @admin.display(description="sockets")
    def sockets(self, node: Node) -> int:
        """Open now."""
        return int(node.report.get("sockets", 0))

    @admin.display(description="refusals and closes since it started")
    def refused(self, node: Node) -> int:
        """All that a limit has cost somebody."""
        return sum(node.report.get("counted", {}).values())

    @admin.display(description="counted since it started")
    def counted(self, node: Node) -> str:
        """Each kind of refusal with its number."""
        return _lines(node.report.get("counted", {}))

    @admin.display(description="limits")
    def limits(self, node: Node) -> str:
        """The limits in force."""
        return _lines(node.report.get("limits", {}))


def _lines(values: Mapping[str, Any]) -> str:
    return format_html_join(mark_safe("<br>"), "{}: {}", sorted(values.items())) or "-"


@admin.register(Preferences)
class PreferencesAdmin(LookedAt, admin.ModelAdmin[Preferences]):
    """What people set."""

    list_display = ("user", "values", "updated_at")
    search_fields = ("user__username",)
    list_select_related = ("user",)


@admin.register(Revocation)
class RevocationAdmin(LookedAt, admin.ModelAdmin[Revocation]):
    """What was revoked lately."""

    list_display = ("created_at", "reason", "user_name", "session_id", "version")
    list_filter = ("reason",)

    @admin.display(description="user")
    def user_name(self, row: Revocation) -> str:
        """The user's name while there is such a user."""
        user = User.objects.filter(pk=row.user_id).first() if row.user_id else None
        return str(user or row.user_id or "-")


@admin.register(Ticket)
class TicketAdmin(LookedAt, admin.ModelAdmin[Ticket]):
    """Tickets not used yet. What opens a socket is not stored, so it cannot be shown."""

    list_display = ("session", "origin", "expires_at")
    list_display_links = None
    list_select_related = ("session", "session__user")
    exclude = ("digest",)


@admin.register(TokenVersion)
class TokenVersionAdmin(LookedAt, admin.ModelAdmin[TokenVersion]):
    """The version that each user's tokens must have."""

    list_display = ("user", "version")
    search_fields = ("user__username",)
    list_select_related = ("user",)
