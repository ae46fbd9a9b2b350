"""A process of its own in which several threads show one credential at the same moment.

`python -m tests.commsite.clients.racing refresh|ticket <threads>` prints what each was answered:
["won", ...] or a reason; for `refresh` also whether the session lived on.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import django
from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable


def all_at_once(threads: int, show: Callable[[], object]) -> list[str]:
    """What each thread was answered: "won", or the reason of its refusal."""
    from commsite.realtime.errors import PushError  # noqa: PLC0415 - needs settings

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


def refresh(threads: int) -> dict[str, object]:
    """Threads refresh one token, all of them having arrived before any was answered."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - models exist only after setup()
    from django.utils import timezone  # noqa: PLC0415

    from commsite.clients import actions  # noqa: PLC0415

    pair = actions.issue_tokens(User.objects.get(username="ada"), actions.Client())
    received_at = timezone.now()
    won: list[str] = []

    def show() -> None:
        won.append(actions.refresh_tokens(pair.refresh, received_at).refresh)

    answers = all_at_once(threads, show)
    actions.refresh_tokens(won[0], timezone.now())
    return {"answers": answers}


def ticket(threads: int) -> dict[str, object]:
    """Threads redeem one ticket."""
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from commsite.clients import actions, tickets  # noqa: PLC0415
    from commsite.clients.models import ClientSession  # noqa: PLC0415

    user, kind = User.objects.get(username="ada"), ClientSession.Kind.TOKEN
    session = actions.open_session(user, kind, actions.Client())
    text = tickets.issue(str(session.id), origin="", identity_expires_at=timezone.now())
    return {"answers": all_at_once(threads, lambda: tickets.redeem(text, origin=""))}


if __name__ == "__main__":
    django.setup()
    json.dump({"refresh": refresh, "ticket": ticket}[sys.argv[1]](int(sys.argv[2])), sys.stdout)
