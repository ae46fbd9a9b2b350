"""Presence in the admin: the tracker of each process, who is on a topic (with *untrack*), and status lines."""

from typing import TYPE_CHECKING

import msgspec
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from presence import actions
from presence.models import LastSeen, PersonStatus
from presence.schema import SetStatus
from presence.tracking import from_thread, tracking

if TYPE_CHECKING:
    from django.db.models import QuerySet

    _PersonStatusAdmin = admin.ModelAdmin[PersonStatus]
    _LastSeenAdmin = admin.ModelAdmin[LastSeen]
else:
    _PersonStatusAdmin = _LastSeenAdmin = admin.ModelAdmin


@admin.register(PersonStatus)
class PersonStatusAdmin(_PersonStatusAdmin):
    """Status lines to look at and to remove; the live tracker on a page of its own."""

    list_display = ("user", "emoji", "text", "expires_at", "set_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "text")
    change_list_template = "admin/presence/status_lines.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People set their own."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: PersonStatus | None = None) -> bool:
        """People change their own."""
        return False

    def delete_model(self, request: HttpRequest, obj: PersonStatus) -> None:
        """Clears the line, also where it is shown."""
        actions.set_status(obj.pk, SetStatus())

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[PersonStatus]") -> None:
        """Clears each of the lines."""
        for row in queryset:
            self.delete_model(request, row)

    def get_urls(self) -> list[URLPattern]:
        """The tracker's page beside the usual ones."""
        page = self.admin_site.admin_view(self.tracker)
        return [path("tracker/", page, name="presence_tracker"), *super().get_urls()]

    def tracker(self, request: HttpRequest) -> HttpResponse:
        """Replicas as each process sees them, topics, and the entries of the topic asked for."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._untrack(request)
        topic = request.GET.get("topic", "")
        entries = from_thread(lambda: tracking.people_on(topic), ()) if topic else []
        context = {
            **self.admin_site.each_context(request),
            "title": "Presence tracker",
            "nodes": from_thread(tracking.reports, {}),
            "topics": sorted(from_thread(tracking.topics, {}).items()),
            "topic": topic,
            "entries": [(entry, msgspec.json.decode(entry.meta)) for entry in entries],
            "may_untrack": self.has_delete_permission(request),
        }
        return TemplateResponse(request, "admin/presence/tracker.html", context)

    def _untrack(self, request: HttpRequest) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        topic = request.POST.get("topic", "")
        key, entry_id = request.POST.get("key", ""), request.POST.get("id", "")
        actions.untrack(topic, key, entry_id)
        messages.success(request, f"{key} will be gone from {topic} within a moment.")
        address = reverse("admin:presence_tracker", query={"topic": topic})
        return HttpResponseRedirect(address)


@admin.register(LastSeen)
class LastSeenAdmin(_LastSeenAdmin):
    """When people were last here, to look at and to remove; whoever opted out is not in it."""

    list_display = ("user", "at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    date_hierarchy = "at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The site writes it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: LastSeen | None = None) -> bool:
        """What was, was."""
        return False
