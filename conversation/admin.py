"""Conversations in the admin. Whatever members must hear of goes through actions, as elsewhere.

Messages and changes are read only and nothing can be deleted but memberships: a missing seq would
be a gap in everybody's history.
"""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db import transaction

from conversation import actions
from conversation.message_shape import Person
from conversation.models import Change, Conversation, Member, Message

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest

    _ConversationAdmin = admin.ModelAdmin[Conversation]
    _MemberAdmin = admin.ModelAdmin[Member]
    _MessageAdmin = admin.ModelAdmin[Message]
    _ChangeAdmin = admin.ModelAdmin[Change]
    _ConversationForm = ModelForm[Conversation]
    _MemberForm = ModelForm[Member]
else:
    _ConversationAdmin = _MemberAdmin = _MessageAdmin = _ChangeAdmin = admin.ModelAdmin


def _actor(request: "HttpRequest") -> Person:
    return {"id": int(request.user.pk or 0), "username": request.user.get_username()}


class _Undeletable:
    def has_delete_permission(self, request: "HttpRequest", obj: object = None) -> bool:
        return False


class _ReadOnly(_Undeletable):
    def has_add_permission(self, request: "HttpRequest") -> bool:
        return False

    def has_change_permission(self, request: "HttpRequest", obj: object = None) -> bool:
        return False


@admin.register(Conversation)
class ConversationAdmin(_Undeletable, _ConversationAdmin):
    """Search and rename."""

    list_display = ("title", "id", "created_by", "last_seq", "last_activity_at", "created_at")
    list_select_related = ("created_by",)
    search_fields = ("title", "=id", "=members__user__username")
    date_hierarchy = "created_at"
    ordering = ("-last_activity_at",)
    fields = ("id", "title", "created_by", "last_seq", "last_activity_at", "created_at")
    readonly_fields = ("id", "created_by", "last_seq", "last_activity_at", "created_at")

    def has_add_permission(self, request: "HttpRequest") -> bool:
        """A conversation without a member would be nobody's: people open them, not the admin."""
        return False

    def save_model(
        self, request: "HttpRequest", obj: Conversation, form: "_ConversationForm", change: bool
    ) -> None:
        """Renames, and tells the members."""
        if "title" not in form.changed_data:
            return
        with transaction.atomic():
            actions.do_rename(actions.lock(obj.pk), obj.title, by=_actor(request))


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


@admin.register(Message)
class MessageAdmin(_ReadOnly, _MessageAdmin):
    """Read and search what was said."""

    list_display = ("conversation", "seq", "author", "body", "created_at")
    list_select_related = ("conversation", "author")
    search_fields = ("body", "=author__username", "=conversation__id", "=client_id")
    raw_id_fields = ("conversation", "author", "reply_to")
    readonly_fields = ("seq", "created_at")
    ordering = ("-id",)  # of version 7: the newest first, by the primary key's own index
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
