"""``manage.py seed``: people and a conversation to try the site with. Development only."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from commsite.clients.backends import DEMO_PASSWORD
from conversation import actions
from conversation.models import Conversation, Message
from conversation.schema import CreateConversation, SendMessage

PEOPLE = {
    "ada": ("Ada", "Lovelace"),
    "grace": ("Grace", "Hopper"),
    "linus": ("Linus", "Torvalds"),
}
TITLE = "Demo"
# (author, hours ago, body, index of the message it replies to)
TALK: tuple[tuple[str, float, str, int | None], ...] = (
    ("ada", 26.0, "Welcome! This conversation is here to try things out.", None),
    ("grace", 25.9, "Hello Ada. Does a message really show up the moment you send it?", None),
    ("ada", 25.8, "It does. Log in as someone else in a second browser and watch.", 1),
    ("linus", 3.5, "I was on a train, offline for twenty minutes. Nothing is missing.", None),
    ("grace", 3.4, "And nothing twice? That was always the hard part.", 3),
    ("linus", 3.3, "Nothing twice. I checked the numbers: one, two, three, without a gap.", 4),
    ("ada", 0.5, "Then let us break it properly. Pull a cable, kill a server, reload.", None),
)


class Command(BaseCommand):
    """Makes the demo users and their conversation; what exists already is left alone."""

    help = "Creates the demo users (ada, grace, linus, admin) and a conversation. Development only."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seeds in one transaction. Raises CommandError in production: the password is public."""
        if not settings.ARE_DEMO_PASSWORDS_ALLOWED:
            raise CommandError("The demo users have a published password: not with DEBUG=0.")
        with transaction.atomic():
            people = {name: _person(name) for name in PEOPLE}
            _administrator()
            if not Conversation.objects.filter(created_by=people["ada"]).exists():
                _talk(people)
        self.stdout.write(
            f"Log in as {', '.join(PEOPLE)} or admin, each with the password {DEMO_PASSWORD}."
        )


def _person(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is not None:
        return found
    first_name, last_name = PEOPLE[username]
    return User.objects.create_user(
        username,
        f"{username}@example.org",
        DEMO_PASSWORD,
        first_name=first_name,
        last_name=last_name,
    )


def _administrator() -> None:
    if not User.objects.filter(username="admin").exists():
        User.objects.create_superuser("admin", "admin@example.org", DEMO_PASSWORD)


def _talk(people: dict[str, User]) -> None:
    now = timezone.now()
    owner, *others = people
    created = actions.create_conversation(
        people[owner].pk, CreateConversation(title=TITLE, members=others)
    )
    conversation_id = uuid.UUID(str(created["id"]))
    ids: list[uuid.UUID] = []
    for number, (author, hours_ago, body, replies_to) in enumerate(TALK, 1):
        command = SendMessage(
            body=body,
            client_id=f"seed-{number}",
            reply_to=None if replies_to is None else ids[replies_to],
        )
        sent = actions.send_message(conversation_id, people[author].pk, command)
        ids.append(uuid.UUID(str(sent.message["id"])))
        # They were said over two days, so that the page has a day to separate.
        Message.objects.filter(pk=ids[-1]).update(created_at=now - timedelta(hours=hours_ago))
