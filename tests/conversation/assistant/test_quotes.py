"""What was deleted is gone from the answers that quote it, wherever people see them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from commsite.realtime.tools import ToolContext
from conversation import actions, export, queries
from conversation.assistant import runs, shapes
from conversation.assistant.actions import fetch_run
from conversation.assistant.conversation_tools import SearchWords, search_messages
from conversation.assistant.models import Run
from conversation.assistant.runs import Outcome
from conversation.facts import lock
from conversation.models import MessageRevision
from conversation.schema import NameMessage, SearchMessages, SendMessage
from conversation.search import search
from tests.support.convergence import replayed

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User

    from conversation.message_shape import RunShape
    from conversation.models import Conversation
    from tests.support.talk import Talk

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "the deploy key is swordfish"


class Finder:
    """A run whose tool has found something, and says it."""

    def __init__(self, room: Conversation, user: User, talk: Talk) -> None:
        self.room, self.user = room, user
        self.run_id = talk.ask("@assistant where is the deploy key?").run["id"]
        asked = ToolContext(
            user_id=user.pk,
            username=user.username,
            conversation_id=str(room.id),
            run_id=self.run_id,
            request_id=str(Run.objects.get(pk=self.run_id).request_id),
        )
        self.found = search_messages(asked, SearchWords("deploy key"))

    def begin(self) -> None:
        """It says what it found, with a tool call before that and one after it."""
        text = f"Look 🔍:\n\n{self.found}"
        parts: list[dict[str, Any]] = [
            {"type": "tool", "id": str(at), "name": "search_messages", "title": "", "offset": at,
             "arguments": {}, "status": "done", "result": self.found, "approval": None}
            for at in (0, len(text.encode("utf-16-le")) // 2)
        ]  # fmt: skip
        Run.objects.filter(pk=self.run_id).update(
            text=text, parts=parts, offset=parts[-1]["offset"]
        )

    def end(self) -> None:
        """It has said that, and ends."""
        self.begin()
        with transaction.atomic():
            run = shapes.runs().get(pk=self.run_id)
            runs.finish(lock(self.room.id), run, Outcome("finished"))

    def fetched(self) -> RunShape:
        """The run with its text."""
        return fetch_run(self.room.id, self.user.pk, uuid.UUID(self.run_id))

    def shown(self) -> list[Any]:
        """Everything that members see of the conversation, but for what they said themselves."""
        here, me = self.room.id, self.user.pk
        last = queries.last_seq(here)
        page = SearchMessages(query="swordfish")
        exported = export.Export(
            queries.membership(here, me).conversation,
            {"id": me, "username": self.user.username},
            is_member=True,
            now=self.room.created_at,
        )
        return [
            queries.newest(here, last),
            [fact.payload for fact in replayed(here, 0, last)],
            self.fetched(),
            search(here, me, page),
            exported._messages(0),
        ]


@pytest.fixture
def finder(room: Conversation, ada: User, talk: Talk) -> Finder:
    for client_id, body in (("s1", "a deploy key that may stay"), ("s2", SECRET)):
        actions.send_message(room.id, ada.pk, SendMessage(body=body, client_id=client_id))
    return Finder(room, ada, talk)


def delete(finder: Finder) -> None:
    (said,) = [
        each
        for each in queries.newest(finder.room.id, queries.last_seq(finder.room.id))
        if each["body"] == SECRET
    ]
    name = NameMessage(message_id=uuid.UUID(said["id"]))
    actions.delete_message(finder.room.id, finder.user.pk, name)


def test_a_deleted_message_is_gone_from_the_answers_that_quote_it(finder: Finder) -> None:
    finder.end()
    assert "swordfish" in json.dumps(finder.shown())

    delete(finder)

    assert "swordfish" not in json.dumps(finder.shown())
    run = finder.fetched()
    assert "that may stay" in run["text"]
    assert [part["offset"] for part in run["parts"]] == [0, run["offset"]]
    assert run["offset"] == len(run["text"].encode("utf-16-le")) // 2
    assert MessageRevision.objects.filter(message__run=uuid.UUID(run["id"])).count() == 1


def test_what_is_deleted_while_the_answer_is_written_is_not_in_the_end(finder: Finder) -> None:
    delete(finder)

    finder.end()

    assert "swordfish" not in json.dumps(finder.shown())
    assert "that may stay" in json.dumps(finder.shown())


def test_what_is_deleted_while_the_answer_is_written_is_not_in_what_a_joiner_gets(
    finder: Finder,
) -> None:
    finder.begin()
    delete(finder)

    (run,) = shapes.active_shapes(finder.room.id)
    (event,) = [each for each in run["parts"] if each["offset"] == 0]
    (message,) = [
        each["run"]
        for each in queries.newest(finder.room.id, queries.last_seq(finder.room.id))
        if each["run"] is not None
    ]
    for read in (run, finder.fetched(), message):
        assert "swordfish" not in json.dumps(read)
    assert "that may stay" in (event["result"] or "")
    assert "that may stay" in run["text"]
    assert run["offset"] == len(run["text"].encode("utf-16-le")) // 2


@pytest.mark.parametrize("words", ["deploy key 🔑🔑🔑", "deploy key", "swordfish", "x", ""])
def test_what_covers_a_deleted_line_is_as_long_as_it(finder: Finder, words: str) -> None:
    before, after = finder.found.split(SECRET)
    text = f"Look 🔍:\n\n{before}{words}{after}\n"
    Run.objects.filter(pk=finder.run_id).update(text=text)
    part = {"type": "tool", "id": "1", "result": "", "offset": 0}
    Run.objects.filter(pk=finder.run_id).update(parts=[part])

    delete(finder)

    shown = finder.fetched()["text"]
    length = len(words.encode("utf-16-le")) // 2
    said = "(deleted)" if length >= len("(deleted)") else "…" if length else ""
    assert shown == f"Look 🔍:\n\n{before}{said.ljust(length)}{after}\n"


def test_an_answer_that_goes_on_quotes_what_it_began_with(
    finder: Finder, talk: Talk, room: Conversation
) -> None:
    finder.end()
    Run.objects.filter(pk=finder.run_id).update(status="interrupted")
    more = talk.continued(finder.run_id)
    run = Run.objects.get(pk=more.run["id"])
    with transaction.atomic():
        runs.finish(lock(room.id), run, Outcome("finished"))

    delete(finder)

    told = queries.message(room.id, finder.user.pk, uuid.UUID(more.message["id"]))
    assert "that may stay" in told["body"]
    assert "swordfish" not in json.dumps(told)


def test_deleting_what_an_answer_quotes_converges(converges: Callable, finder: Finder) -> None:
    finder.end()

    converges(lambda: delete(finder))
