"""The table of live connections: what a process writes of its sockets, and what becomes of the dead."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from commsite.clients import connections, queries
from commsite.clients.connections import ConnectionTable, store
from commsite.clients.models import ClientSession, Connection, Node
from commsite.realtime.hub import hub
from commsite.realtime.telemetry import count
from tests.commsite.clients.logins import identity_of, pair_for, session_of, transport_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from commsite.realtime.user_socket import UserSocket
    from tests.commsite.clients.conftest import OpenSocket

pytestmark = pytest.mark.django_db(transaction=True)


class Idle(ConnectionTable):
    """The hub's own table: writes nothing, so that only the test's does."""

    async def write_when_due(self) -> None:
        """Never."""

    async def close(self) -> None:
        """Has nothing to remove."""


@pytest.fixture(autouse=True)
def _quiet_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commsite.clients.watch.ConnectionTable", Idle)


@pytest.fixture
def table(open_socket: OpenSocket) -> ConnectionTable:
    """A table that is written when the test says so."""
    return ConnectionTable("node-a", hub.by_id)


@pytest.fixture
async def socket(open_socket: OpenSocket, ada: User) -> UserSocket:
    session = await sync_to_async(lambda: session_of(pair_for(ada)))()
    identity = await sync_to_async(identity_of)(ada, str(session.id))
    return open_socket(identity, "Firefox/140.0", "2001:db8::1")


async def test_an_open_socket_is_a_row(table: ConnectionTable, socket: UserSocket) -> None:
    await table.write()
    row = await Connection.objects.select_related("user", "session").aget()
    assert (row.id, row.node_id, row.user.username) == (socket.id, "node-a", "ada")
    assert row.session is not None
    assert (row.address, row.user_agent) == ("2001:db8::1", "Firefox/140.0")
    assert abs(row.since.timestamp() - socket.opened_at) < 0.001
    assert (row.topics, row.bytes_waiting, row.rtt_ms) == ([], 0, 12.3)


async def test_what_changed_is_written_in_turn(table: ConnectionTable, socket: UserSocket) -> None:
    await table.write()
    socket.receive(
        f'["1","1","user:{socket.identity.user_id}","phx_join",{{}}]'.encode(), is_binary=False
    )
    transport_of(socket).rtt_ms = 99.0
    await table.write()
    await table.write()
    row = await Connection.objects.aget()
    assert row.topics == [f"user:{socket.identity.user_id}"]
    assert row.rtt_ms == 99.0


async def test_what_did_not_change_is_not_written_again(
    table: ConnectionTable, socket: UserSocket
) -> None:
    await table.write()
    assert [table.batch().rows for _ in range(3)] == [[], [], []]


async def test_a_closed_socket_is_no_row(table: ConnectionTable, socket: UserSocket) -> None:
    await table.write()
    hub.remove(socket, 1000)
    await table.write()
    assert not await Connection.objects.aexists()


async def test_a_round_looks_at_a_bounded_number_and_in_the_end_at_all(
    table: ConnectionTable,
    open_socket: OpenSocket,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identity = await sync_to_async(identity_of)(ada, str(uuid.uuid4()))
    for _ in range(7):
        open_socket(identity)
    await table.write()
    monkeypatch.setattr(connections, "REFRESH_MAX", 3)
    for socket in hub.sockets():
        transport_of(socket).rtt_ms = 1.0
    looked_at = []
    for _ in range(4):
        batch = table.batch()
        assert len(batch.rows) <= 3
        looked_at += [row["id"] for row in batch.rows]
    assert set(looked_at) == set(hub.by_id)


async def test_what_could_not_be_written_is_written_the_next_time(
    table: ConnectionTable, socket: UserSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        async def broken(*args: object) -> None:
            raise OSError("no database")

        patch.setattr(connections, "in_thread", broken)
        with pytest.raises(OSError, match="no database"):
            await table.write()
    await table.write()
    assert await Connection.objects.acount() == 1


async def test_a_process_that_was_taken_for_dead_writes_everything_again(
    table: ConnectionTable, socket: UserSocket
) -> None:
    await table.write()
    await Node.objects.filter(id="node-a").adelete()
    await table.write()
    await table.write()
    assert await Connection.objects.filter(node_id="node-a").acount() == 1


async def test_a_user_or_session_that_is_gone_does_not_stop_the_writing(
    table: ConnectionTable, open_socket: OpenSocket, ada: User
) -> None:
    identity = await sync_to_async(identity_of)(ada, str(uuid.uuid4()))
    open_socket(identity)
    await sync_to_async(ada.delete)()
    await table.write()
    assert await Node.objects.filter(id="node-a").aexists()


def _age(node: str, seconds: float) -> None:
    Node.objects.filter(id=node).update(seen_at=timezone.now() - timedelta(seconds=seconds))


async def test_a_dead_processs_connections_are_shown_no_more_and_then_removed(
    table: ConnectionTable, socket: UserSocket
) -> None:
    await table.write()
    await sync_to_async(_age)("node-a", 60)
    assert not await queries.live_connections().aexists()
    await sync_to_async(store)("node-b", connections.Batch([], [], set()))
    assert not await Node.objects.filter(id="node-a").aexists()
    assert not await Connection.objects.aexists()


async def test_a_process_that_ends_leaves_nothing(
    table: ConnectionTable, socket: UserSocket
) -> None:
    await table.write()
    await table.close()
    assert not await Node.objects.filter(id="node-a").aexists()


async def test_a_session_with_a_live_socket_was_seen_just_now(
    table: ConnectionTable, socket: UserSocket
) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    await ClientSession.objects.aupdate(last_seen_at=long_ago)
    await table.write()
    assert (await ClientSession.objects.aget()).last_seen_at > timezone.now() - timedelta(minutes=1)


async def test_a_process_reports_its_limits_and_what_they_cost(
    table: ConnectionTable, socket: UserSocket
) -> None:
    count("connections_refused_total", limit="user")
    count("something_else_total")
    await table.write()
    report = (await Node.objects.aget(id="node-a")).report
    assert report["sockets"] == 1
    assert report["limits"]["SOCKETS_PER_USER"] == 10
    assert report["counted"]["connections_refused_total limit=user"] >= 1
    assert not any("something_else" in name for name in report["counted"])


async def test_writing_is_due_only_so_often(
    table: ConnectionTable, socket: UserSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []

    async def counted() -> None:
        writes.append(1)

    monkeypatch.setattr(table, "write", counted)
    for _ in range(5):
        await table.write_when_due()
    assert len(writes) == 1
