"""A client that joins again and again before it was answered, and one that gives refs to what it never joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commsite.realtime.limits import limits
from tests.commsite.realtime import rooms
from tests.support.socket_client import settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]

JOINS = 3_000


async def test_thousands_of_joins_that_were_never_answered_are_closed_behind_the_last_one(
    connect: Connect, set_limits: Callable[..., None]
) -> None:
    set_limits(joins_per_s=2 * JOINS, pushes_per_s=2 * JOINS, push_burst=2 * JOINS)
    client = connect()
    client.socket.limits = limits()
    for number in range(JOINS):
        client.send(str(number), str(number), "slow:1", "phx_join", {})
    await settle()
    rooms.gates["slow:1"].set()
    await settle()
    first, *closes = client.seen
    assert (first.ref, first.event) == (str(JOINS - 1), "phx_reply")
    assert [frame.ref for frame in closes] == [str(number) for number in range(JOINS - 1)]
    assert {frame.event for frame in closes} == {"phx_close"}
    assert client.socket.topics == ["slow:1"]


async def test_a_topic_that_needs_no_join_answers_whatever_join_ref_it_is_given(
    connect: Connect,
) -> None:
    client = connect()
    client.send("9", "1", "client", "whoami", {})
    client.send(None, "2", "client", "whoami", {})
    assert [(frame.join_ref, frame.ref) for frame in client.seen] == [("9", "1"), (None, "2")]
    assert {frame.payload["status"] for frame in client.seen} == {"ok"}
