"""Messages over the socket: every command, what the others hear, and too much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.threads import in_thread
from tests.support.phoenix_client import ErrorReply

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from conversation.models import Conversation
    from tests.conversation.conftest import Enter, Say


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("a_clock_that_stands"),
]


async def test_everybody_hears_what_is_done_with_a_message(
    enter: Enter, topic: str, ada: User, grace: User, say: Say
) -> None:
    said = await in_thread(say, ada, "helo")
    adas, graces = await enter(ada), await enter(grace)
    this: dict[str, Any] = {"message_id": said["id"]}
    horse = {**this, "emoji": "🐎"}

    edited = await adas.call(topic, "edit_message", {**this, "revision": 1, "body": "hello"})
    reacted = await graces.call(topic, "add_reaction", horse)
    await graces.call(topic, "remove_reaction", horse)
    pinned = await graces.call(topic, "pin_message", this)
    await adas.call(topic, "unpin_message", this)
    deleted = await adas.call(topic, "delete_message", this)
    await graces.settle(topic)

    assert edited["message"]["body"] == "hello"
    assert reacted["reactions"] == [{"emoji": "🐎", "user_ids": [grace.pk]}]
    assert pinned["pinned_at"] is not None
    assert deleted["message"]["deleted_at"] is not None
    heard = graces.waiting()
    assert [(fact.event, fact.payload["seq"]) for fact in heard] == [
        ("message_edited", 2),
        ("reaction_added", 3),
        ("reaction_removed", 4),
        ("message_pinned", 5),
        ("message_unpinned", 6),
        ("message_deleted", 7),
    ]


async def test_a_thread_is_written_and_read(
    enter: Enter, topic: str, ada: User, grace: User, say: Say
) -> None:
    root = await in_thread(say, ada, "why?")
    adas, graces = await enter(ada), await enter(grace)

    answer = {"body": "so", "client_id": "c1", "thread_id": root["id"]}
    sent = (await graces.call(topic, "send_message", answer))["message"]
    page = await adas.call(topic, "fetch_history", {"thread_id": root["id"]})
    main = await adas.call(topic, "fetch_history", {})

    assert page["messages"] == [sent]
    assert [(each["id"], each["reply_count"]) for each in main["messages"]] == [(root["id"], 1)]


async def test_an_owner_sets_the_assistant_and_others_do_not(
    enter: Enter, topic: str, ada: User, grace: User
) -> None:
    adas, graces = await enter(ada), await enter(grace)

    answer = await adas.call(topic, "set_assistant", {"assistant": "always"})
    with pytest.raises(ErrorReply) as refused:
        await graces.call(topic, "set_assistant", {"assistant": "off"})
    await graces.settle(topic)

    assert answer["conversation"]["assistant"] == "always"
    assert refused.value.reason == "forbidden"
    (fact,) = graces.waiting()
    assert fact.event == "conversation_changed"
    assert fact.payload["conversation"] == answer["conversation"]


async def test_a_conflict_shows_the_message_as_it_is(
    enter: Enter, topic: str, ada: User, say: Say
) -> None:
    said = await in_thread(say, ada, "hello")
    client = await enter(ada)
    edit = {"message_id": said["id"], "revision": 7, "body": "hullo"}

    with pytest.raises(ErrorReply) as refused:
        await client.call(topic, "edit_message", edit)

    assert refused.value.reason == "conflict"
    assert refused.value.response["current"] == said


async def test_too_fast_is_refused_with_the_time_to_wait_and_the_socket_lives(
    enter: Enter, topic: str, room: Conversation, ada: User
) -> None:
    first, second = await enter(ada), await enter(ada)
    for n in range(10):
        client = (first, second)[n % 2]
        await client.call(topic, "send_message", {"body": "hi", "client_id": f"c{n}"})

    with pytest.raises(ErrorReply) as refused:
        await second.call(topic, "send_message", {"body": "hi", "client_id": "one too many"})

    assert refused.value.reason == "rate_limited"
    assert refused.value.response["retry_after_ms"] == 200
    page = await second.call(topic, "fetch_history", {})
    assert len(page["messages"]) == 10
    assert (await first.call(topic, "fetch_history", {"limit": 1}))["has_more"]


@pytest.mark.parametrize(
    ("event", "payload", "at_once"),
    [
        ("add_reaction", {"emoji": "🐎"}, 5),
        ("pin_message", {}, 5),
        ("fetch_history", {}, 10),
    ],
)
async def test_each_command_has_its_rate(  # noqa: PLR0913
    enter: Enter, topic: str, ada: User, say: Say, event: str, payload: dict[str, Any], at_once: int
) -> None:
    said = await in_thread(say, ada, "hello")
    client = await enter(ada)
    for _ in range(at_once):
        await client.call(topic, event, {"message_id": said["id"], **payload})

    with pytest.raises(ErrorReply) as refused:
        await client.call(topic, event, {"message_id": said["id"], **payload})

    assert refused.value.response["retry_after_ms"] == 1000 // at_once


async def test_messages_are_found_over_the_socket(
    enter: Enter, topic: str, ada: User, grace: User, say: Say
) -> None:
    said = await in_thread(say, ada, "green tea")
    client = await enter(grace)

    page = await client.call(topic, "search_messages", {"query": "tea"})
    with pytest.raises(ErrorReply, match="invalid_payload"):
        await client.call(topic, "search_messages", {"query": ""})

    assert page["has_more"] is False
    assert [found["message"] for found in page["results"]] == [said]
    assert page["results"][0]["snippet"] == {"text": "green tea", "highlights": [[6, 9]]}


async def test_changes_of_the_conversation_draw_on_the_same_rate(
    enter: Enter, topic: str, ada: User, grace: User
) -> None:
    client = await enter(ada)
    for n in range(2):
        await client.call(topic, "rename_conversation", {"title": f"Compilers {n}"})
    await client.call(topic, "set_assistant", {"assistant": "off"})
    await client.call(topic, "add_member", {"username": "grace"})
    await client.call(topic, "remove_member", {"user_id": grace.pk})

    with pytest.raises(ErrorReply) as refused:
        await client.call(topic, "rename_conversation", {"title": "Once too often"})

    assert refused.value.reason == "rate_limited"
