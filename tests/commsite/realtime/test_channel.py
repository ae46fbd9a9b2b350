"""A slow join or handler delays only its own topic; what waits behind it is bounded and answered in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from commsite.realtime.channel import Channel, handles
from commsite.realtime.registry import Delivery
from tests.commsite.realtime import rooms
from tests.support.socket_client import Frame, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]


async def test_heartbeats_and_other_topics_are_answered_while_a_join_is_held(
    connect: Connect,
) -> None:
    client = connect()
    held = client.ask_to_join("slow:1")
    await settle()
    beat = client.heartbeat()
    await client.join("room:1")
    said = client.push("room:1", "say", {"text": "hi"})
    await client.assert_reply(said)
    assert held not in [frame.ref for frame in client.seen]
    rooms.gates["slow:1"].set()
    await client.assert_reply(held)
    refs = [frame.ref for frame in client.seen]
    assert refs.index(beat) < refs.index(said) < refs.index(held)


async def test_heartbeats_and_other_topics_are_answered_while_a_handler_is_held(
    connect: Connect,
) -> None:
    client = connect()
    await client.join("room:1")
    await client.join("room:2")
    held = client.push("room:1", "say_slowly", {"text": "gate"})
    await settle()
    beat = client.heartbeat()
    slow = client.push("room:2", "say_slowly", {"text": "open"})
    rooms.gates["open"].set()
    await client.assert_reply(slow)
    assert client.seen[2].ref == beat
    assert held not in [frame.ref for frame in client.seen]
    rooms.gates["gate"].set()
    assert await client.assert_reply(held) == {"said": "gate"}


async def test_broadcasts_of_the_topic_arrive_while_its_handler_is_held(connect: Connect) -> None:
    client, other = connect(1), connect(2)
    await client.join("room:1")
    await other.join("room:1")
    client.push("room:1", "say_slowly", {"text": "gate"})
    other.push("room:1", "tell_all", {"n": 1})
    assert await client.assert_push("room:1", "told") == {"n": 1}


async def test_pushes_of_one_topic_are_handled_one_after_another(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    slow = client.push("room:1", "say_slowly", {"text": "gate"})
    quick = client.push("room:1", "say", {"text": "later"})
    await settle()
    assert len(client.seen) == 1
    rooms.gates["gate"].set()
    await client.assert_reply(quick)
    assert [frame.ref for frame in client.seen[1:]] == [slow, quick]


async def test_pushes_wait_behind_their_join(connect: Connect) -> None:
    client = connect()
    joined = client.ask_to_join("slow:1")
    first = client.push("slow:1", "say", {"text": "a"})
    second = client.push("slow:1", "push_then_reply")
    rooms.gates["slow:1"].set()
    await client.assert_reply(second)
    assert [(frame.event, frame.ref) for frame in client.seen] == [
        ("phx_reply", joined),
        ("phx_reply", first),
        ("note", None),
        ("note", None),
        ("phx_reply", second),
    ]


async def test_a_failed_join_answers_what_waited_behind_it(connect: Connect) -> None:
    client = connect()
    joined = client.ask_to_join("slow:1", {"refuse": "no"})
    said = client.push("slow:1", "say", {"text": "a"})
    left = client.leave("slow:1")
    rooms.gates["slow:1"].set()
    await client.assert_reply(joined, "error")
    assert (await client.assert_reply(said, "error"))["reason"] == "unmatched topic"
    assert await client.assert_reply(left) == {}
    assert [frame.ref for frame in client.seen] == [joined, said, left]


async def test_a_leave_behind_a_held_join_is_answered_after_it(connect: Connect) -> None:
    client = connect()
    joined = client.ask_to_join("slow:1")
    left = client.leave("slow:1")
    rooms.gates["slow:1"].set()
    await client.until(lambda frame: frame.event == "phx_close")
    assert [(frame.event, frame.ref) for frame in client.seen] == [
        ("phx_reply", joined),
        ("phx_reply", left),
        ("phx_close", joined),
    ]
    assert client.socket.topics == []


async def test_a_channel_taken_away_during_its_join_is_never_joined(connect: Connect) -> None:
    client = connect()
    client.ask_to_join("slow:1")
    await settle()
    client.hub.eject("slow:1", 1, "told", {"n": 1})
    rooms.gates["slow:1"].set()
    await settle()
    assert client.seen == [Frame("1", "1", "slow:1", "phx_close", {})]
    assert client.hub.fanout.topics == {}


async def test_what_is_announced_during_a_join_comes_after_its_reply(connect: Connect) -> None:
    client, other = connect(1), connect(2)
    await other.join("room:1")
    client.ask_to_join("slow:1")
    await settle()
    rooms.announce(other.socket.channels["room:1"], "told", b'{"n":1}', topic="slow:1")
    await settle()
    assert client.seen == []
    rooms.gates["slow:1"].set()
    assert await client.assert_push("slow:1", "told") == {"n": 1}
    assert [frame.event for frame in client.seen] == ["phx_reply", "told"]


async def test_what_was_announced_before_a_join_stays_out_of_it(connect: Connect) -> None:
    client, other = connect(1), connect(2)
    await other.join("room:1")
    other.push("room:1", "tell_all", {"n": 1})
    await client.join("room:1")
    await settle()
    assert other.of("room:1") == [{"n": 1}]
    assert client.of("room:1") == []


async def test_a_reply_does_not_overtake_what_was_announced_before_it(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    ref = client.push("room:1", "tell_all", {"n": 1})
    assert [(frame.event, frame.ref) for frame in client.seen[1:]] == [
        ("told", None),
        ("phx_reply", ref),
    ]


async def test_broadcasts_carry_no_refs_and_reach_the_sender_too(connect: Connect) -> None:
    client, other = connect(1), connect(2)
    await client.join("room:1")
    await other.join("room:1")
    client.push("room:1", "tell_all", {"n": 1})
    frame = Frame(None, None, "room:1", "told", {"n": 1})
    assert await other.assert_push("room:1", "told") == {"n": 1}
    assert frame in client.seen
    assert frame in other.seen


async def test_a_broadcast_to_the_others_leaves_the_sender_out_but_not_its_second_socket(
    connect: Connect,
) -> None:
    client, second = connect(1), connect(1)
    await client.join("room:1")
    await second.join("room:1")
    client.push("room:1", "tell_others", {"n": 1})
    assert await second.assert_push("room:1", "told") == {"n": 1}
    assert client.of("room:1") == []


async def test_a_full_inbox_says_overloaded_and_loses_nothing_else(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(inbox_pushes=3)
    client = connect()
    await client.join("room:1")
    held = client.push("room:1", "say_slowly", {"text": "gate"})
    await settle()
    waiting = [client.push("room:1", "say", {"text": str(n)}) for n in range(3)]
    refused = client.push("room:1", "say", {"text": "too many"})
    response = await client.assert_reply(refused, "error")
    assert response["reason"] == "overloaded"
    assert response["retry_after_ms"] > 0
    rooms.gates["gate"].set()
    await client.assert_reply(waiting[-1])
    assert [frame.ref for frame in client.seen[2:]] == [held, *waiting]


async def test_an_interceptor_changes_or_keeps_back_what_its_client_gets(connect: Connect) -> None:
    quiet, other = connect(1), connect(2)
    await quiet.join("quiet:1")
    channel = quiet.socket.channels["quiet:1"]
    rooms.announce(channel, "secret", b'{"x":1}')
    rooms.announce(channel, "name", b'{"name":"ada"}')
    assert await quiet.assert_push("quiet:1", "name") == {"name": "ADA", "for": "user1"}
    assert quiet.of("quiet:1", "secret") == []
    assert other.seen == []


async def test_an_interceptor_that_fails_costs_only_its_own_channel(connect: Connect) -> None:
    first, second = connect(1), connect(2)
    await first.join("quiet:1")
    await first.join("room:1")
    await second.join("room:1")
    rooms.announce(first.socket.channels["quiet:1"], "told", b'{"n":1}')
    await first.until(lambda frame: frame.event == "phx_error")
    assert first.socket.topics == ["room:1"]


async def test_an_intercepted_event_keeps_its_delivery_class(connect: Connect) -> None:
    client = connect()
    await client.join("quiet:1")
    channel = client.socket.channels["quiet:1"]
    client.transport.clog()
    for name in ("a", "b"):
        rooms.announce(
            channel,
            "name",
            b'{"name":"%b"}' % name.encode(),
            key="k",
            delivery=Delivery.STATE,
        )
    await settle()
    client.transport.clear()
    assert [payload["name"] for payload in client.of("quiet:1", "name")] == ["B"]


async def test_a_channel_that_pushes_before_its_join_is_answered_has_crashed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(self: Any, payload: Any) -> None:
        self.push("note", {})

    monkeypatch.setattr(rooms.RoomChannel, "join", join)
    client = connect()
    response = await client.assert_reply(client.ask_to_join("room:1"), "error")
    assert response["reason"] == "join crashed"
    assert [frame.event for frame in client.seen] == ["phx_reply"]


async def test_what_an_ended_channel_still_pushes_goes_nowhere(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    channel = client.socket.channels["room:1"]
    await client.assert_reply(client.leave("room:1"))
    before = len(client.seen)
    channel.push("note", {})
    assert len(client.seen) == before


async def test_a_connection_that_is_lost_ends_its_channels_and_their_work(connect: Connect) -> None:
    client = connect()
    await client.join("room:1")
    await client.join("room:2")
    client.push("room:1", "say_slowly", {"text": "gate"})
    await settle()
    client.vanish()
    await settle()
    assert sorted(rooms.left) == ["room:1", "room:2"]
    assert client.hub.fanout.topics == {}
    assert list(client.hub.sockets()) == []
    rooms.gates["gate"].set()
    await settle()
    assert len(client.seen) == 2


def test_a_channel_has_the_handlers_of_all_its_bases_and_its_own_first() -> None:
    class Sings(Channel):
        @handles("sing")
        def on_sing(self, payload: Any) -> None: ...

        @handles("stop")
        def on_stop_singing(self, payload: Any) -> None: ...

    class Dances(Channel):
        @handles("dance")
        async def on_dance(self, payload: Any) -> None: ...

        @handles("stop")
        def on_stop_dancing(self, payload: Any) -> None: ...

    class Party(Sings, Dances):
        @handles("sing")
        def on_sing_along(self, payload: Any) -> None: ...

    assert {event: handler.method for event, handler in Party.handlers.items()} == {
        "sing": "on_sing_along",
        "dance": "on_dance",
        "stop": "on_stop_singing",
    }
