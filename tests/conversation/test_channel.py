"""The topic of a conversation, through the real socket: joining, talking, missing nothing, being removed."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime import history_channel
from commsite.realtime.announcement import Announcement
from commsite.realtime.hub import control_handlers, gap_handlers, hub
from commsite.realtime.threads import in_thread
from conversation import actions
from conversation.assistant.commands import slash_commands
from conversation.channel import ConversationChannel, end_with_removal
from conversation.models import Conversation, Member
from conversation.schema import AddMember, RemoveMember, RenameConversation, SendMessage
from tests.support.phoenix_client import ErrorReply, PhoenixClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.contrib.auth.models import User

    from tests.conversation.conftest import Say

    Enter = Callable[..., Awaitable[PhoenixClient]]

pytestmark = pytest.mark.django_db(transaction=True)
FIELDS = {"body", "client_id", "reply_to", "thread_id", "attachment_ids"}


def message(body: str, client_id: str | None = None) -> dict[str, str]:
    return {"body": body, "client_id": client_id or body}


def seqs(client: PhoenixClient) -> list[int]:
    """Seqs of the facts that have arrived, in order."""
    return [
        fact.payload["seq"] if "seq" in fact.payload else fact.payload["message"]["seq"]
        for fact in client.waiting()
    ]


# --- Joining -------------------------------------------------------------------------------------
async def test_a_joiner_gets_the_newest_fifty_and_who_is_there(
    connect: Any, topic: str, room: Conversation, ada: User, grace: User, say: Say
) -> None:
    for n in range(53):
        last = await in_thread(say, grace, f"message {n}")

    reply = await (await connect(ada)).join(topic)

    assert (reply["seq"], reply["reset"]) == (53, False)
    assert [each["seq"] for each in reply["messages"]] == list(range(4, 54))
    assert reply["messages"][-1] == last
    assert reply["conversation"] == {
        "id": str(room.id),
        "title": "Compilers",
        "assistant": "mention",
        "backend": {"kind": "workspace", "model": None},
        "commands": slash_commands(),
    }
    assert (reply["pins"], reply["runs"]) == ([], [])
    assert reply["user"] == {"id": ada.pk, "username": "ada"}
    assert reply["members"] == [
        {"id": ada.pk, "username": "ada", "role": "owner"},
        {"id": grace.pk, "username": "grace", "role": "member"},
    ]


async def test_a_stranger_can_not_tell_a_conversation_from_none(
    connect: Any, topic: str, linus: User
) -> None:
    stranger = await connect(linus)
    answers = []

    for name in (topic, f"conversation:{uuid.uuid4()}", topic.upper(), "conversation:lobby"):
        with pytest.raises(ErrorReply) as refused:
            await stranger.join(name.replace("CONVERSATION", "conversation"))
        answers.append(refused.value.response)

    assert answers[0]["reason"] == "not_found"
    assert all(answer == answers[0] for answer in answers)


async def test_this_address_carries_conversations_only(connect: Any, ada: User) -> None:
    client = await connect(ada)

    with pytest.raises(ErrorReply, match="unmatched topic"):
        await client.join("bench:room")


# --- Talking -------------------------------------------------------------------------------------
async def test_a_message_reaches_every_member_and_the_sender(
    enter: Enter, topic: str, ada: User, grace: User
) -> None:
    adas, graces = await enter(ada), await enter(grace)

    reply = await adas.call(topic, "send_message", message("hello"))

    for client in (adas, graces):
        fact = await client.next("message_sent")
        assert fact.payload == reply
    assert reply["message"]["author"] == {"id": ada.pk, "username": "ada"}


async def test_messages_arrive_in_the_order_of_their_seq(
    enter: Enter, topic: str, ada: User, grace: User
) -> None:
    adas, graces = await enter(ada), await enter(grace)

    refs = [
        await client.push(topic, "send_message", message(f"{n}"))
        for n in range(10)
        for client in (adas, graces)
    ]
    for ref, client in zip(refs, [adas, graces] * 10, strict=True):
        assert (await client.reply(ref))["status"] == "ok"

    for client in (adas, graces):
        await client.settle(topic)
        assert seqs(client) == list(range(1, 21))


async def test_a_repeated_send_is_answered_the_same_and_told_once(
    enter: Enter, topic: str, ada: User, grace: User
) -> None:
    adas, graces = await enter(ada), await enter(grace)

    replies = [await adas.call(topic, "send_message", message("hello", "c1")) for _ in range(3)]
    await graces.settle(topic)

    assert replies[0] == replies[1] == replies[2]
    assert seqs(graces) == [1]


async def test_a_bad_command_is_answered_and_the_channel_lives(
    enter: Enter, topic: str, ada: User
) -> None:
    client = await enter(ada)

    with pytest.raises(ErrorReply) as refused:
        await client.call(topic, "send_message", {"body": 1})

    assert refused.value.reason == "invalid_payload"
    assert set(refused.value.response["expected"]) == FIELDS
    assert (await client.call(topic, "send_message", message("hello")))["message"]["seq"] == 1


async def test_history_is_fetched_by_page(enter: Enter, topic: str, ada: User, say: Say) -> None:
    for n in range(9):
        await in_thread(say, ada, f"message {n}")
    client = await enter(ada)

    page = await client.call(topic, "fetch_history", {"around_seq": 5, "limit": 3})

    assert [each["seq"] for each in page["messages"]] == [4, 5, 6]
    assert page["has_more"]


async def test_what_rest_writes_is_told_on_the_socket(
    enter: Enter, ada: User, grace: User, room: Conversation
) -> None:
    client = await enter(grace)
    command = SendMessage(body="from REST", client_id="c1")

    sent = await in_thread(actions.send_message, room.id, ada.pk, command)

    assert (await client.next("message_sent")).payload == {"message": sent.message}


async def test_owners_manage_the_conversation_on_the_socket(
    enter: Enter, topic: str, ada: User, grace: User, linus: User
) -> None:
    adas, graces = await enter(ada), await enter(grace)

    renamed = await adas.call(topic, "rename_conversation", {"title": "COBOL"})
    added = await adas.call(topic, "add_member", {"username": "linus"})
    await adas.call(topic, "remove_member", {"user_id": linus.pk})

    assert renamed["conversation"]["title"] == "COBOL"
    assert added["member"]["username"] == "linus"
    events = [(await graces.next()).event for _ in range(3)]
    assert events == ["conversation_renamed", "member_added", "member_removed"]
    with pytest.raises(ErrorReply, match="forbidden"):
        await graces.call(topic, "rename_conversation", {"title": "Mine"})


# --- Missing nothing -----------------------------------------------------------------------------
async def test_who_comes_back_gets_what_they_missed_in_order_and_then_the_rest(  # noqa: PLR0913
    enter: Enter, topic: str, ada: User, grace: User, linus: User, room: Conversation, say: Say
) -> None:
    for n in range(3):
        await in_thread(say, ada, f"before {n}")
    await in_thread(actions.add_member, room.id, ada.pk, AddMember(username="linus"))
    await in_thread(actions.rename_conversation, room.id, ada.pk, RenameConversation(title="New"))
    await in_thread(say, linus, "after")

    client = await enter(grace, since=2)
    await in_thread(say, ada, "live")
    await client.next("conversation_renamed")  # one of the missed ones, out of turn
    while len(seqs(client)) < 4:
        await client.heartbeat()

    assert seqs(client) == [3, 4, 6, 7]


async def test_a_rejoin_says_what_else_is_new_without_repeating_messages(
    connect: Any, topic: str, ada: User, say: Say
) -> None:
    await in_thread(say, ada, "one")

    reply = await (await connect(ada)).join(topic, {"since": 1})

    assert (reply["seq"], reply["reset"]) == (1, False)
    assert "messages" not in reply
    assert [member["username"] for member in reply["members"]] == ["ada", "grace"]


async def test_who_comes_from_a_future_we_never_had_starts_afresh(
    connect: Any, topic: str, ada: User, say: Say
) -> None:
    await in_thread(say, ada, "one")

    reply = await (await connect(ada)).join(topic, {"since": 7})

    assert (reply["seq"], reply["reset"]) == (1, True)
    assert [each["seq"] for each in reply["messages"]] == [1]


async def test_who_missed_too_much_starts_afresh(
    connect: Any, topic: str, ada: User, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_channel, "REPLAY_LIMIT", 3)
    for n in range(5):
        await in_thread(say, ada, f"message {n}")

    far, near = await connect(ada), await connect(ada)

    assert (await far.join(topic, {"since": 1}))["reset"]
    assert not (await near.join(topic, {"since": 2}))["reset"]


async def test_a_second_replay_knows_what_happened_since_the_first(
    enter: Enter, topic: str, ada: User, say: Say
) -> None:
    """The core replays again for a client that is too slow to take all at once."""
    await enter(ada, since=0)
    (socket,) = hub.sockets()
    channel = socket.channels[topic]
    assert isinstance(channel, ConversationChannel)
    await in_thread(say, ada, "meanwhile")

    replayed = await in_thread(lambda: channel.replay(0, 1000))

    assert replayed is not None
    assert (replayed[0], [fact.seq for fact in replayed[1]]) == (1, [1])


# --- Being removed -------------------------------------------------------------------------------
async def test_a_removed_member_loses_the_topic_on_every_socket(
    enter: Enter, topic: str, ada: User, grace: User
) -> None:
    adas = await enter(ada)
    graces = [await enter(grace), await enter(grace)]

    await adas.call(topic, "remove_member", {"user_id": grace.pk})
    await adas.call(topic, "send_message", message("she is gone"))

    for client in graces:
        assert (await client.next(topic=topic)).event == "member_removed"
        assert (await client.next(topic=topic)).event == "phx_close"
        await client.heartbeat()
        assert client.waiting("message_sent") == []
        with pytest.raises(ErrorReply, match="unmatched topic"):
            await client.call(topic, "send_message", message("still here?"))
        with pytest.raises(ErrorReply, match="not_found"):
            await client.join(topic)
    await adas.next("member_removed")
    await adas.next("message_sent")


async def test_the_fact_itself_ends_the_topic_before_anything_said_later(
    enter: Enter, topic: str, ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between processes the control message travels apart from the topic, and may come late."""
    monkeypatch.setitem(control_handlers, actions.MEMBER_REMOVED_CONTROL, [])
    adas, graces = await enter(ada), await enter(grace)

    await adas.call(topic, "remove_member", {"user_id": grace.pk})
    await adas.call(topic, "send_message", message("she is gone"))
    await graces.heartbeat()

    assert [frame.event for frame in graces.waiting()] == ["member_removed", "phx_close"]


async def test_an_old_removal_does_not_end_the_join_of_who_has_come_back(
    enter: Enter, topic: str, room: Conversation, ada: User, grace: User
) -> None:
    await in_thread(actions.remove_member, room.id, ada.pk, RemoveMember(user_id=grace.pk))
    await in_thread(actions.add_member, room.id, ada.pk, AddMember(username="grace"))
    client = await enter(grace)
    payload = b'{"seq":1,"member":{"id":%d},"by":null}' % grace.pk
    last = (await in_thread(Conversation.objects.get, pk=room.pk)).last_seq

    end_with_removal(Announcement(topic, "member_removed", payload, seq=last - 1))
    await client.call(topic, "send_message", message("back"))
    end_with_removal(Announcement(topic, "member_removed", payload, seq=last + 2))

    assert (await client.next(topic=topic)).event == "message_sent"
    assert (await client.next(topic=topic)).event == "phx_close"


async def test_who_leaves_is_let_go_in_good_order(enter: Enter, topic: str, grace: User) -> None:
    client = await enter(grace)

    ref = await client.push(topic, "remove_member", {"user_id": grace.pk})
    await client.next("phx_close")

    assert [fact.event for fact in client.waiting()] == ["member_removed"]
    assert client.replies[ref] == {"status": "ok", "response": {}}
    assert [socket.topics for socket in hub.sockets()] == [[]]


async def test_leaving_what_one_was_removed_from_is_leaving(
    enter: Enter, topic: str, grace: User
) -> None:
    client = await enter(grace)
    await in_thread(Member.objects.filter(user=grace).delete)

    await client.call(topic, "remove_member", {"user_id": grace.pk})

    assert (await client.next()).event == "phx_close"


async def test_every_event_asks_whether_the_member_still_may(
    enter: Enter, topic: str, grace: User
) -> None:
    """Even where the news of the removal has not arrived."""
    client = await enter(grace)
    await in_thread(Member.objects.filter(user=grace).delete)

    for event, payload in (("send_message", message("hi")), ("fetch_history", {})):
        with pytest.raises(ErrorReply, match="not_found"):
            await client.call(topic, event, payload)


async def test_removals_that_went_unheard_are_made_good_after_a_gap(
    enter: Enter, topic: str, ada: User, grace: User
) -> None:
    adas, graces = await enter(ada), await enter(grace)
    await in_thread(Member.objects.filter(user=grace).delete)

    for handler in gap_handlers:
        handler()

    assert (await graces.next(topic=topic)).event == "phx_close"
    await adas.settle(topic)
    assert adas.waiting() == []


async def test_a_removal_in_the_middle_of_a_join_wins(
    connect: Any, topic: str, ada: User, grace: User, room: Conversation, monkeypatch: Any
) -> None:
    permitted, removed = threading.Event(), threading.Event()
    welcome = ConversationChannel.welcome

    def slow_welcome(channel: ConversationChannel) -> dict[str, Any]:
        permitted.set()
        removed.wait(10)
        return welcome(channel)

    monkeypatch.setattr(ConversationChannel, "welcome", slow_welcome)
    client: PhoenixClient = await connect(grace)
    join_ref = await client.push(topic, "phx_join", ref="j1", join_ref="j1")
    await in_thread(permitted.wait, 10)
    command = RemoveMember(user_id=grace.pk)
    await in_thread(actions.remove_member, room.id, ada.pk, command)
    assert (await client.next(topic=topic)).event == "phx_close"
    removed.set()
    await in_thread(actions.send_message, room.id, ada.pk, SendMessage(body="x", client_id="c1"))
    await client.heartbeat()

    assert join_ref not in client.replies
    assert client.waiting() == []
