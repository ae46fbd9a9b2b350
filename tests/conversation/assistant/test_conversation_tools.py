"""The tools that every conversation has, on a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from commsite.realtime import tools
from commsite.realtime.errors import PushError
from commsite.realtime.tools import ToolContext
from conversation import message_actions
from conversation.assistant import conversation_tools
from conversation.assistant.conversation_tools import (
    Nothing,
    SearchWords,
    list_people,
    search_messages,
)
from conversation.models import Message
from conversation.schema import NameMessage
from presence.tracking import tracking

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.conversation.conftest import Say


def context(room: Conversation, user: User, **fields: str) -> ToolContext:
    return ToolContext(
        user_id=user.pk,
        username=user.get_username(),
        conversation_id=str(room.id),
        run_id=str(uuid4()),
        **fields,
    )


def found(room: Conversation, user: User, query: str, **fields: Any) -> list[str]:
    """The lines of what is found."""
    limit = fields.pop("limit", 10)
    text = search_messages(context(room, user, **fields), SearchWords(query, limit))
    return [line for line in text.splitlines() if line.startswith("- ")]


def test_both_are_offered_with_their_commands() -> None:
    offered = {tool.name: tool.usage() for tool in tools.tools()}

    assert offered["search_messages"] == "/search <query>"
    assert offered["list_people"] == "/who"


# ---- Search ----------------------------------------------------------------------------------------


def test_what_was_said_is_found_with_a_link_to_it(room: Conversation, ada: User, say: Say) -> None:
    said = say(ada, "The deploy key is on the server.")
    (line,) = found(room, ada, "deploy key")

    assert line.startswith("- [ada, 20")
    assert f"](/conversations/{room.id}/#message-{said['seq']}): The deploy key" in line


def test_the_newest_comes_first_and_no_more_than_asked(
    room: Conversation, ada: User, say: Say
) -> None:
    for number in range(5):
        say(ada, f"lunch {number}")

    assert [line[-1] for line in found(room, ada, "lunch", limit=2)] == ["4", "3"]
    text = search_messages(context(room, ada), SearchWords("lunch", 2))
    assert text.startswith("The newest 2 messages with lunch:")


def test_the_message_that_asks_is_not_found(room: Conversation, ada: User, say: Say) -> None:
    say(ada, "lunch at noon")
    asks = say(ada, "@assistant when is lunch?")
    (line,) = found(room, ada, "lunch", request_id=asks["id"])

    assert "noon" in line


def test_what_is_deleted_is_not_found(room: Conversation, ada: User, say: Say) -> None:
    said = say(ada, "a secret")
    message = Message.objects.get(pk=said["id"])
    message_actions.delete_message(room.id, ada.pk, NameMessage(message_id=message.id))

    assert found(room, ada, "secret") == []


def test_nothing_found_is_said(room: Conversation, ada: User) -> None:
    assert search_messages(context(room, ada), SearchWords("xy_z")) == "No message holds xy\\_z."


def test_a_stranger_finds_nothing_and_sees_nobody(room: Conversation, linus: User) -> None:
    with pytest.raises(PushError, match="not_found"):
        search_messages(context(room, linus), SearchWords("lunch"))
    with pytest.raises(PushError, match="not_found"):
        list_people(context(room, linus), Nothing())


def test_what_people_wrote_cannot_become_markup(room: Conversation, ada: User, say: Say) -> None:
    say(ada, "lunch [here](javascript:x) <b>now</b> \\`code\\` @grace")
    (line,) = found(room, ada, "lunch")

    assert line.endswith("lunch \\[here\\](javascript:x) \\<b\\>now\\</b\\> \\`code\\` \\@grace")


def test_findings_of_the_assistant_do_not_hide_what_people_said(
    room: Conversation, ada: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(ada, "lunch at noon")
    echoes = {say(ada, f"lunch {number}")["id"] for number in range(8)}
    monkeypatch.setattr(
        conversation_tools, "_is_echo", lambda message, context: message["id"] in echoes
    )

    (line,) = found(room, ada, "lunch", limit=2)
    assert "noon" in line


# ---- Who is there ----------------------------------------------------------------------------------


def test_members_are_listed_with_who_owns_the_place(room: Conversation, grace: User) -> None:
    assert list_people(context(room, grace), Nothing()).splitlines() == [
        "2 members, 0 here now:",
        "",
        "- **ada**: not here, owner",
        "- **grace**: not here",
    ]


def test_who_is_here_comes_first_with_their_liveliest_device(
    room: Conversation, ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, list[str]]] = []

    async def presence(topic: str, own_key: str, keys: Any = None) -> dict[str, Any]:
        asked.append((topic, own_key, list(keys)))
        metas = [{"activity": "away"}, {"activity": "idle"}]
        return {"topic": topic, "count": 1, "presences": {str(grace.pk): {"metas": metas}}}

    def from_here(read: Any, otherwise: Any) -> Any:
        try:
            read().send(None)
        except StopIteration as answer:
            return answer.value

    monkeypatch.setattr(tracking, "topic_presence", presence)
    monkeypatch.setattr("conversation.assistant.conversation_tools.from_thread", from_here)
    lines = list_people(context(room, ada), Nothing()).splitlines()

    assert lines[0] == "2 members, 1 here now:"
    assert lines[2:] == ["- **grace**: here, idle", "- **ada**: not here, owner"]
    assert asked == [(f"conversation:{room.id}", "", [str(ada.pk), str(grace.pk)])]
