"""Tables of the assistant: runs, what they said since their last checkpoint, what they asked leave for.

A run is the making of one message by the assistant. While it runs, its text is the checkpoint in its
own row and the events after that; nobody is shown an event before it is stored here. When it has
ended, its text is the body of its message, and its events are gone.
"""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from conversation.models import CLIENT_ID_CHARS, Conversation, Message
from conversation.time_ordered import time_ordered_id


class Run(models.Model):
    """One answer of the assistant: who asked, who answers, how far it is, how it ended.

    `status` changes only by an UPDATE that names the status before, so that a run has one outcome.
    """

    class Status(models.TextChoices):
        """Queued and running ones are active; the others are outcomes and final."""

        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        CANCELLED = "cancelled"
        ERROR = "error"
        INTERRUPTED = "interrupted"

    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="run")
    # None when the question's conversation went on without it; the answer stays.
    request = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="runs", db_index=False
    )
    status = models.CharField(max_length=11, choices=Status.choices, default=Status.QUEUED)
    backend = models.CharField(max_length=16)
    model = models.CharField(max_length=200, null=True)  # noqa: DJ001  null: no model answers
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs", db_index=False
    )
    # Empty for a run that a mention has started: there the message is what is sent once.
    client_id = models.CharField(max_length=CLIENT_ID_CHARS, blank=True)
    continues = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )

    # The checkpoint: everything up to event `seq`. `offset` counts UTF-16 units, as JavaScript does.
    seq = models.BigIntegerField(default=0)
    offset = models.BigIntegerField(default=0)
    text = models.TextField(blank=True)
    parts = models.JSONField(default=list)

    # Whoever holds the lease writes; a lease that ran out says that its process is dead.
    owner = models.CharField(max_length=200, blank=True)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    usage = models.JSONField(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(status="running"),
                name="run_one_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["conversation", "started_by", "client_id"],
                condition=~models.Q(client_id=""),
                name="run_started_once",
            ),
        ]
        # Few runs are active at a time: an index of those alone costs ended ones nothing.
        indexes: ClassVar = [
            models.Index(
                fields=["conversation", "id"],
                name="run_active",
                condition=models.Q(status__in=["queued", "running"]),
            ),
            models.Index(
                fields=["started_by"],
                name="run_active_of",
                condition=models.Q(status__in=["queued", "running"]),
            ),
            models.Index(
                fields=["lease_until"],
                name="run_lease",
                condition=models.Q(status="running"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.status}"


ACTIVE = (Run.Status.QUEUED, Run.Status.RUNNING)


class RunEvent(models.Model):
    """An event of a running run that its checkpoint does not contain yet."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField()
    type = models.CharField(max_length=32)
    payload = models.TextField()  # the JSON that was told, to the byte

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "seq"], name="run_event_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.seq}: {self.type}"


class Approval(models.Model):
    """The leave that a tool call needs before it changes something. The first answer counts."""

    class State(models.TextChoices):
        """Waiting is the only one that may change."""

        WAITING = "waiting"
        APPROVED = "approved"
        DENIED = "denied"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="approvals", db_index=False)
    tool_call_id = models.CharField(max_length=200)
    name = models.CharField(max_length=100)
    title = models.CharField(max_length=200, blank=True)
    arguments = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    expires_at = models.DateTimeField()
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    answered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "tool_call_id"], name="approval_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.run_id}: {self.state}"


class Quote(models.Model):
    """A message that a tool has shown in a run: when it is deleted, the answer shows nothing of it any more."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="quotes", db_index=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")

    class Meta:
        """What the database itself guarantees."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "message"], name="quote_once"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} in {self.run_id}"
