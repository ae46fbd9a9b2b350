"""Turns what Django's accounts do into client sessions and revocations.

A queryset's `update()` and `raw` SQL send no signals: who changes accounts that way calls
`actions.revoke_user` too.
"""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_save, pre_delete, pre_save
from django.dispatch import receiver
from django.http import HttpRequest

from commsite.clients import actions
from commsite.clients.models import ClientSession
from commsite.clients.sessions import CLIENT_SESSION_KEY

Ended = ClientSession.Ended
_WATCHED = frozenset({"password", "is_active"})


@receiver(user_logged_in)
def open_client_session(
    sender: object, request: HttpRequest | None, user: User, **kwargs: object
) -> None:
    """A login by cookie gets its client session; a second login in the same browser keeps it."""
    if request is None or not hasattr(request, "session"):
        return
    known = request.session.get(CLIENT_SESSION_KEY)
    if known and actions.prove_session(known, user):
        return
    session = actions.open_session(user, ClientSession.Kind.BROWSER, actions.client_of(request))
    request.session[CLIENT_SESSION_KEY] = str(session.id)


@receiver(user_logged_out)
def close_client_session(sender: object, request: HttpRequest | None, **kwargs: object) -> None:
    """A logout ends the client session, and with it the browser's sockets."""
    if request is None or not hasattr(request, "session"):
        return
    session_id = request.session.get(CLIENT_SESSION_KEY)
    if session_id:
        actions.revoke_session(session_id, Ended.LOGOUT)


@receiver(pre_save, sender=User)
def remember_what_was(
    sender: type[User],
    instance: User,
    update_fields: frozenset[str] | None = None,
    raw: bool = False,
    **kwargs: Any,
) -> None:
    """Notes what is about to change, where it can end sessions."""
    instance._ends = None  # type: ignore[attr-defined]  # noqa: SLF001
    if raw or (update_fields is not None and not _WATCHED & set(update_fields)):
        return
    before = User.objects.filter(pk=instance.pk).values("password", "is_active").first()
    if before is None:
        return
    if before["is_active"] and not instance.is_active:
        instance._ends = Ended.DEACTIVATED  # type: ignore[attr-defined]  # noqa: SLF001
    elif before["password"] != instance.password and not _is_rehash(instance, update_fields):
        instance._ends = Ended.PASSWORD_CHANGED  # type: ignore[attr-defined]  # noqa: SLF001


def _is_rehash(user: User, update_fields: frozenset[str] | None) -> bool:
    """True when a login stored the same password under a newer hasher (Django saves just that)."""
    has_new_password = getattr(user, "_password", None) is not None
    return not has_new_password and update_fields is not None and set(update_fields) == {"password"}


@receiver(post_save, sender=User)
def end_what_must_end(sender: type[User], instance: User, **kwargs: Any) -> None:
    """A changed password or a deactivated account ends everything the user is logged in with."""
    reason = getattr(instance, "_ends", None)
    if reason is not None:
        actions.revoke_user(instance.pk, reason)


@receiver(pre_delete, sender=User)
def end_what_is_deleted(sender: type[User], instance: User, **kwargs: Any) -> None:
    """A deleted user's tokens are void at once, although no row of theirs is left to say so."""
    actions.revoke_user(instance.pk, Ended.DELETED)
