"""Pages about oneself: login, logout, account. And the frame that every page is rendered in."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, ParamSpec, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import BACKEND_SESSION_KEY, login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from commsite.clients import actions, queries
from commsite.clients.backends import DEMO_PASSWORD
from commsite.clients.models import ClientSession
from commsite.clients.schema import PreferencesShape
from commsite.clients.sessions import CLIENT_SESSION_KEY

THEME_COOKIE = "theme"
ZONE_COOKIE = "zone"
YEAR_S = 365 * 86_400
DEMO_LOGINS = ("ada", "grace", "linus")
HUES = 8

P = ParamSpec("P")


# --- The frame -----------------------------------------------------------------------------------
def user_of(request: HttpRequest) -> User:
    """The user of a request that has passed `private`."""
    return cast("User", request.user)


def private(view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """A page for whoever is logged in; browsers and proxies keep no copy of it."""
    return cast("Callable[P, HttpResponse]", login_required(never_cache(cast("Any", view))))


def hue_of(number: int) -> int:
    """The colour of an avatar, always the same for the same id; the front end knows it too."""
    return number % HUES


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """The template with the reader's preferences, its times in the reader's zone."""
    preferences = queries.preferences_of(user_of(request).pk)
    with timezone.override(zone_of(request)):
        return render(
            request, template, {**(context or {}), "preferences": preferences}, status=status
        )


def zone_of(request: HttpRequest) -> ZoneInfo | None:
    """The zone that the reader's browser told us; None (the site's own) when it told none."""
    try:
        return ZoneInfo(request.COOKIES[ZONE_COOKIE])
    except (KeyError, ValueError, OSError, ZoneInfoNotFoundError):
        return None


# --- In and out ----------------------------------------------------------------------------------
class Login(LoginView):
    """Opens a session by cookie; a lock-out after too many failures answers in its place."""

    template_name = "clients/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the demo's logins where they are allowed."""
        demo = DEMO_LOGINS if settings.ARE_DEMO_PASSWORDS_ALLOWED else ()
        return super().get_context_data(
            **kwargs, demo_logins=demo, demo_password=DEMO_PASSWORD, next=self.get_redirect_url()
        )


# --- The account ---------------------------------------------------------------------------------
@require_GET
@private
def account(request: HttpRequest) -> HttpResponse:
    """Devices, preferences, password."""
    return _account(request, PasswordChangeForm(user_of(request)))


def _account(
    request: HttpRequest, password_form: PasswordChangeForm, *, status: int = 200
) -> HttpResponse:
    current = request.session.get(CLIENT_SESSION_KEY)
    devices = list(queries.live_sessions(user_of(request)))
    devices.sort(key=lambda device: str(device.id) != current)
    values = queries.preferences_of(user_of(request).pk)
    return page(
        request,
        "clients/account.html",
        {
            "section": "account",
            "hue": hue_of(user_of(request).pk),
            "devices": devices,
            "current_device": current,
            "preference_choices": _choices(PREFERENCES, values),
            "privacy_choices": _choices(PRIVACY, values),
            "password_form": password_form,
        },
        status=status,
    )


class Choice(NamedTuple):
    """A preference as the account page offers it."""

    label: str
    options: Mapping[str, str]
    hint: str = ""


PREFERENCES = {
    "theme": Choice("Theme", {"system": "As the system", "light": "Light", "dark": "Dark"}),
    "time_format": Choice(
        "Clock", {"system": "As the system", "h12": "12 hours", "h23": "24 hours"}
    ),
    "send_with": Choice("Send messages with", {"enter": "Enter", "ctrl_enter": "Ctrl + Enter"}),
}
PRIVACY = {
    "visibility": Choice(
        "Who sees that you are online",
        {"everyone": "Everyone here", "nobody": "Nobody: appear offline"},
        "Members of a conversation always see you in it while you have it open.",
    ),
    "last_seen": Choice(
        "When you were last here",
        {"on": "Show it to others", "off": "Keep no record"},
        "Without a record nothing is stored, and what was stored is deleted at once.",
    ),
    "share_receipts": Choice(
        "How far you have read", {"true": "Show it to others", "false": "Keep it to yourself"}
    ),
}


def _choices(offered: Mapping[str, Choice], values: Mapping[str, object]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": choice.label,
            "hint": choice.hint,
            "options": [
                {"value": value, "label": label, "is_chosen": _as_text(values[name]) == value}
                for value, label in choice.options.items()
            ],
        }
        for name, choice in offered.items()
    ]


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@require_POST
@private
def set_preferences(request: HttpRequest) -> HttpResponse:
    """Stores the preferences chosen."""
    names = PreferencesShape().get_fields()
    chosen = PreferencesShape(
        data={name: request.POST[name] for name in names if name in request.POST}
    )
    if not chosen.is_valid():
        messages.error(request, "These preferences do not exist.")
        return redirect("account")
    values = actions.set_preferences(user_of(request).pk, chosen.validated_data, is_whole=False)
    messages.success(request, "Saved.")
    response = redirect("account")
    # Pages without a user (login, errors) follow the theme of whoever was here last.
    response.set_cookie(THEME_COOKIE, str(values["theme"]), max_age=YEAR_S, samesite="Lax")
    return response


@require_POST
@private
def revoke_device(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Ends one of my sessions; what it had open closes at once."""
    device = queries.live_sessions(user_of(request)).filter(id=session_id).first()
    if device is not None:
        actions.revoke_session(device.id, ClientSession.Ended.REVOKED)
        messages.success(request, f"{device.name} is signed out.")
    return redirect("account")


@require_POST
@private
def revoke_other_devices(request: HttpRequest) -> HttpResponse:
    """Ends all my sessions but this one."""
    current = str(request.session.get(CLIENT_SESSION_KEY))
    for device in queries.live_sessions(user_of(request)).exclude(id=current):
        actions.revoke_session(device.id, ClientSession.Ended.REVOKED)
    messages.success(request, "All other devices are signed out.")
    return redirect("account")


@require_POST
@private
def change_password(request: HttpRequest) -> HttpResponse:
    """Changes the password, which signs every device out, and signs this one in again."""
    form = PasswordChangeForm(user_of(request), request.POST)
    if not form.is_valid():
        return _account(request, form, status=422)
    backend = request.session[BACKEND_SESSION_KEY]
    login(request, form.save(), backend=backend)
    messages.success(request, "Password changed. All other devices are signed out.")
    return redirect("account")


urlpatterns = [
    path("login/", Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("account/", account, name="account"),
    path("account/preferences/", set_preferences, name="set-preferences"),
    path("account/password/", change_password, name="change-password"),
    path("account/devices/others/revoke/", revoke_other_devices, name="revoke-other-devices"),
    path("account/devices/<uuid:session_id>/revoke/", revoke_device, name="revoke-device"),
]
