"""Cursors and selections on a conversation's topic, through the real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime.announcement import Announcement
from commsite.realtime.backplane import Backplane
from commsite.realtime.consumer import SocketConsumer
from commsite.realtime.errors import PushError
from commsite.realtime.hub import hub
from commsite.realtime.packet import CONTROL
from commsite.realtime.registry import Delivery
from commsite.realtime.threads import in_thread
from commsite.realtime.topic import shard_of
from conversation import actions
from conversation.schema import RemoveMember
from presence import cursor_board
from presence.cursor_board import ASK, ASK_ALL, MOVED, _check, board
from presence.tracker.delta import Entry
from presence.tracker.diff import Diff
from presence.tracking import tracking
from tests.presence.lobby import LOBBY, enter
from tests.support.phoenix_client import ErrorReply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django.fixtures import Settings

    from tests.presence.lobby import Connect
    from tests.support.phoenix_client import PhoenixClient

pytestmark = pytest.mark.django_db(transaction=True)
FAR = b'{"connection":"far","user":{"id":9,"username":"linus"},"anchor":4,"selection":null,"expires_in_s":60}'
PLACE = {"message_id": "7d9a2c1e", "offset": 3}


async def test_the_others_see_where_somebody_points_and_the_pointer_does_not(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, ada: User
) -> None:
    here, there = pair

    await here.call(room, "move_cursor", {"anchor": PLACE, "selection": [1, {"end": 2}]})

    seen = (await there.next(MOVED)).payload
    assert seen.pop("connection")
    assert seen == {
        "user": {"id": ada.pk, "username": "ada"},
        "anchor": PLACE,
        "selection": [1, {"end": 2}],
        "expires_in_s": 60,
    }
    await here.heartbeat()
    assert here.waiting(MOVED) == []


async def test_a_selection_need_not_be(
    pair: tuple[PhoenixClient, PhoenixClient], room: str
) -> None:
    here, there = pair

    await here.call(room, "move_cursor", {"anchor": 17})

    seen = (await there.next(MOVED)).payload
    assert (seen["anchor"], seen["selection"]) == (17, None)


async def test_of_quick_moves_the_others_get_few_and_the_last(
    pair: tuple[PhoenixClient, PhoenixClient], room: str
) -> None:
    here, there = pair
    for number in range(60):
        await here.push(room, "move_cursor", {"anchor": number})
    await here.heartbeat()

    while (seen := (await there.next(MOVED)).payload["anchor"]) != 59:
        assert seen < 59
    await there.heartbeat()
    assert there.waiting(MOVED) == []


async def test_a_newcomer_gets_all_cursors_as_they_are(
    pair: tuple[PhoenixClient, PhoenixClient], connect: Connect, room: str, grace: User
) -> None:
    here, there = pair
    await here.call(room, "move_cursor", {"anchor": 1})
    await here.call(room, "move_cursor", {"anchor": 2})
    await there.call(room, "move_cursor", {"anchor": 3})

    newcomer = await connect(grace, SocketConsumer.as_asgi())
    await enter(newcomer, room)

    first, second = [(await newcomer.next(MOVED)).payload for _ in range(2)]
    assert {first["anchor"], second["anchor"]} == {2, 3}


@pytest.mark.parametrize("way", ["null", "leave", "close", "drop_topic"])
async def test_a_cursor_goes_at_once_with_its_connection(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, ada: User, grace: User, way: str
) -> None:
    here, there = pair
    await here.call(room, "move_cursor", {"anchor": 1})
    connection = (await there.next(MOVED)).payload["connection"]

    if way == "null":
        await here.call(room, "move_cursor", {"anchor": None})
    elif way == "leave":
        await here.leave(room)
    elif way == "close":
        await here.close()
    else:
        remove = RemoveMember(user_id=ada.pk)
        await in_thread(actions.remove_member, _id(room), ada.pk, remove)

    gone = (await there.next(MOVED)).payload
    assert (gone["connection"], gone["anchor"], gone["expires_in_s"]) == (connection, None, 0)
    assert len(board._cursors) == 0
    assert board._faces == {}


def _id(room: str) -> Any:
    import uuid  # noqa: PLC0415

    return uuid.UUID(room.partition(":")[2])


async def test_a_cursor_that_rests_expires(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, settings: Settings
) -> None:
    here, there = pair
    await here.call(room, "move_cursor", {"anchor": 1})
    await there.next(MOVED)

    settings.REALTIME = {**settings.REALTIME, "CURSOR_S": 0.0}
    board.expire()

    assert (await there.next(MOVED)).payload["anchor"] is None


def told_elsewhere(room: str) -> Entry:
    """A connection of another process has pointed somewhere; its entry."""
    hub.on_announcement(Announcement(room, MOVED, FAR, Delivery.STATE, key="far.1"))
    return Entry(room, "9", "device/far.1", b"{}", "ref")


async def test_a_newcomer_gets_the_cursors_of_other_processes_without_asking_twice(
    pair: tuple[PhoenixClient, PhoenixClient],
    connect: Connect,
    room: str,
    grace: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cursor_board, "control", lambda kind, payload: asked.append(kind))
    monkeypatch.setattr(Backplane, "is_alone", False)
    told_elsewhere(room)

    for _ in range(3):
        newcomer = await connect(grace, SocketConsumer.as_asgi())
        await newcomer.join(room)
        assert (await newcomer.next(MOVED)).payload["anchor"] == 4

    assert asked == [ASK]


async def test_whoever_listens_first_asks_though_it_was_asked_a_moment_ago(
    connect: Connect, room: str, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told while nobody listened was not heard."""
    asked: list[str] = []
    monkeypatch.setattr(cursor_board, "control", lambda kind, payload: asked.append(kind))
    monkeypatch.setattr(Backplane, "is_alone", False)
    client = await connect(ada, SocketConsumer.as_asgi())

    for _ in range(2):
        await client.join(room)
        await client.heartbeat()
        assert client.waiting(MOVED) == []  # it may have ended meanwhile
        told_elsewhere(room)
        assert len(board._far) == 1
        await client.next(MOVED)
        await client.leave(room)
        told_elsewhere(room)

    assert asked == [ASK, ASK]
    assert len(board._far) == 0


async def test_the_cursor_of_a_process_that_died_ends_with_its_connections_and_is_told_once(
    pair: tuple[PhoenixClient, PhoenixClient], room: str
) -> None:
    here, there = pair
    entry = told_elsewhere(room)
    changed = Entry(entry.topic, entry.key, entry.id, b"{}", "ref2")
    stranger = Entry(room, "9", "device/far.2", b"{}", "ref3")

    tracking._changed(Diff([changed], [entry]))  # it has changed, and is still there
    tracking._changed(Diff([], [stranger]))
    assert len(board._far) == 1
    tracking._changed(Diff([], [changed]))
    tracking._changed(Diff([], [changed]))

    for client in (here, there):
        assert (await client.next(MOVED)).payload["anchor"] == 4
        assert (await client.next(MOVED)).payload == {
            "connection": "far",
            "user": {"id": 9, "username": "linus"},
            "anchor": None,
            "selection": None,
            "expires_in_s": 0,
        }
        await client.heartbeat()
        assert client.waiting(MOVED) == []


async def one_points(
    pair: tuple[PhoenixClient, PhoenixClient], room: str
) -> tuple[PhoenixClient, PhoenixClient]:
    """The pair; the first of them points at 1, and the second has been told."""
    here, there = pair
    await here.call(room, "move_cursor", {"anchor": 1})
    await there.next(MOVED)
    return here, there


def all_asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What this process asks the others for, as they would get it; at once."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(cursor_board, "AGAIN_S", 0.0)
    monkeypatch.setattr(cursor_board, "ALL_EVERY_S", 0.0)
    monkeypatch.setattr(
        cursor_board,
        "control",
        lambda kind, payload: asked.append(payload) if kind == ASK_ALL else None,
    )
    return asked


async def test_after_a_loss_cursors_are_asked_for_and_told_again(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = await one_points(pair, room)
    asked = all_asked(monkeypatch)

    for _ in range(3):
        hub.on_missed(CONTROL)

    assert (await there.next(MOVED)).payload["anchor"] == 1
    await here.heartbeat()
    assert len(asked) == 1
    assert shard_of(room) in asked[0]["shards"]


async def test_whoever_is_asked_for_everything_tells_what_the_asker_can_hear(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, there = await one_points(pair, room)
    monkeypatch.setattr(cursor_board, "AGAIN_S", 0.0)

    board.on_asked_all({"node": "far", "shards": [shard_of(room) + 1]})
    board.on_asked_all({"node": hub.node, "shards": [shard_of(room)]})
    await there.heartbeat()
    assert there.waiting(MOVED) == []

    board.on_asked_all({"node": "far", "shards": [shard_of(room)]})
    assert (await there.next(MOVED)).payload["anchor"] == 1


async def test_connections_that_were_given_up_and_come_back_are_asked_where_they_point(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process stood still for long: it has missed nothing, and nothing of it was missed."""
    here, _ = pair
    asked = all_asked(monkeypatch)
    entry = told_elsewhere(room)
    other = Entry(room, "9", "device/far.2", b"{}", "ref2")
    tracking._changed(Diff([], [entry]))

    tracking._changed(Diff([other], []))
    await here.heartbeat()
    assert asked == []

    tracking._changed(Diff([entry], []))
    while not asked:
        await here.heartbeat()
    assert board._lost == {}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({}, "invalid_payload"),
        ({"anchor": "x" * 1024}, "too_large"),
        ({"anchor": 1, "selection": "x" * 1024}, "too_large"),
        ({"anchor": [[] for _ in range(70)]}, "too_large"),
    ],
    ids=["none", "long", "long selection", "deep"],
)
async def test_an_anchor_has_bounds(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, payload: dict[str, Any], reason: str
) -> None:
    here, _ = pair

    with pytest.raises(ErrorReply) as refused:
        await here.call(room, "move_cursor", payload)

    assert refused.value.reason == reason
    assert len(board._cursors) == 0


@pytest.mark.parametrize(
    "anchor", ["[1,}", "tru", '"\\x"', ""], ids=["mixed", "word", "escape", "empty"]
)
async def test_an_anchor_that_is_no_json_ends_the_socket_as_any_such_frame(
    pair: tuple[PhoenixClient, PhoenixClient], room: str, anchor: str
) -> None:
    here, there = pair

    await here.send(f'["{here.join_refs[room]}","9","{room}","move_cursor",{{"anchor":{anchor}}}]')

    assert await here.close_code() == 4400
    await there.heartbeat()
    assert there.waiting(MOVED) == []


async def test_an_anchor_travels_as_it_was_written(
    pair: tuple[PhoenixClient, PhoenixClient], room: str
) -> None:
    """No number is rounded on the way, no member lost."""
    here, there = pair
    anchor = '{"clock":12345678901234567890,"x":1.10,"b":[],"b":{"é":"\\u00e9"}}'
    frames: list[str] = []
    receive = there.connection.recv

    async def listen() -> str | bytes:
        frames.append(str(frame := await receive()))
        return frame

    there.connection.recv = listen  # type: ignore[method-assign,assignment]
    await there.heartbeat()

    await here.send(f'["{here.join_refs[room]}","9","{room}","move_cursor",{{"anchor":{anchor}}}]')
    await there.next(MOVED)

    assert any(f'"anchor":{anchor},"selection":null' in frame for frame in frames)


def test_bytes_that_are_no_text_go_no_further() -> None:
    """A long-poll may bring them; a WebSocket that passed them on would be closed by its client."""
    with pytest.raises(PushError) as refused:
        _check(b'"\xff"', b"null")

    assert refused.value.reason == "invalid_payload"


async def test_the_lobby_has_no_cursors(connect: Connect, ada: User) -> None:
    client = await connect(ada)
    await enter(client)

    with pytest.raises(ErrorReply) as refused:
        await client.call(LOBBY, "move_cursor", {"anchor": 1})

    assert refused.value.reason == "unknown_event"
