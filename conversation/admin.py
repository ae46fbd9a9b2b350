"""Conversations in the admin. Whatever members must hear of goes through actions, as elsewhere.

Messages and changes are read only and nothing can be deleted but memberships: a missing seq would
be a gap in everybody's history.
"""

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db import transaction

from commsite.realtime.errors import PushError
from conversation import actions, export, queries
from conversation.message_shape import Person
from conversation.models import (
    Attachment,
    Change,
    Conversation,
    Member,
    Message,
    MessageRevision,
    Reaction,
    ReadMark,
)

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest, HttpResponseBase

    _ConversationAdmin = admin.ModelAdmin[Conversation]
    _RevisionInline = admin.TabularInline[MessageRevision, Message]
    _AttachmentAdmin = admin.ModelAdmin[Attachment]
    _ReactionInline = admin.TabularInline[Reaction, Message]
    _FileInline = admin.TabularInline[Attachment, Message]
    _MemberAdmin = admin.ModelAdmin[Member]
    _MessageAdmin = admin.ModelAdmin[Message]
    _ChangeAdmin = admin.ModelAdmin[Change]
    _ReadMarkAdmin = admin.ModelAdmin[ReadMark]
    _ConversationForm = ModelForm[Conversation]
    _MemberForm = ModelForm[Member]
else:
    _ConversationAdmin = _MemberAdmin = _MessageAdmin = _ChangeAdmin = admin.ModelAdmin
    _ReadMarkAdmin = _AttachmentAdmin = admin.ModelAdmin
    _RevisionInline = _ReactionInline = _FileInline = admin.TabularInline


def _actor(request: "HttpRequest") -> Person:
    return {"id": int(request.user.pk or 0), "username": request.user.get_username()}


class _Undeletable:
    def has_delete_permission(self, request: "HttpRequest", obj: object = None) -> bool:
        return False


class _ReadOnly(_Undeletable):
    def has_add_permission(self, request: "HttpRequest", obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: "HttpRequest", obj: object = None) -> bool:
        return False


_TOLD = ("last_seq", "last_activity_at", "created_at")


@admin.register(Conversation)
class ConversationAdmin(_Undeletable, _ConversationAdmin):
    """Search, rename, set the assistant."""

    list_display = ("title", "id", "created_by", *_TOLD)
    list_select_related = ("created_by",)
    search_fields = ("title", "=id", "=members__user__username")
    actions = ("export",)
    date_hierarchy = "created_at"
    ordering = ("-last_activity_at",)
    fields = ("id", "title", "assistant", "created_by", *_TOLD)
    readonly_fields = ("id", "created_by", *_TOLD)

    @admin.action(description="Download as JSON", permissions=["view"])
    def export(
        self, request: "HttpRequest", queryset: "QuerySet[Conversation]"
    ) -> "HttpResponseBase | None":
        """Everything that was said in one conversation; the log of the admin keeps who had it."""
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, "Choose one conversation.", messages.WARNING)
            return None
        try:
            document = export.answer(chosen[0], _actor(request), is_member=False)
        except PushError as refused:
            self.message_user(request, refused.message, messages.WARNING)
            return None
        self.log_change(request, chosen[0], "Downloaded.")
        return document

    def has_add_permission(self, request: "HttpRequest") -> bool:
        """A conversation without a member would be nobody's: people open them, not the admin."""
        return False

    def save_model(
        self, request: "HttpRequest", obj: Conversation, form: "_ConversationForm", change: bool
    ) -> None:
        """Changes what was changed, and tells the members."""
        with transaction.atomic():
            conversation = actions.lock(obj.pk)
            if "title" in form.changed_data:
                actions.do_rename(conversation, obj.title, by=_actor(request))
            if "assistant" in form.changed_data:
                actions.do_set_assistant(conversation, obj.assistant, by=_actor(request))


@admin.register(Member)
class MemberAdmin(_MemberAdmin):
    """Add and remove members; the others are told and a removed member's sockets lose the topic."""

    list_display = ("user", "conversation", "role", "joined_at")
    list_select_related = ("user", "conversation")
    list_filter = ("role",)
    search_fields = ("=user__username", "conversation__title", "=conversation__id")
    raw_id_fields = ("conversation", "user")
    readonly_fields = ("joined_at",)

    def has_change_permission(self, request: "HttpRequest", obj: Member | None = None) -> bool:
        """A membership is added or removed, never pointed at someone else."""
        return False

    def save_model(
        self, request: "HttpRequest", obj: Member, form: "_MemberForm", change: bool
    ) -> None:
        """Adds the member."""
        with transaction.atomic():
            conversation = actions.lock(obj.conversation_id)
            added = actions.do_add_member(conversation, obj.user, obj.role, by=_actor(request))
        obj.pk = added.pk

    def delete_model(self, request: "HttpRequest", obj: Member) -> None:
        """Removes the member."""
        with transaction.atomic():
            conversation = actions.lock(obj.conversation_id)
            # Read again: another's leaving may have made an owner of this one.
            member = Member.objects.select_related("user").filter(pk=obj.pk).first()
            if member is not None:
                actions.do_remove_member(conversation, member, by=_actor(request))

    def delete_queryset(self, request: "HttpRequest", queryset: "QuerySet[Member]") -> None:
        """Removes each of the members."""
        for member in queryset:
            self.delete_model(request, member)


class _RevisionsOfMessage(_ReadOnly, _RevisionInline):
    """What it said before: the only place where deleted words are still shown."""

    model = MessageRevision
    fields = ("revision", "body", "replaced_by", "replaced_at")
    readonly_fields = fields
    ordering = ("revision",)
    extra = 0


class _ReactionsToMessage(_ReadOnly, _ReactionInline):
    model = Reaction
    fields = ("emoji", "user", "created_at")
    readonly_fields = fields
    extra = 0


class _FilesOfMessage(_ReadOnly, _FileInline):
    model = Attachment
    fields = ("name", "content_type", "size", "uploader", "created_at")
    readonly_fields = fields
    extra = 0


@admin.register(Message)
class MessageAdmin(_ReadOnly, _MessageAdmin):
    """Read and search what was said, also what was edited or deleted."""

    list_display = ("conversation", "seq", "author", "body", "state", "created_at")
    list_select_related = ("conversation", "author")
    list_filter = (
        "role",
        ("deleted_at", admin.EmptyFieldListFilter),
        ("edited_at", admin.EmptyFieldListFilter),
        ("pinned_at", admin.EmptyFieldListFilter),
    )
    search_fields = (
        *("body", "revisions__body", "=author__username", "=conversation__id", "=client_id"),
    )
    raw_id_fields = ("conversation", "author", "reply_to")
    readonly_fields = ("seq", "created_at")
    actions = ("delete_for_everybody",)
    inlines = (_RevisionsOfMessage, _ReactionsToMessage, _FilesOfMessage)
    ordering = ("-id",)  # of version 7: the newest first, by the primary key's own index
    show_full_result_count = False

    @admin.action(description="Delete for everybody (admins still read it here)")
    def delete_for_everybody(self, request: "HttpRequest", queryset: "QuerySet[Message]") -> None:
        """Leaves of each its place, and tells the members."""
        for chosen in queryset.filter(deleted_at=None):
            try:
                with transaction.atomic():
                    conversation = actions.lock(chosen.conversation_id)
                    message = queries.find(conversation.id, chosen.pk)
                    if message.deleted_at is None:
                        actions.do_delete_message(conversation, message, by=_actor(request))
            except PushError as error:
                self.message_user(request, f"{chosen}: {error.message}", messages.ERROR)

    @admin.display(description="state")
    def state(self, message: Message) -> str:
        """What became of it."""
        marks = {
            "deleted": message.deleted_at,
            "edited": message.edited_at,
            "pinned": message.pinned_at,
            "in a thread": message.thread_id,
        }
        return ", ".join(mark for mark, value in marks.items() if value)


@admin.register(Attachment)
class AttachmentAdmin(_ReadOnly, _AttachmentAdmin):
    """See who has uploaded what, and what waits to be sent."""

    list_display = ("name", "content_type", "size", "uploader", "conversation", "created_at")
    list_select_related = ("uploader", "conversation")
    list_filter = (("message", admin.EmptyFieldListFilter), "content_type")
    search_fields = ("name", "=uploader__username", "=conversation__id")
    raw_id_fields = ("conversation", "message", "uploader")
    exclude = ("file",)  # where it is kept is nobody's address
    readonly_fields = ("created_at",)
    ordering = ("-created_at",)
    show_full_result_count = False


@admin.register(Change)
class ChangeAdmin(_ReadOnly, _ChangeAdmin):
    """Read what else happened."""

    list_display = ("conversation", "seq", "event", "actor", "created_at")
    list_select_related = ("conversation", "actor")
    list_filter = ("event",)
    search_fields = ("=conversation__id", "=actor__username")
    raw_id_fields = ("conversation", "actor")
    readonly_fields = ("seq", "created_at")
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(ReadMark)
class ReadMarkAdmin(_ReadOnly, _ReadMarkAdmin):
    """See how far members have got; also those who show it to nobody else."""

    list_display = (
        "conversation",
        "user",
        "thread",
        "delivered_seq",
        "read_seq",
        "last_seq",
        "read_at",
    )
    list_select_related = ("conversation", "user", "thread")
    list_filter = (("thread", admin.EmptyFieldListFilter),)
    search_fields = ("=conversation__id", "=user__username")
    raw_id_fields = ("conversation", "user", "thread")
    ordering = ("-id",)
    show_full_result_count = False

    @admin.display(ordering="conversation__last_seq")
    def last_seq(self, mark: ReadMark) -> int:
        """How far one could have got."""
        return mark.conversation.last_seq
