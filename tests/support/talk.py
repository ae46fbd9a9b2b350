"""A person who talks with the assistant; the test is the process that answers."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING, Any

from django.db import transaction

from conversation.assistant import actions, branches, runs, shapes
from conversation.assistant.models import Run
from conversation.assistant.runs import Outcome
from conversation.assistant.schema import (
    BranchMessage,
    ContinueRun,
    Regenerate,
    SelectBranch,
    StartRun,
)
from conversation.facts import lock

if TYPE_CHECKING:
    from conversation.assistant.actions import Started


class Talk:
    """One person, in one conversation."""

    def __init__(self, room: uuid.UUID, user_id: int) -> None:
        self.room = room
        self.user_id = user_id
        self._ids = (f"r{n}" for n in itertools.count())

    def ask(self, body: str = "Why?") -> Started:
        """A run in the queue."""
        command = StartRun(body=body, client_id=next(self._ids))
        return actions.start_run(self.room, self.user_id, command)

    def end(self, started: Started, text: str = "Because.", status: str = "finished") -> Started:
        """The run has come to an end."""
        Run.objects.filter(pk=started.run["id"]).update(text=text, offset=len(text))
        with transaction.atomic():
            run = shapes.runs().get(pk=started.run["id"])
            runs.finish(lock(self.room), run, Outcome(status))
        return started

    def answered(self, body: str = "Why?", text: str = "Because.", **how: Any) -> Started:
        """A question and its answer."""
        return self.end(self.ask(body), text, **how)

    def again(self, started: Started, text: str = "Again.") -> Started:
        """Another answer to the same question."""
        message_id = uuid.UUID(started.message["id"])
        command = Regenerate(message_id=message_id, client_id=next(self._ids))
        return self.end(branches.regenerate(self.room, self.user_id, command), text)

    def otherwise(self, started: Started, body: str = "Why not?") -> Started:
        """The question asked otherwise, and its answer."""
        message_id = uuid.UUID(str(started.run["request_id"]))
        command = BranchMessage(message_id=message_id, body=body, client_id=next(self._ids))
        return self.end(branches.branch_message(self.room, self.user_id, command))

    def go_on(self, started: Started) -> Started:
        """The answer goes on, to its end."""
        return self.end(self.continued(started.run["id"]), "Half and more.")

    def continued(self, run_id: str) -> Started:
        """A run in the queue that goes on with that one's answer."""
        command = ContinueRun(run_id=uuid.UUID(run_id), client_id=next(self._ids))
        return branches.continue_run(self.room, self.user_id, command)

    def select(self, message_id: str | None) -> None:
        """Shows this one."""
        command = SelectBranch(message_id=uuid.UUID(str(message_id)))
        branches.select_branch(self.room, self.user_id, command)
