"""A conversation as a document: all that members may see, nothing else, however long it is."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import uuid
from contextlib import aclosing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.urls import reverse
from django.utils import timezone

from commsite.realtime.threads import in_thread
from conversation import actions, export, queries
from conversation.models import Member, Message
from conversation.schema import EditMessage, NameMessage, React, RemoveMember, SendMessage
from conversation.time_ordered import time_ordered_id
from tests.support.rest import rest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from conversation.message_shape import Person
    from conversation.models import Conversation
    from tests.conversation.conftest import Say


pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ear", "fresh_throttles"),
]


def read(response: Any) -> bytes:
    async def parts() -> bytes:
        return b"".join([part async for part in response])

    assert response.status_code == 200, response.content
    try:
        return async_to_sync(parts)()
    finally:
        response.close()


def get(user: User, room: Conversation) -> Any:
    return rest(user).get(f"/api/v1/conversations/{room.id}/export/")


def exported(user: User, room: Conversation) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(read(get(user, room)))
    return document


def test_it_holds_everything_that_a_member_may_see(
    room: Conversation, ada: User, grace: User, say: Say
) -> None:
    first, gone = say(ada, "**first**"), say(grace, "gone")
    this = uuid.UUID(first["id"])
    actions.edit_message(room.id, ada.pk, EditMessage(message_id=this, revision=1, body="*second*"))
    actions.send_message(
        room.id, grace.pk, SendMessage(body="in the thread", client_id="t", thread_id=this)
    )
    actions.add_reaction(room.id, grace.pk, React(message_id=this, emoji="👍"))
    actions.delete_message(room.id, grace.pk, NameMessage(message_id=uuid.UUID(gone["id"])))

    document = exported(ada, room)

    assert (document["format"], document["version"]) == ("commsite.conversation", 1)
    assert document["is_complete"] is True
    assert document["exported_by"] == {"id": ada.pk, "username": "ada"}
    assert document["conversation"]["title"] == "Compilers"
    assert [member["username"] for member in document["members"]] == ["ada", "grace"]
    assert [row["body"] for row in document["messages"]] == ["*second*", "", "in the thread"]
    told = {
        fact.seq: fact.payload["message"]
        for fact in queries.facts(room.id, 0, 99)
        if fact.event == "message_sent"
    }
    assert {row["seq"]: row for row in document["messages"]} == told
    assert [row["event"] for row in document["changes"]] == [
        "message_edited",
        "reaction_added",
        "message_deleted",
    ]
    seqs = [row["seq"] for row in (*document["messages"], *document["changes"])]
    assert sorted(seqs) == list(range(1, document["conversation"]["last_seq"] + 1))


def test_what_was_edited_away_or_deleted_is_nowhere_in_it(room: Conversation, ada: User) -> None:
    command = SendMessage(body="sesame", client_id="c1")
    message = actions.send_message(room.id, ada.pk, command).message
    this = uuid.UUID(message["id"])
    actions.edit_message(room.id, ada.pk, EditMessage(message_id=this, revision=1, body="poppy"))
    actions.delete_message(room.id, ada.pk, NameMessage(message_id=this))

    document = read(get(ada, room))

    assert b"sesame" not in document
    assert b"poppy" not in document


def test_an_empty_conversation_is_a_document_too(room: Conversation, ada: User) -> None:
    document = exported(ada, room)

    assert document["messages"] == document["changes"] == []


def test_strangers_get_nothing(room: Conversation, linus: User) -> None:
    assert get(linus, room).status_code == 404


def fill(room: Conversation, author: User, number: int) -> None:
    Message.objects.bulk_create(
        Message(
            id=time_ordered_id(), conversation=room, author=author, seq=seq, client_id=str(seq),
            body=f"message {seq}", html=f"<p>message {seq}</p>", created_at=timezone.now(),
        )
        for seq in range(1, number + 1)
    )  # fmt: skip
    type(room).objects.filter(pk=room.pk).update(last_seq=number)


def test_many_messages_come_in_order_and_what_comes_meanwhile_does_not(
    room: Conversation, ada: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 7)
    fill(room, ada, 50)
    response = get(ada, room)
    say(ada, "too late")

    document = json.loads(read(response))

    assert [row["seq"] for row in document["messages"]] == list(range(1, 51))
    assert document["conversation"]["last_seq"] == 50


def test_a_member_who_is_removed_meanwhile_gets_no_further_piece(
    room: Conversation, ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 7)
    fill(room, ada, 50)
    response = get(grace, room)
    actions.remove_member(room.id, ada.pk, RemoveMember(user_id=grace.pk))

    with pytest.raises(Exception, match="not_found"):
        read(response)
    assert not Member.objects.filter(user=grace).exists()


@pytest.mark.timeout(60)
def test_the_memory_it_takes_does_not_grow_with_the_conversation(
    room: Conversation, ada: User
) -> None:
    async def peak(document: export.Export) -> int:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        size = 0
        async for part in document:
            size += len(part)
        assert size > 1_000
        return tracemalloc.get_traced_memory()[1] - before

    def measured() -> int:
        room.refresh_from_db()
        by: Person = {"id": ada.pk, "username": "ada"}
        tracemalloc.start()
        try:
            return async_to_sync(peak)(export.Export(room, by, is_member=True, now=timezone.now()))
        finally:
            tracemalloc.stop()  # filling is not measured, and slow while it is

    fill(room, ada, 3 * export.PAGE_ROWS)
    measured()  # what is made once is not counted
    small = measured()
    Message.objects.all().delete()
    fill(room, ada, 15 * export.PAGE_ROWS)

    assert measured() < 1.5 * small


def test_only_so_many_are_written_at_once(room: Conversation, ada: User) -> None:
    under_way = [get(ada, room) for _ in range(export.AT_ONCE)]
    refused = get(ada, room)
    for response in under_way:
        read(response)

    assert (refused.status_code, refused.json()["reason"]) == (503, "overloaded")
    assert exported(ada, room)["is_complete"]


def test_whoever_goes_away_makes_room_for_another(room: Conversation, ada: User) -> None:
    async def begin_only(response: Any) -> None:
        pieces = aiter(response)
        await anext(pieces)
        await pieces.aclose()

    for _ in range(export.AT_ONCE + 1):
        response = get(ada, room)
        assert response.status_code == 200
        async_to_sync(begin_only)(response.streaming_content)

    assert exported(ada, room)["is_complete"]


def test_whoever_takes_nothing_for_long_makes_room_for_another(
    room: Conversation, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(export, "time", SimpleNamespace(monotonic=lambda: now))

    async def begin_and_wait(response: Any, has_begun: asyncio.Event) -> None:
        async with aclosing(aiter(response.streaming_content)) as pieces:
            await anext(pieces)
            has_begun.set()
            await asyncio.Event().wait()  # a client that does not read

    async def story() -> tuple[int, int, list[Any]]:
        nonlocal now
        responses = [await in_thread(get, ada, room) for _ in range(export.AT_ONCE)]
        begun = [asyncio.Event() for _ in responses]
        stalled = [
            asyncio.create_task(begin_and_wait(*each))
            for each in zip(responses, begun, strict=True)
        ]
        for event in begun:
            await event.wait()
        early = await in_thread(get, ada, room)
        now += export.STALLED_S + 1
        late = await in_thread(get, ada, room)
        ends = await asyncio.gather(*stalled, return_exceptions=True)
        late.close()
        return early.status_code, late.status_code, ends

    early, late, ends = async_to_sync(story)()

    assert (early, late) == (503, 200)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * export.AT_ONCE


def test_an_admin_downloads_one_conversation_and_the_log_says_so(
    room: Conversation, ada: User, say: Say, admin_client: Client
) -> None:
    say(ada, "hello")
    address = reverse("admin:conversation_conversation_changelist")
    form = {"action": "export", "_selected_action": [str(room.id)]}

    document = json.loads(read(admin_client.post(address, form)))
    log = admin_client.get(reverse("admin:conversation_conversation_history", args=[room.id]))

    assert [row["body"] for row in document["messages"]] == ["hello"]
    assert "Downloaded." in log.content.decode()
