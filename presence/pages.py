"""The page of one's own status line. It reads and writes without a script; other pages show its form too."""

import re
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_http_methods

from commsite.clients.pages import page, private, user_of
from commsite.realtime.errors import PushError
from commsite.realtime.schema import parse
from presence import actions, queries
from presence.models import EMOJI_CHARS, STATUS_TEXT_CHARS
from presence.schema import SetStatus

NUMBER = re.compile(r"[0-9]{1,18}")
"""What Python reads as a number in no time."""
HOUR_S = 3_600
DAY_S = 24 * HOUR_S
EXPIRIES = (
    ("", "Until I clear it"),
    (HOUR_S // 2, "For 30 minutes"),
    (HOUR_S, "For 1 hour"),
    (4 * HOUR_S, "For 4 hours"),
    (DAY_S, "For a day"),
    (7 * DAY_S, "For a week"),
)
PRESETS = (
    {"emoji": "💬", "text": "In a meeting", "expires_in_s": HOUR_S},
    {"emoji": "🎧", "text": "Focusing", "expires_in_s": 4 * HOUR_S},
    {"emoji": "🍽️", "text": "At lunch", "expires_in_s": HOUR_S},
    {"emoji": "🏠", "text": "Working remotely", "expires_in_s": DAY_S},
    {"emoji": "🌴", "text": "On vacation", "expires_in_s": 7 * DAY_S},
)


def status_form(user_id: int) -> dict[str, Any]:
    """What the form of one's own status needs, wherever it stands."""
    return {
        "status": queries.status_of(user_id),
        "status_presets": PRESETS,
        "status_expiries": EXPIRIES,
        "status_chars": STATUS_TEXT_CHARS,
        "emoji_chars": EMOJI_CHARS,
    }


@require_http_methods(["GET", "POST"])
@private
def status(request: HttpRequest) -> HttpResponse:
    """The form; a POST stores or clears the line and tells whoever sees this person."""
    user_id = user_of(request).pk
    if request.method == "POST":
        try:
            actions.set_status(user_id, _chosen(request))
        except PushError as error:
            messages.error(request, error.message)
        else:
            is_cleared = "clear" in request.POST
            messages.success(request, "Status cleared." if is_cleared else "Status saved.")
        return redirect("status")
    return page(request, "presence/status.html", {"section": "account", **status_form(user_id)})


def _chosen(request: HttpRequest) -> SetStatus:
    if "clear" in request.POST:
        return SetStatus()
    expires_in_s = request.POST.get("expires_in_s", "")
    return parse(
        SetStatus,
        {
            "text": request.POST.get("text", "").strip(),
            "emoji": request.POST.get("emoji", "").strip(),
            "expires_in_s": int(expires_in_s) if NUMBER.fullmatch(expires_in_s) else None,
        },
    )


urlpatterns = [path("presence/status/", status, name="status")]
