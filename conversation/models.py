"""Tables of a conversation: who is in it, what was said, what else happened, each in its place.

Everything that is told on the topic `conversation:<id>` has a `seq`: 1, 2, 3 ... without a gap,
given out under the lock of the conversation's row. A seq belongs either to one Message or to one
Change, so that the two tables together replay the topic. Rows of neither are deleted one by one.
"""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from conversation.time_ordered import time_ordered_id

TITLE_CHARS = 200
BODY_CHARS = 16_384
CLIENT_ID_CHARS = 64
EMOJI_CHARS = 64


class AssistantMode(models.TextChoices):
    """When the assistant answers of itself; whoever may write can always start a run."""

    OFF = "off"
    MENTION = "mention"
    ALWAYS = "always"


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
    assistant = models.CharField(
        max_length=8, choices=AssistantMode.choices, default=AssistantMode.MENTION
    )
    last_seq = models.BigIntegerField(default=0, editable=False)
    # Kept here so that a list of conversations is one query; written in the UPDATE that locks. No
    # column that every message changes has an index: PostgreSQL then updates the row in place.
    # No constraint: this is written before the message is, and SQLite would then look for it with a
    # scan of every table that refers to messages. Messages are never deleted one by one.
    last_message = models.ForeignKey(
        "Message",
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
        db_constraint=False,
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
    # What was said before is there to read, but is nothing that this member has missed.
    joined_seq = models.BigIntegerField(default=0, editable=False)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "user"], name="member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.conversation}"


class Message(models.Model):
    """What a member said, or the assistant answered: the source as it was given, and its HTML."""

    class Role(models.TextChoices):
        """Who speaks."""

        USER = "user"
        ASSISTANT = "assistant"

    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    # Both foreign keys without an index of their own: history reads by (conversation, seq), a
    # repeated send by (conversation, author, client_id); more would only slow down sending.
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    seq = models.BigIntegerField()
    role = models.CharField(max_length=9, choices=Role.choices, default=Role.USER)
    # None is the assistant, which is nobody's account.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="messages",
        db_index=False,
    )
    client_id = models.CharField(max_length=CLIENT_ID_CHARS)
    body = models.TextField(blank=True)
    html = models.TextField(blank=True, editable=False)
    mentions_assistant = models.BooleanField(default=False, editable=False)
    reply_to = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replies", db_index=False
    )
    # The first message of the thread; it carries the numbers of its replies.
    thread = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="threaded", db_index=False
    )
    reply_count = models.IntegerField(default=0, editable=False)
    last_reply_at = models.DateTimeField(null=True, editable=False)
    # Alternatives at one place of the conversation: all name the first one (itself included), and
    # the first one names the selected one. `parent` is the message that this one answers.
    parent = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="answers",
        db_index=False,
    )
    branch_of = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="branches",
        db_index=False,
    )
    selected_branch = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
    )
    revision = models.IntegerField(default=1, editable=False)
    edited_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    pinned_at = models.DateTimeField(null=True, editable=False)
    pinned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
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
            models.CheckConstraint(
                condition=models.Q(role="assistant", author=None)
                | models.Q(role="user", author__isnull=False),
                name="message_author_by_role",
            ),
        ]
        # Few messages are in any of these: indexes of those alone cost sending nothing.
        indexes: ClassVar = [
            models.Index(
                fields=["conversation", "pinned_at"],
                name="message_pinned",
                condition=models.Q(pinned_at__isnull=False),
            ),
            models.Index(
                fields=["thread", "seq"],
                name="message_threaded",
                condition=models.Q(thread__isnull=False),
            ),
            models.Index(
                fields=["parent"],
                name="message_answer",
                condition=models.Q(parent__isnull=False),
            ),
            models.Index(
                fields=["branch_of"],
                name="message_branch",
                condition=models.Q(branch_of__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.body[:60]}"


class MessageRevision(models.Model):
    """What a message said before it was edited or deleted; for admins only."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="revisions")
    revision = models.IntegerField()
    body = models.TextField()
    replaced_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    replaced_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "revision"], name="revision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} r{self.revision}"


class Mention(models.Model):
    """A member whom a message names."""

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="mentions", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mentioned_in"
    )

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "user"], name="mention_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.message_id}"


class Reaction(models.Model):
    """One member's emoji on a message."""

    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="reactions", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    emoji = models.CharField(max_length=EMOJI_CHARS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "emoji", "user"], name="reaction_once"),
        ]

    def __str__(self) -> str:
        return f"{self.emoji} on {self.message_id}"


class Attachment(models.Model):
    """A file that a member has uploaded; it belongs to a message once that names it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="attachments"
    )
    uploader = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    file = models.FileField(upload_to="attachments/")
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    content_type = models.CharField(max_length=100)
    width = models.IntegerField(null=True)
    height = models.IntegerField(null=True)
    # Where its author put it among the files of its message. The database knows what is meant where a process
    # of the version before does not say it.
    position = models.SmallIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name


class ReadMark(models.Model):
    """How far one member has got in a conversation, or in one of its threads. Only ever grows."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="read_marks", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="read_marks")
    thread = models.ForeignKey(Message, models.CASCADE, null=True, related_name="read_marks")
    # From where on a thread's replies are unread ones for this member; null: not followed.
    followed_from = models.BigIntegerField(null=True)
    delivered_seq = models.BigIntegerField(default=0)
    read_seq = models.BigIntegerField(default=0)
    read_at = models.DateTimeField(null=True)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation", "user"],
                condition=models.Q(thread=None),
                name="read_mark_once",
            ),
            models.UniqueConstraint(
                fields=["conversation", "user", "thread"],
                condition=models.Q(thread__isnull=False),
                name="thread_read_mark_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}: {self.read_seq}"


class Change(models.Model):
    """Anything but a sent message that happened to a conversation and was told to its members."""

    class Event(models.TextChoices):
        """The event under which it was told, and is told again to whoever missed it."""

        MEMBER_ADDED = "member_added"
        MEMBER_CHANGED = "member_changed"
        MEMBER_REMOVED = "member_removed"
        CONVERSATION_RENAMED = "conversation_renamed"
        CONVERSATION_CHANGED = "conversation_changed"
        MESSAGE_EDITED = "message_edited"
        MESSAGE_DELETED = "message_deleted"
        MESSAGE_COMPLETED = "message_completed"
        REACTION_ADDED = "reaction_added"
        REACTION_REMOVED = "reaction_removed"
        MESSAGE_PINNED = "message_pinned"
        MESSAGE_UNPINNED = "message_unpinned"
        BRANCH_SELECTED = "branch_selected"

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="changes", db_index=False
    )
    seq = models.BigIntegerField()
    event = models.CharField(max_length=40, choices=Event.choices)
    # What a message says is not kept here: it is told again as it is then, or not at all.
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
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
