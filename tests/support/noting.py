"""A Django app with a tool that changes something: for sites of tests, which name it in their settings."""

from uuid import UUID

import msgspec
from django.apps import AppConfig

from commsite.realtime import tools
from commsite.realtime.tools import Tool, ToolContext


class Note(msgspec.Struct):
    """What is to be noted."""

    text: str


def write(context: ToolContext, note: Note) -> str:
    """Says that it is noted; where it would be is no matter here. Members only, as with all tools."""
    from conversation import queries  # noqa: PLC0415  apps are there by now

    queries.sender(UUID(context.conversation_id), context.user_id)
    return f"{context.username} has noted: {note.text}."


class Noting(AppConfig):
    """Registers the tool, as rooms do."""

    name = "tests.support.noting"

    def ready(self) -> None:
        """Offers `/note`, which asks for permission."""
        tools.register(
            Tool(
                name="write_note",
                title="Write a note",
                description="Writes a note.",
                parameters=Note,
                run=write,
                changes_something=True,
                slash="note",
                slash_parameter="text",
            )
        )
