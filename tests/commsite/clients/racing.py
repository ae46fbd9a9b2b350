"""Shows one credential in several threads of one process at the same moment (`tests.support.writers`)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models exist only after setup()
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from commsite.clients import actions, tickets  # noqa: E402
from commsite.clients.models import ClientSession  # noqa: E402
from commsite.realtime.errors import PushError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable


def all_at_once(threads: int, show: Callable[[], object]) -> list[str]:
    """What each thread was answered: "won", or the reason of its refusal."""
    together = threading.Barrier(threads)

    def one(_: int) -> str:
        connection.ensure_connection()
        together.wait()
        try:
            show()
        except PushError as error:
            return error.reason
        finally:
            connection.close()
        return "won"

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(threads)))


def refresh(threads: int) -> list[str]:
    """Threads refresh one token, all of them having arrived before any was answered; the session lives on."""
    pair = actions.issue_tokens(User.objects.get(username="ada"), actions.Client())
    received_at = timezone.now()
    won: list[str] = []

    def show() -> None:
        won.append(actions.refresh_tokens(pair.refresh, received_at).refresh)

    answers = all_at_once(threads, show)
    actions.refresh_tokens(won[0], timezone.now())
    return answers


def ticket(threads: int) -> list[str]:
    """Threads redeem one ticket."""
    user, kind = User.objects.get(username="ada"), ClientSession.Kind.TOKEN
    session = actions.open_session(user, kind, actions.Client())
    text = tickets.issue(str(session.id), origin="", identity_expires_at=timezone.now())
    return all_at_once(threads, lambda: tickets.redeem(text, origin=""))


VERBS = {"refresh": refresh, "ticket": ticket}
