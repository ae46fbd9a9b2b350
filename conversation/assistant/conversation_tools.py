"""The tools that every conversation has: search what was said, see who is there."""

import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
from django.urls import reverse
from msgspec import Meta

from commsite.realtime import tools
from commsite.realtime.tools import Tool, ToolContext
from conversation import queries
from conversation.assistant import quotes
from conversation.message_shape import MessageShape
from conversation.models import Member, topic_of
from conversation.schema import SearchMessages
from conversation.search import Found, search
from presence.tracking import from_thread, tracking

if TYPE_CHECKING:
    from presence.schema import TopicPresence

MOST_FOUND = 20
MOST_PAGES = 5
MOST_PEOPLE = 100
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~!@])")
NOTHING_FOUND = "No message holds "
_LISTING = re.compile(rf"(?:The newest )?\d+ messages? with |{NOTHING_FOUND}")
"""How the result of a search begins: with a model too, `/search` is answered by it alone."""
_ATTENTION = {"active": "here", "idle": "here, idle", "away": "here, away"}


class SearchWords(msgspec.Struct):
    """Words to look for."""

    query: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description='Words that all occur, the last may be a beginning; "a phrase" in quotes.',
        ),
    ]
    limit: Annotated[int, Meta(ge=1, le=MOST_FOUND, description="How many, at most.")] = 10


class Nothing(msgspec.Struct):
    """No parameters."""


def register() -> None:
    """Offers them; once, when the app is ready."""
    tools.register(
        Tool(
            name="search_messages",
            title="Search messages",
            description=(
                "Searches everything that was said in this conversation, the newest first. Returns one line per "
                "message: author, time, a link to it, and an excerpt. Use it before you say that something was or "
                "was not said, and keep the links when you tell people about messages."
            ),
            parameters=SearchWords,
            run=search_messages,
            slash="search",
            slash_parameter="query",
        )
    )
    tools.register(
        Tool(
            name="list_people",
            title="See who is here",
            description="Lists the members of this conversation, and who of them is here now.",
            parameters=Nothing,
            run=list_people,
            slash="who",
        )
    )


# --- What was said -------------------------------------------------------------------------------
def search_messages(context: ToolContext, words: SearchWords) -> str:
    """What was found, one line per message. The message that asks, and what only lists findings, is left out."""
    conversation_id = uuid.UUID(context.conversation_id)
    found = _found(context, conversation_id, words)
    if not found:
        is_one = words.query.startswith('"') or " " not in words.query
        what = _escaped(words.query)
        return f"{NOTHING_FOUND}{what if is_one else f'all of these words: {what}'}."
    shown = found[: words.limit]
    quotes.note(context.run_id, [uuid.UUID(row["message"]["id"]) for row in shown])
    lines = [_line(conversation_id, row) for row in shown]
    count = "1 message" if len(lines) == 1 else f"{len(lines)} messages"
    if len(found) > words.limit:
        count = f"The newest {count}"
    return "\n".join([f"{count} with {_escaped(words.query)}:", "", *lines])


def _found(context: ToolContext, conversation_id: uuid.UUID, words: SearchWords) -> list[Found]:
    """One more than asked where there are more; pages that hold nothing but echoes are turned."""
    found: list[Found] = []
    before_seq: int | None = None
    for _ in range(MOST_PAGES):
        command = SearchMessages(query=words.query, before_seq=before_seq, limit=words.limit + 1)
        page = search(conversation_id, context.user_id, command)
        found += [row for row in page["results"] if not _is_echo(row["message"], context)]
        if len(found) > words.limit or not page["has_more"]:
            break
        before_seq = page["results"][-1]["message"]["seq"]
    return found


def _is_echo(message: MessageShape, context: ToolContext) -> bool:
    run = message["run"]
    is_by_rules = run is not None and run["backend"] == "workspace"
    is_listing = message["role"] == "assistant" and _LISTING.match(message["body"]) is not None
    return message["id"] == context.request_id or is_by_rules or is_listing


def _line(conversation_id: uuid.UUID, found: Found) -> str:
    message = found["message"]
    address = reverse("conversation", args=[conversation_id])
    when = message["created_at"][:16].replace("T", " ")
    author = _escaped(message["author"]["username"])
    link = f"[{author}, {when}]({address}#message-{message['seq']})"
    return f"- {link}: {_escaped(' '.join(found['snippet']['text'].split()))}"


# --- Who is there --------------------------------------------------------------------------------
def list_people(context: ToolContext, nothing: Nothing) -> str:
    """The members, those who are here first. Nobody is shown as here who appears offline, not even to themselves:
    what the assistant says is read by all."""
    conversation_id = uuid.UUID(context.conversation_id)
    queries.membership(conversation_id, context.user_id)
    members = list(queries.members(conversation_id))
    attention = _attention(conversation_id, members)
    members.sort(key=lambda row: row.user_id not in attention)
    lines = [_person(row, attention.get(row.user_id)) for row in members[:MOST_PEOPLE]]
    if len(members) > MOST_PEOPLE:
        lines.append(f"- … and {len(members) - MOST_PEOPLE} more")
    count = "1 member" if len(members) == 1 else f"{len(members)} members"
    return "\n".join([f"{count}, {len(attention)} here now:", "", *lines])


def _attention(conversation_id: uuid.UUID, members: Sequence[Member]) -> dict[int, str]:
    """How attentive those are who are here, on the liveliest of their devices."""
    keys = [str(row.user_id) for row in members]
    nobody: TopicPresence = {"topic": "", "count": 0, "presences": {}}
    here = from_thread(lambda: tracking.topic_presence(topic_of(conversation_id), "", keys), nobody)
    return {
        int(key): min((meta["activity"] for meta in person["metas"]), key=list(_ATTENTION).index)
        for key, person in here["presences"].items()
    }


def _person(member: Member, activity: str | None) -> str:
    name = _escaped(member.user.get_username())
    where = "not here" if activity is None else _ATTENTION[activity]
    owner = ", owner" if member.role == Member.Role.OWNER else ""
    return f"- **{name}**: {where}{owner}"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
