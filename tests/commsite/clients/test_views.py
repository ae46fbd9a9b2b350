"""My sessions and my preferences over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from commsite.clients import actions, queries
from commsite.clients.actions import Client as Caller
from commsite.clients.models import ClientSession, Preferences
from commsite.clients.schema import DEFAULT_PREFERENCES
from tests.commsite.clients.logins import pair_for, session_of, speaking_for

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries
    from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

SESSIONS, PREFERENCES = "/api/v1/sessions/", "/api/v1/preferences/"


# --- Sessions ------------------------------------------------------------------------------------
def test_i_see_my_sessions_newest_first_and_which_one_asks(ada: User, grace: User) -> None:
    first, second = pair_for(ada, "first"), pair_for(ada, "second")
    pair_for(grace, "hers")
    answer = speaking_for(first).get(SESSIONS)
    assert answer.status_code == 200
    rows = answer.json()["results"]
    assert [row["name"] for row in rows] == ["second", "first"]
    assert [row["is_current"] for row in rows] == [False, True]
    assert rows[1]["id"] == str(session_of(first).id)
    assert set(rows[0]) == {
        "id",
        "name",
        "kind",
        "address",
        "user_agent",
        "created_at",
        "last_seen_at",
        "is_current",
    }
    assert second.access not in answer.content.decode()


def test_a_page_sees_itself_as_current(ada: User) -> None:
    browser = Client()
    browser.force_login(ada)
    (row,) = browser.get(SESSIONS).json()["results"]
    assert row["is_current"] is True
    assert row["kind"] == "browser"


def test_ended_sessions_are_not_listed(ada: User) -> None:
    keeps, ended = pair_for(ada, "keeps"), pair_for(ada, "ended")
    actions.revoke_session(session_of(ended).id, ClientSession.Ended.REVOKED)
    rows = speaking_for(keeps).get(SESSIONS).json()["results"]
    assert [row["name"] for row in rows] == ["keeps"]


def test_a_session_that_cannot_speak_any_more_is_not_listed(ada: User) -> None:
    asks, forgotten, kept = pair_for(ada, "asks"), pair_for(ada, "old"), pair_for(ada, "kept")
    long_ago = timezone.now() - timedelta(days=31)
    for pair in (forgotten, kept):
        ClientSession.objects.filter(id=session_of(pair).id).update(created_at=long_ago)
    actions.refresh_tokens(kept.refresh, timezone.now())
    rows = speaking_for(asks).get(SESSIONS).json()["results"]
    assert {row["name"] for row in rows} == {"asks", "kept"}


def test_a_long_list_goes_on_page_by_page(ada: User) -> None:
    pair = pair_for(ada)
    for number in range(5):
        actions.open_session(ada, ClientSession.Kind.TOKEN, Caller(name=f"n{number}"))
    client, seen, url = speaking_for(pair), [], f"{SESSIONS}?limit=2"
    while url:
        page = client.get(url).json()
        assert len(page["results"]) <= 2
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 6


def test_listing_costs_no_query_per_session(
    ada: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = speaking_for(pair_for(ada))
    for _ in range(10):
        pair_for(ada)
    with django_assert_max_num_queries(3):
        assert len(client.get(SESSIONS).json()["results"]) == 11


def test_i_read_one_of_mine_and_nobody_elses(ada: User, grace: User) -> None:
    mine, hers = pair_for(ada), pair_for(grace)
    client = speaking_for(mine)
    assert client.get(f"{SESSIONS}{session_of(mine).id}/").json()["is_current"] is True
    answer = client.get(f"{SESSIONS}{session_of(hers).id}/")
    assert (answer.status_code, answer.json()["reason"]) == (404, "not_found")


def test_deleting_a_session_revokes_it(ada: User) -> None:
    mine, lost = pair_for(ada), pair_for(ada, "lost phone")
    answer = speaking_for(mine).delete(f"{SESSIONS}{session_of(lost).id}/")
    assert answer.status_code == 204
    assert session_of(lost).revoked_reason == "revoked"
    assert speaking_for(lost).get(SESSIONS).status_code == 401
    assert speaking_for(mine).get(SESSIONS).status_code == 200


def test_nobody_deletes_another_users_session(ada: User, grace: User) -> None:
    hers = pair_for(grace)
    answer = speaking_for(pair_for(ada)).delete(f"{SESSIONS}{session_of(hers).id}/")
    assert answer.status_code == 404
    assert not session_of(hers).is_revoked


def test_a_session_may_delete_itself(ada: User) -> None:
    mine = pair_for(ada)
    assert speaking_for(mine).delete(f"{SESSIONS}{session_of(mine).id}/").status_code == 204
    assert speaking_for(mine).get(SESSIONS).status_code == 401


def test_an_id_that_is_none_is_not_found(ada: User) -> None:
    client = speaking_for(pair_for(ada))
    assert client.get(f"{SESSIONS}nonsense/").status_code == 404


@pytest.mark.parametrize("method", ["put", "patch", "post"])
def test_sessions_cannot_be_written(ada: User, method: str) -> None:
    pair = pair_for(ada)
    url = SESSIONS if method == "post" else f"{SESSIONS}{session_of(pair).id}/"
    answer = getattr(speaking_for(pair), method)(url, {"name": "x"})
    assert (answer.status_code, answer.json()["reason"]) == (405, "method_not_allowed")


# --- Preferences ---------------------------------------------------------------------------------
@pytest.fixture
def mine(ada: User) -> APIClient:
    return speaking_for(pair_for(ada))


def test_preferences_have_defaults(mine: APIClient) -> None:
    assert mine.get(PREFERENCES).json() == DEFAULT_PREFERENCES


def test_patch_changes_what_it_names(mine: APIClient) -> None:
    mine.patch(PREFERENCES, {"theme": "dark"})
    answer = mine.patch(PREFERENCES, {"send_with": "ctrl_enter"})
    assert answer.json() == DEFAULT_PREFERENCES | {"theme": "dark", "send_with": "ctrl_enter"}
    assert mine.get(PREFERENCES).json() == answer.json()


def test_put_sets_the_rest_to_its_default(mine: APIClient) -> None:
    mine.patch(PREFERENCES, {"send_with": "ctrl_enter"})
    assert mine.put(PREFERENCES, {"theme": "dark"}).json() == DEFAULT_PREFERENCES | {
        "theme": "dark"
    }


@pytest.mark.parametrize(
    "wrong", [{"theme": "pink"}, {"theme": 5}, {"colour": "red"}, {"theme": None}, ["theme"]]
)
def test_what_is_no_preference_changes_nothing(mine: APIClient, wrong: Any) -> None:
    for method in (mine.put, mine.patch):
        answer = method(PREFERENCES, wrong)
        assert (answer.status_code, answer.json()["reason"]) == (400, "invalid_payload")
    assert not Preferences.objects.exists()


def test_an_unknown_preference_is_told_what_there_is(mine: APIClient) -> None:
    fields = mine.patch(PREFERENCES, {"colour": "red"}).json()["fields"]
    assert "theme" in str(fields["colour"])


def test_preferences_are_the_users_own(mine: APIClient, grace: User) -> None:
    mine.patch(PREFERENCES, {"theme": "dark"})
    assert speaking_for(pair_for(grace)).get(PREFERENCES).json() == DEFAULT_PREFERENCES


def test_a_stored_preference_that_was_abolished_is_not_shown(ada: User) -> None:
    Preferences.objects.create(user=ada, values={"theme": "dark", "abolished": True})
    assert queries.preferences_of(ada.pk) == DEFAULT_PREFERENCES | {"theme": "dark"}
