"""The admin's pages of clients: they render, they show nothing secret, they revoke and disconnect."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from commsite.clients import actions, tickets
from commsite.clients.models import ClientSession, Connection, Node, Preferences, TokenVersion
from tests.commsite.clients.logins import pair_for, session_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpResponse

pytestmark = pytest.mark.django_db

TABLES = (
    "clientsession",
    "connection",
    "node",
    "preferences",
    "revocation",
    "ticket",
    "tokenversion",
)


@pytest.fixture
def desk(boss: User) -> Client:
    """The administrator's browser."""
    browser = Client()
    browser.force_login(boss)
    return browser


@pytest.fixture
def connection(ada: User) -> Connection:
    session, now = session_of(pair_for(ada, "Ada's phone")), timezone.now()
    return Connection.objects.create(
        id="c-1",
        node=Node.objects.create(id="node-a"),
        user=ada,
        session=session,
        address="192.0.2.1",
        since=now - timedelta(hours=2),
        topics=["client", "conversation:1"],
        bytes_waiting=12345,
        rtt_ms=17.5,
        updated_at=now,
    )


@pytest.fixture
def one_of_each(ada: User, connection: Connection) -> None:
    pair = pair_for(ada)
    Preferences.objects.create(user=ada, values={"theme": "dark"})
    TokenVersion.objects.create(user=ada, version=3)
    actions.revoke_session(session_of(pair).id, ClientSession.Ended.LOGOUT)
    session_id = str(session_of(pair_for(ada)).id)
    tickets.issue(session_id, origin="https://site.example", identity_expires_at=None)


def act(desk: Client, table: str, action: str, *ids: object) -> HttpResponse:
    return desk.post(
        reverse(f"admin:clients_{table}_changelist"),
        {"action": action, "_selected_action": [str(number) for number in ids]},
        follow=True,
    )  # type: ignore[return-value]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_list_and_a_page(desk: Client, one_of_each: None, table: str) -> None:
    url = reverse(f"admin:clients_{table}_changelist")
    answer = desk.get(url)
    assert answer.status_code == 200
    rows = list(answer.context["cl"].result_list)
    assert rows
    assert desk.get(reverse(f"admin:clients_{table}_change", args=[rows[0].pk])).status_code == 200
    assert desk.get(f"{url}add/").status_code == 403
    assert desk.get(url, {"q": "ada"}).status_code == 200


def test_the_admin_has_our_name(desk: Client) -> None:
    assert "Commsite" in desk.get("/admin/").content.decode()


def test_no_page_shows_what_could_be_used(desk: Client, ada: User, one_of_each: None) -> None:
    session = ClientSession.objects.filter(revoked_at=None).first()
    assert session is not None
    page = desk.get(reverse("admin:clients_clientsession_change", args=[session.pk]))
    assert session.refresh_id not in page.content.decode()


def test_live_connections_show_who_where_since_when_and_how_well(
    desk: Client, connection: Connection
) -> None:
    page = desk.get(reverse("admin:clients_connection_changelist")).content.decode()
    for shown in ("ada", "Ada&#x27;s phone", "192.0.2.1", "2\xa0hours", "12345", "17.5", "node-a"):
        assert shown in page


def test_a_connection_of_a_dead_process_is_not_shown(desk: Client, connection: Connection) -> None:
    Node.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    answer = desk.get(reverse("admin:clients_connection_changelist"))
    assert not answer.context["cl"].result_list


def test_the_list_of_connections_costs_no_query_per_row(
    desk: Client, connection: Connection, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        connection.pk = f"more-{number}"
        connection.save(force_insert=True)
    with django_assert_max_num_queries(12):
        desk.get(reverse("admin:clients_connection_changelist"))


def test_a_process_shows_its_limits_and_how_often_they_were_reached(
    desk: Client, connection: Connection
) -> None:
    report = {
        "sockets": 7,
        "limits": {"SOCKETS_PER_USER": 10},
        "counted": {"connections_refused_total limit=user": 41, "x_dropped_total": 1},
    }
    Node.objects.update(report=report)
    assert ">42<" in desk.get(reverse("admin:clients_node_changelist")).content.decode()
    page = desk.get(reverse("admin:clients_node_change", args=["node-a"])).content.decode()
    assert "connections_refused_total limit=user: 41" in page
    assert "SOCKETS_PER_USER: 10" in page


def test_disconnect_reaches_the_process_that_has_the_socket(
    desk: Client,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "commsite.realtime.pubsub.control", lambda kind, payload: told.append((kind, payload))
    )
    with django_capture_on_commit_callbacks(execute=True):
        answer = act(desk, "connection", "disconnect", connection.id)
    assert answer.status_code == 200
    ((kind, payload),) = told
    assert (kind, payload["connection_id"]) == (actions.DISCONNECT, connection.id)


def test_revoke_ends_the_chosen_sessions(desk: Client, ada: User) -> None:
    chosen, other = session_of(pair_for(ada)), session_of(pair_for(ada))
    act(desk, "clientsession", "revoke", chosen.id)
    chosen.refresh_from_db()
    other.refresh_from_db()
    assert chosen.revoked_reason == "admin"
    assert not other.is_revoked


def test_a_user_with_sessions_can_be_deleted_in_the_admin(
    desk: Client, ada: User, one_of_each: None
) -> None:
    answer = desk.post(reverse("admin:auth_user_delete", args=[ada.pk]), {"post": "yes"})
    assert answer.status_code == 302
    assert not type(ada).objects.filter(pk=ada.pk).exists()


def test_nothing_of_clients_is_deleted_by_hand(desk: Client, ada: User) -> None:
    session = session_of(pair_for(ada))
    url = reverse("admin:clients_clientsession_delete", args=[session.id])
    assert desk.post(url, {"post": "yes"}).status_code == 403


def test_a_user_who_is_no_administrator_sees_nothing_of_it(ada: User) -> None:
    browser = Client()
    browser.force_login(ada)
    answer = browser.get(reverse("admin:clients_connection_changelist"))
    assert answer.status_code == 302
