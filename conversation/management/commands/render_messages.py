"""``manage.py render_messages``: makes the HTML of messages anew, after the renderer has changed."""

import uuid
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand

from conversation.markdown import RENDERER_VERSION, mention_names, render
from conversation.message_actions import ADDRESSES
from conversation.models import Mention, Message

BATCH = 200
REPORT_EVERY = 50


class Command(BaseCommand):
    """Goes through the messages by id, which is by time, in batches; writes only what comes out differently."""

    help = "Renders the Markdown of all messages anew. May run while the site does, and be stopped at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to go on after a run that was stopped."""
        parser.add_argument("--after", type=uuid.UUID, default=uuid.UUID(int=0))

    def handle(self, *args: Any, **options: Any) -> None:
        """Says after every so many batches how far it has got."""
        after, changed, batches = options["after"], 0, 0
        while rows := list(_messages_after(after)[:BATCH]):
            changed += render_anew(rows)
            after, batches = rows[-1].id, batches + 1
            if batches % REPORT_EVERY == 0:
                self.stdout.write(f"{changed} changed; to go on from here: --after {after}")
        self.stdout.write(f"{changed} messages changed; renderer {RENDERER_VERSION}.")


def _messages_after(after: uuid.UUID) -> Any:
    rows = Message.objects.filter(pk__gt=after, deleted_at=None).order_by("pk")
    return rows.only("id", "role", "body", "html", "revision")


def render_anew(messages: Sequence[Message]) -> int:
    """Renders these and writes what came out differently; how many. What was edited meanwhile stays as it is."""
    people: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    rows = Mention.objects.filter(message__in=[message.pk for message in messages])
    for message_id, username, user_id in rows.values_list(
        "message_id", "user__username", "user_id"
    ):
        people[message_id][username] = user_id
    changed = 0
    for message in messages:
        html = _html(message, people[message.pk]) if message.body else ""
        if html != message.html:
            same = Message.objects.filter(pk=message.pk, revision=message.revision, deleted_at=None)
            changed += same.filter(body=message.body).update(html=html)
    return changed


def _html(message: Message, people: dict[str, int]) -> str:
    if message.role == Message.Role.ASSISTANT:  # names nobody
        return render(message.body)
    known = ADDRESSES | people
    names = mention_names(message.body)
    return render(message.body, {name: known[name] for name in names if name in known})
