"""Tables of a conversation: who is in it, what was said, what else happened, each in its place.

Everything that is told on the topic `conversation:<id>` has a `seq`: 1, 2, 3 ... without a gap,
given out under the lock of the conversation's row. A seq belongs either to one Message or to one
Change, so that the two tables together replay the topic. Rows of neither are deleted one by one.
"""

import os
import time
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

TITLE_CHARS = 200
BODY_CHARS = 16_384
CLIENT_ID_CHARS = 64


def time_ordered_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562 §5.7): new rows go to the end of the index, not all over it."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    bits = bits & ~(0xF << 76) | (0x7 << 76)
    return uuid.UUID(int=bits & ~(0x3 << 62) | (0x2 << 62))


class Conversation(models.Model):
    """A room of members with one sequence of facts."""

    # Random, not time-ordered: whoever knows one conversation's id learns nothing about others.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=TITLE_CHARS)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="conversations_created",
    )
    last_seq = models.BigIntegerField(default=0, editable=False)
    # Kept here so that a list of conversations is one query; written in the UPDATE that locks. No
    # column that every message changes has an index: PostgreSQL then updates the row in place.
    last_message = models.ForeignKey(
        "Message",
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
    )
    last_activity_at = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.title

    @property
    def topic(self) -> str:
        """The topic on which this conversation's facts are told."""
        return topic_of(self.id)


def topic_of(conversation_id: uuid.UUID) -> str:
    """`conversation:<uuid>` in its one canonical spelling."""
    return f"conversation:{conversation_id}"


class Member(models.Model):
    """A user's place in a conversation. Only actions add and remove: the others must be told."""

    class Role(models.TextChoices):
        """What a member may do: owners also rename, add and remove."""

        OWNER = "owner"
        MEMBER = "member"

    # The unique constraint below starts with the conversation and serves its look-ups too.
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    # An account is deactivated, not deleted: its words stay in other people's conversations.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.MEMBER)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "user"], name="member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.conversation}"


class Message(models.Model):
    """What one member said, as it was given. Clients escape it when they show it."""

    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    # Both foreign keys without an index of their own: history reads by (conversation, seq), a
    # repeated send by (conversation, author, client_id); more would only slow down sending.
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    seq = models.BigIntegerField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="messages",
        db_index=False,
    )
    client_id = models.CharField(max_length=CLIENT_ID_CHARS)
    body = models.TextField()
    reply_to = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replies"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            models.UniqueConstraint(
                fields=["conversation", "author", "client_id"], name="message_sent_once"
            ),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="message_seq_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.body[:60]}"


class Change(models.Model):
    """Anything but a sent message that happened to a conversation and was told to its members."""

    class Event(models.TextChoices):
        """The event under which it was told, and is told again to whoever missed it."""

        MEMBER_ADDED = "member_added"
        MEMBER_CHANGED = "member_changed"
        MEMBER_REMOVED = "member_removed"
        CONVERSATION_RENAMED = "conversation_renamed"

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="changes", db_index=False
    )
    seq = models.BigIntegerField()
    event = models.CharField(max_length=40, choices=Event.choices)
    payload = models.JSONField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="change_seq_once"),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="change_seq_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.event}"
