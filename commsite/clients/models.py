"""Tables of clients: their sessions, tickets, preferences, revocations and live connections.

No credential is stored: of a refresh token only the id that is current, of a ticket only a digest.
"""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class ClientSession(models.Model):
    """A device or program that someone logged in with; all its tokens and sockets end with it."""

    class Kind(models.TextChoices):
        """How the client shows who it is."""

        BROWSER = "browser", "browser (cookie)"
        TOKEN = "token", "program (tokens)"

    class Ended(models.TextChoices):
        """Why a session was revoked."""

        LOGOUT = "logout", "logged out"
        REVOKED = "revoked", "revoked by the user"
        ADMIN = "admin", "revoked by an administrator"
        REFRESH_REUSED = "refresh_reused", "a used refresh token came back"
        PASSWORD_CHANGED = "password_changed", "the password was changed"
        DEACTIVATED = "deactivated", "the account was deactivated"
        DELETED = "deleted", "the account was deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="client_sessions"
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_reason = models.CharField(
        max_length=20, choices=Ended.choices, blank=True, editable=False
    )
    # The id of the one refresh token that is good; any other of this session was used before.
    refresh_id = models.CharField(max_length=32, blank=True, editable=False)
    # When it last proved itself after its beginning: by a refresh, or by another login.
    refreshed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        """Listed newest first, per user."""

        indexes: ClassVar = [models.Index(fields=["user", "-created_at"])]
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"

    @property
    def is_revoked(self) -> bool:
        """True once it has ended; it never comes back."""
        return self.revoked_at is not None


class TokenVersion(models.Model):
    """The version a user's tokens must have: one step up ends everything issued before."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="token_version",
    )
    version = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"version {self.version} of {self.user}"


class Revocation(models.Model):
    """A note to every process, kept for as long as a token issued before it may still be shown.

    Ids instead of foreign keys: the note must outlive a deleted user. Either `session_id` is set,
    or `user_id` with the lowest `version` that is still good.
    """

    session_id = models.UUIDField(null=True, editable=False)
    user_id = models.BigIntegerField(null=True, editable=False)
    version = models.BigIntegerField(default=0, editable=False)
    reason = models.CharField(max_length=20, choices=ClientSession.Ended.choices, editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        subject = f"session {self.session_id}" if self.session_id else f"user {self.user_id}"
        return f"{subject}: {self.get_reason_display()}"


class Ticket(models.Model):
    """A one-use socket ticket that was not used yet."""

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    session = models.ForeignKey(ClientSession, on_delete=models.CASCADE, related_name="tickets")
    origin = models.CharField(max_length=300, blank=True)
    expires_at = models.DateTimeField(db_index=True)
    # A ticket gives no more time than the credential it was bought with.
    identity_expires_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"ticket for {self.session}"


class Preferences(models.Model):
    """What a user set, as JSON; `commsite.clients.schema` says what there is and the defaults."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="preferences",
    )
    values = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        """One row is all of one user's."""

        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user}"


class Node(models.Model):
    """A server process that writes live connections; dead once `seen_at` is past the lease."""

    id = models.CharField(max_length=120, primary_key=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    # Its limits, and how often each was reached since it started.
    report = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.id


class Connection(models.Model):
    """A live socket as its process last described it, a few seconds ago at most."""

    id = models.CharField(max_length=64, primary_key=True)
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="connections")
    # Written a few seconds late: a user or a session may be gone by then, and that is no error.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="connections",
        db_constraint=False,
    )
    session = models.ForeignKey(
        ClientSession,
        on_delete=models.CASCADE,
        related_name="connections",
        db_constraint=False,
        null=True,
    )
    address = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    since = models.DateTimeField()
    topics = models.JSONField(default=list)
    bytes_waiting = models.PositiveBigIntegerField(default=0)
    rtt_ms = models.FloatField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        """Newest first."""

        verbose_name = "live connection"
        ordering: ClassVar = ["-since"]

    def __str__(self) -> str:
        return self.id
