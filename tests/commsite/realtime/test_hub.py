"""Who may come, who must go: limits, deadlines, disconnections, drain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from commsite.realtime import hub as hub_module
from commsite.realtime.auth import Refused
from commsite.realtime.errors import CloseCode
from tests.commsite.realtime.conftest import tick
from tests.support.socket_client import identity, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from commsite.realtime.hub import Hub
    from tests.commsite.realtime.conftest import Clock
    from tests.support.socket_client import SocketClient

    Connect = Callable[..., SocketClient]
    SetLimits = Callable[..., None]


# -- limits


def refused(connect: Connect, *args: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        connect(*args, **options)
    assert caught.value.retry_after_s
    return caught.value.status, caught.value.reason


async def test_a_user_has_so_many_sockets_and_no_more(
    connect: Connect, set_limits: SetLimits
) -> None:
    set_limits(sockets_per_user=2)
    first = connect(1)
    connect(1)
    assert refused(connect, 1) == (429, "connection_limit")
    connect(2)
    first.vanish()
    connect(1)


async def test_sockets_of_other_processes_count_too(
    connect: Connect, hub: Hub, set_limits: SetLimits
) -> None:
    set_limits(sockets_per_user=3)
    payload = {"node": "elsewhere", "counts": {"1": 2}, "full": True}
    hub.on_control_message("census", payload)
    connect(1)
    assert refused(connect, 1) == (429, "connection_limit")
    hub.on_control_message("census_gone", {"node": "elsewhere"})
    connect(1)


async def test_the_sockets_of_a_process_that_died_are_forgotten(
    connect: Connect, hub: Hub, set_limits: SetLimits, clock: Clock
) -> None:
    set_limits(sockets_per_user=1)
    hub.on_control_message("census", {"node": "dead", "counts": {"1": 1}, "full": True})
    assert refused(connect, 1) == (429, "connection_limit")
    clock.now += 31
    hub.wheel.tick = hub_module.CENSUS_EVERY
    hub._housekeep()
    connect(1)


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ],
)
async def test_an_address_or_a_network_of_ipv6_has_so_many_sockets(
    connect: Connect, set_limits: SetLimits, first: str, second: str, is_same: bool
) -> None:
    set_limits(sockets_per_address=1)
    held = connect(1, address=first)
    if is_same:
        assert refused(connect, 2, address=second) == (429, "connection_limit")
        held.vanish()
    connect(2, address=second)


async def test_a_process_has_so_many_sockets(
    connect: Connect, hub: Hub, set_limits: SetLimits
) -> None:
    set_limits(sockets_per_process=1)
    assert hub.readiness() is None
    connect(1)
    assert refused(connect, 2, address="192.0.2.2") == (503, "overloaded")
    assert hub.readiness() == "connection_limit"


async def test_an_address_has_so_many_handshakes_under_way(hub: Hub, set_limits: SetLimits) -> None:
    set_limits(sockets_per_address_anonymous=2)
    first = hub.admission.begin_handshake("192.0.2.1")
    hub.admission.begin_handshake("192.0.2.1")
    with pytest.raises(Refused, match="429 connection_limit"):
        hub.admission.begin_handshake("192.0.2.1")
    hub.admission.begin_handshake("192.0.2.2")
    first.end()
    first.end()
    assert hub.admission.handshakes == 2
    hub.admission.begin_handshake("192.0.2.1")
    with pytest.raises(Refused, match="429 connection_limit"):
        hub.admission.begin_handshake("192.0.2.1")


async def test_a_benchmark_has_no_limits(connect: Connect, set_limits: SetLimits) -> None:
    set_limits(sockets_per_user=1, sockets_per_process=1, sockets_per_address=1, bench=True)
    for _ in range(3):
        connect(1)


async def test_who_comes_back_too_early_is_refused_until_the_time_told(
    connect: Connect, clock: Clock
) -> None:
    client = connect(1, session_id="s")
    client.socket.close(CloseCode.OVERLOADED, "busy", retry_after_ms=3000)
    client.vanish()
    clock.now += 2.5
    assert refused(connect, 1, session_id="s") == (429, "rate_limited")
    connect(1, session_id="another device")
    clock.now += 0.6
    connect(1, session_id="s")


async def test_deferrals_that_are_over_are_forgotten(hub: Hub, clock: Clock) -> None:
    hub.admission.defer("s", 5)
    clock.now += 6
    hub.admission.forget_past()
    assert hub.admission._deferred == {}


# -- deadlines


async def test_a_token_that_expires_is_announced_and_then_closes_the_socket(
    connect: Connect, hub: Hub, clock: Clock, set_limits: SetLimits
) -> None:
    set_limits(expiry_warning_s=60)
    expires_at = clock.now + 100
    client = connect(expires_at=expires_at)
    tick(hub, 39)
    assert client.seen == []
    tick(hub, 1)
    assert client.of("client") == [{"expires_at": expires_at}]
    tick(hub, 59)
    assert client.transport.closed is None
    tick(hub, 1)
    said = await client.assert_closed(4401)
    assert said["resume"] is False


async def test_a_renewed_token_keeps_the_socket_until_the_new_end(
    connect: Connect, hub: Hub, clock: Clock
) -> None:
    client = connect(expires_at=clock.now + 100)
    tick(hub, 50)
    clock.now += 50
    client.socket.renew(identity(expires_at=clock.now + 200))
    tick(hub, 199)
    assert [frame.event for frame in client.seen] == ["token_expiring", "token_expiring"]
    tick(hub, 1)
    await client.assert_closed(4401)


async def test_renewing_with_the_same_token_changes_nothing(
    connect: Connect, hub: Hub, clock: Clock
) -> None:
    client = connect(expires_at=clock.now + 100)
    for _ in range(5):
        client.socket.renew(identity(expires_at=clock.now + 100))
    tick(hub, 60)
    assert [frame.event for frame in client.seen] == ["token_expiring"]


async def test_a_token_about_to_expire_is_warned_of_at_once(
    connect: Connect, hub: Hub, clock: Clock
) -> None:
    client = connect(expires_at=clock.now + 5)
    tick(hub, 1)
    assert [frame.event for frame in client.seen] == ["token_expiring"]


async def test_a_warning_reaches_a_joined_client_topic_with_its_join_ref(
    connect: Connect, hub: Hub, clock: Clock
) -> None:
    client = connect(expires_at=clock.now + 5)
    await client.join("client")
    tick(hub, 1)
    assert client.seen[-1][:2] == ("1", None)
    assert client.seen[-1].event == "token_expiring"


async def test_a_silent_socket_is_closed_4010_and_a_frame_puts_it_off(
    connect: Connect, hub: Hub
) -> None:
    client = connect()
    hub.deadlines.watch_idle(client.socket, 60)
    tick(hub, 50)
    client.heartbeat()
    tick(hub, 59)
    assert client.transport.closed is None
    tick(hub, 1)
    said = await client.assert_closed(4010)
    assert said["resume"] is True


async def test_deadlines_of_a_socket_that_is_gone_do_nothing(
    connect: Connect, hub: Hub, clock: Clock
) -> None:
    client = connect(expires_at=clock.now + 5)
    hub.deadlines.watch_idle(client.socket, 5)
    client.vanish()
    tick(hub, 130)
    assert client.transport.closed is None
    assert not any(hub.wheel._slots)


async def test_a_deadline_that_fails_does_not_stop_the_clock(hub: Hub) -> None:
    def fail() -> None:
        raise RuntimeError("deadline")

    hub._run(fail)


# -- disconnections


async def test_a_client_session_is_disconnected_everywhere_it_is(
    connect: Connect, hub: Hub
) -> None:
    first, second = connect(1, session_id="a"), connect(1, session_id="a")
    other = connect(1, session_id="b")
    closed = hub.disconnect(
        user_id=1, session_id="a", code=CloseCode.UNAUTHENTICATED, reason="revoked"
    )
    assert closed == 2
    for client in (first, second):
        await client.assert_closed(4401)
    assert other.transport.closed is None


async def test_one_connection_is_disconnected_by_its_id(connect: Connect, hub: Hub) -> None:
    first, second = connect(1), connect(1)
    name = first.socket.id
    assert hub.disconnect(connection_id=name, code=CloseCode.GOING_AWAY, reason="admin") == 1
    said = await first.assert_closed(1001)
    assert said == {"code": 1001, "reason": "admin", "retry_after_ms": None, "resume": True}
    assert second.transport.closed is None


async def test_a_close_is_said_once_and_ends_every_channel(connect: Connect, hub: Hub) -> None:
    client = connect()
    await client.join("room:1")
    client.socket.close(CloseCode.GOING_AWAY, "one")
    client.socket.close(CloseCode.INTERNAL, "two")
    assert [frame.event for frame in client.seen] == ["phx_reply", "closing"]
    assert client.transport.closed == (1001, "one")
    assert hub.fanout.topics == {}


async def test_what_the_admin_sees_of_a_socket(connect: Connect, hub: Hub) -> None:
    client = connect(7)
    await client.join("room:1")
    (socket,) = hub.sockets()
    assert (socket.identity.user_id, socket.topics, socket.bytes_waiting, socket.rtt_ms) == (
        7, ["room:1"], 0, 12.5,
    )  # fmt: skip
    assert socket.node == hub.node
    assert hub.sockets_of(7) == [client.socket]
    assert hub.sockets_of(8) == []


# -- the end


async def test_a_drain_refuses_newcomers_and_closes_all_in_batches(
    connect: Connect, hub: Hub, set_limits: SetLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(drain_batch=2, drain_s=9)
    clients = [connect(number) for number in range(5)]
    closed: list[int] = []
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        closed.append(sum(client.transport.closed is not None for client in clients))

    monkeypatch.setattr(asyncio, "sleep", pause)
    await hub.drain()
    monkeypatch.undo()
    assert closed == [2, 4]
    assert sum(pauses) <= 9
    assert hub.readiness() == "draining"
    delays = set()
    for client in clients:
        said = await client.assert_closed(1012)
        assert said["resume"] is True
        delays.add(said["retry_after_ms"])
    assert len(delays) > 1
    assert refused(connect, 9) == (503, "draining")
    with pytest.raises(Refused, match="503 draining"):
        hub.admission.begin_handshake("192.0.2.9")
    await hub.drain()


async def test_a_drained_client_may_come_back_to_another_process_at_once(
    connect: Connect, hub: Hub
) -> None:
    connect(1)
    await hub.drain()
    assert hub.admission._deferred == {}


async def test_a_hub_starts_anew_on_another_loop_and_forgets_the_old(connect: Connect) -> None:
    client = connect()
    hub = client.hub
    await hub.stop()
    await hub.start()
    assert list(hub.sockets()) == []
    await settle()
