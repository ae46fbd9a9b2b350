"""Runs in the admin: what the assistant does and did, how it ended; active ones can be stopped."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages

from conversation.assistant.actions import stop_run
from conversation.assistant.models import ACTIVE, Approval, Run

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from conversation.message_shape import Person

    _RunAdmin = admin.ModelAdmin[Run]
    _ApprovalInline = admin.TabularInline[Approval, Run]
else:
    _RunAdmin = admin.ModelAdmin
    _ApprovalInline = admin.TabularInline


class _ReadOnly:
    def has_add_permission(self, request: "HttpRequest", obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: "HttpRequest", obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: "HttpRequest", obj: Any = None) -> bool:
        return False


class ApprovalInline(_ReadOnly, _ApprovalInline):
    """What a run has asked leave for."""

    model = Approval
    fields = ("name", "arguments", "state", "answered_by", "answered_at", "expires_at")
    extra = 0


@admin.register(Run)
class RunAdmin(_ReadOnly, _RunAdmin):
    """Read and stop."""

    list_display = (
        "id",
        "status",
        "conversation",
        "started_by",
        "backend",
        "model",
        "offset",
        "error_code",
        "owner",
        "lease_until",
        "created_at",
        "ended_at",
    )
    list_select_related = ("conversation", "started_by")
    list_filter = ("status", "backend", "error_code")
    search_fields = ("=id", "=conversation__id", "=started_by__username")
    ordering = ("-id",)  # of version 7: the newest first, by the primary key's own index
    exclude = ("text", "lease")
    inlines = (ApprovalInline,)
    actions = ("stop",)
    show_full_result_count = False

    def has_stop_permission(self, request: "HttpRequest") -> bool:
        """Whoever may change runs, were they anything to change, may stop them."""
        return request.user.has_perm("assistant.change_run")

    @admin.action(description="Stop the selected runs", permissions=["stop"])
    def stop(self, request: "HttpRequest", queryset: "QuerySet[Run]") -> None:
        """Stops those that are active; readers are told who did."""
        by: Person = {"id": int(request.user.pk or 0), "username": request.user.get_username()}
        stopped = 0
        for run in queryset.filter(status__in=ACTIVE):
            verdict = stop_run(run, by=by)
            stopped += verdict["verdict"] != "already_finished"
        self.message_user(request, f"{stopped} stopped.", messages.SUCCESS)
