"""Runs over REST: the same actions as on the socket, with the right statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction

from conversation.assistant import actions, runs, shapes
from conversation.assistant.models import Run
from conversation.assistant.runs import Outcome
from conversation.assistant.schema import StartRun
from conversation.facts import lock
from conversation.rates import rates
from tests.support.rest import rest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from conversation.models import Conversation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api(ada: User) -> APIClient:
    rates.cache_clear()
    return rest(ada)


@pytest.fixture
def address(room: Conversation) -> str:
    return f"/api/v1/conversations/{room.id}"


def start(api: APIClient, address: str, **more: Any) -> Any:
    """A run that no process here may claim: it waits in the queue."""
    return api.post(f"{address}/runs/", {"body": "Why?", "client_id": "r1", **more})


def end(run_id: str, status: str, text: str = "") -> None:
    """Ends a run as the process that has it would."""
    Run.objects.filter(pk=run_id).update(text=text, offset=len(text))
    with transaction.atomic():
        run = shapes.runs().get(pk=run_id)
        runs.finish(lock(run.conversation_id), run, Outcome(status))


def test_starting_answers_201_and_again_200(api: APIClient, address: str) -> None:
    first, second = start(api, address), start(api, address)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.data["run"]["id"] == second.data["run"]["id"]
    assert first.data["message"]["run"]["status"] == "queued"


def test_active_runs_and_one_run_can_be_read(api: APIClient, address: str) -> None:
    run_id = start(api, address).data["run"]["id"]

    (listed,) = api.get(f"{address}/runs/").data["runs"]
    read = api.get(f"{address}/runs/{run_id}/").data["run"]

    assert listed == read
    assert read["text"] == ""


def test_a_run_is_stopped_with_a_verdict(api: APIClient, address: str) -> None:
    run_id = start(api, address).data["run"]["id"]

    first = api.post(f"{address}/runs/{run_id}/cancel/")
    second = api.post(f"{address}/runs/{run_id}/cancel/")

    assert (first.status_code, first.data["verdict"]) == (200, "dequeued")
    assert (second.data["verdict"], second.data["status"]) == ("already_finished", "cancelled")


def test_a_second_run_is_a_conflict_that_names_the_first(api: APIClient, address: str) -> None:
    run_id = start(api, address).data["run"]["id"]

    refused = start(api, address, client_id="r2")

    assert (refused.status_code, refused.data["reason"]) == (409, "run_active")
    assert refused.data["run_id"] == run_id


def test_an_answer_is_regenerated_selected_and_continued(api: APIClient, address: str) -> None:
    started = start(api, address).data
    first = started["message"]["id"]
    end(started["run"]["id"], "interrupted", "Half an ")

    again = api.post(f"{address}/messages/{first}/regenerate/", {"client_id": "r2"})
    end(again.data["run"]["id"], "finished", "Other.")
    selected = api.post(f"{address}/messages/{first}/select/")
    by_number = api.post(f"{address}/messages/{first}/select/", {"index": 2})
    beyond = api.post(f"{address}/messages/{first}/select/", {"index": 3})
    more = api.post(f"{address}/runs/{started['run']['id']}/continue/", {"client_id": "r3"})

    assert again.status_code == 201
    assert again.data["message"]["branch"] == {"index": 2, "count": 2, "selected": True}
    assert selected.data == {"branch_of": first, "message_id": first}
    assert by_number.data == {"branch_of": first, "message_id": again.data["message"]["id"]}
    assert (beyond.status_code, beyond.data["reason"]) == (400, "invalid_payload")
    assert more.data["run"]["continues"] == started["run"]["id"]
    assert more.data["message"]["body"] == "Half an "
    assert more.data["message"]["branch"] == {"index": 3, "count": 3, "selected": True}


def test_a_question_is_asked_otherwise(api: APIClient, address: str) -> None:
    started = start(api, address).data
    end(started["run"]["id"], "finished", "Because.")

    asked = api.post(
        f"{address}/messages/{started['run']['request_id']}/branches/",
        {"body": "Why not?", "client_id": "r2"},
    )
    page = api.get(f"{address}/messages/").data["results"]

    assert asked.status_code == 201
    assert [message["body"] for message in page] == ["Why not?", ""]


def test_a_question_is_not_asked_otherwise_under_an_id_that_is_taken(
    api: APIClient, address: str
) -> None:
    sent = api.post(f"{address}/messages/", {"body": "Why?", "client_id": "m1"}).data["message"]
    body = {"body": "Why not?", "client_id": "m1"}

    refused = api.post(f"{address}/messages/{sent['id']}/branches/", body)

    assert (refused.status_code, refused.data["reason"]) == (409, "conflict")


def test_a_deleted_question_is_not_answered_again(api: APIClient, address: str) -> None:
    started = start(api, address).data
    run_id, answer = started["run"]["id"], started["message"]["id"]
    end(run_id, "interrupted", "Half an ")
    api.delete(f"{address}/messages/{started['run']['request_id']}/")

    again = api.post(f"{address}/messages/{answer}/regenerate/", {"client_id": "r2"})
    more = api.post(f"{address}/runs/{run_id}/continue/", {"client_id": "r3"})

    assert (again.status_code, more.status_code) == (409, 409)
    assert Run.objects.count() == 1


def test_runs_that_may_not_begin_stand_in_nobodys_way(
    ada: User, grace: User, make_room: Callable[[], Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_CLAIMED", 2)
    rooms = [make_room() for _ in range(4)]

    def wait(user: User, room: Conversation) -> Run:
        asked = StartRun(body="Why?", client_id=str(room.id), queue=True)
        return Run.objects.get(pk=actions.start_run(room.id, user.pk, asked).run["id"])

    wait(ada, rooms[0])
    runs.claim_queued("here")
    for room in rooms[1:3]:
        wait(ada, room)
    last = wait(grace, rooms[3])

    assert [claim.run_id for claim in runs.claim_queued("here")] == [last.id]


def test_strangers_are_told_that_there_is_nothing(
    api: APIClient, address: str, linus: User
) -> None:
    run_id = start(api, address).data["run"]["id"]
    api.force_authenticate(linus)

    answers = [
        api.get(f"{address}/runs/"),
        api.get(f"{address}/runs/{run_id}/"),
        api.post(f"{address}/runs/{run_id}/cancel/"),
        api.post(f"{address}/runs/{run_id}/continue/", {"client_id": "r2"}),
        api.post(f"{address}/runs/{run_id}/approvals/t1/", {"approve": True}),
        start(api, address),
    ]

    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("runs/", {"client_id": "r1"}),
        ("runs/", {"client_id": "", "body": "hm"}),
        ("runs/", {"client_id": "r1", "body": "hm", "message_id": "x"}),
        ("runs/", {"client_id": "r1", "body": ""}),
    ],
)
def test_what_is_not_of_the_form_is_refused(
    api: APIClient, address: str, verb: str, body: dict[str, str]
) -> None:
    answer = api.post(f"{address}/{verb}", body)

    assert (answer.status_code, answer.data["reason"]) == (400, "invalid_payload")
