"""Many writers at once, threads and processes, on both databases: no gap, no repeat, nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.databases import DATABASES, own_database
from tests.support.writers import Writers

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES = 40

pytestmark = pytest.mark.timeout(120)


class Race:
    """A conversation in a database, and writers of it."""

    def __init__(self, writers: Writers) -> None:
        self.run = writers.run
        (self.room,) = self.run(["open"])

    def send(self, username: str, client_ids: list[str]) -> list[str]:
        """A writer that sends these."""
        return ["send", self.room, username, *client_ids]


@pytest.fixture(scope="module", params=DATABASES)
def writers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Writers]:
    folder = tmp_path_factory.mktemp("race")
    url = own_database(request.param, request, folder)
    limits = {
        "COMMSITE_ATTACHMENTS_UNSENT": "3",
        "COMMSITE_ASSISTANT_QUEUED_PER_USER": "100",
        "COMMSITE_RUNS_PER_MIN": "1000",
        "COMMSITE_MEDIA_ROOT": str(folder / "media"),
    }
    with Writers("tests.conversation.racing", url, **limits) as writers:
        yield writers


@pytest.fixture
def race(writers: Writers) -> Race:
    return Race(writers)


def test_many_writers_make_one_sequence_without_gap_or_repeat(race: Race) -> None:
    adas, graces, _ = race.run(
        race.send("ada", [f"ada {n}" for n in range(MESSAGES)]),
        race.send("grace", [f"grace {n}" for n in range(MESSAGES)]),
        ["rule", race.room, "5"],
    )
    (facts,) = race.run(["facts", race.room])

    sent = adas + graces
    assert [seq for seq, _, _ in facts] == list(range(1, 2 * MESSAGES + 15 + 1))
    assert Counter(event for _, event, _ in facts) == {
        "message_sent": 2 * MESSAGES,
        "conversation_renamed": 5,
        "member_added": 5,
        "member_removed": 5,
    }
    assert sorted(seq for _, seq, _, _ in sent) == [
        seq for seq, event, _ in facts if event == "message_sent"
    ]
    assert all(is_new for _, _, _, is_new in sent)


def test_a_message_sent_from_everywhere_at_once_is_one_message(race: Race) -> None:
    client_ids = [f"c{n // 4}" for n in range(MESSAGES)]

    here, there = race.run(race.send("ada", client_ids), race.send("ada", client_ids))

    messages: dict[str, set[tuple[int, str]]] = {}
    for client_id, seq, message_id, _ in here + there:
        messages.setdefault(client_id, set()).add((seq, message_id))
    assert all(len(found) == 1 for found in messages.values())
    new = sorted(client_id for client_id, _, _, is_new in here + there if is_new)
    assert new == sorted(set(client_ids))
    seqs = sorted(seq for found in messages.values() for seq, _ in found)
    assert seqs == list(range(1, MESSAGES // 4 + 1))


def test_reactions_from_everywhere_at_once_are_one_set_and_the_facts_lead_to_it(race: Race) -> None:
    ((_, _, message_id, _),) = race.run(race.send("ada", ["c1"]))[0]
    reactors = [["react", race.room, who, message_id, "15"] for who in ("ada", "ada", "grace")]

    race.run(*reactors)
    (facts,), (message,) = (
        race.run(["facts", race.room]),
        race.run(["message", race.room, message_id]),
    )

    assert [seq for seq, _, _ in facts] == list(range(1, len(facts) + 1))
    told: set[tuple[str, int]] = set()
    for _, event, payload in facts[1:]:
        one = (payload["emoji"], payload["user"]["id"])
        # Nobody is told of what changes nothing.
        assert (one in told) == (event == "reaction_removed")
        told ^= {one}
    kept = {
        (each["emoji"], user_id) for each in message["reactions"] for user_id in each["user_ids"]
    }
    assert kept == told


def test_of_edits_of_one_revision_at_once_exactly_one_is_taken(race: Race) -> None:
    ((_, _, message_id, _),) = race.run(race.send("ada", ["c1"]))[0]
    bodies = [[f"{writer} {n}" for n in range(6)] for writer in ("here", "there")]

    taken = race.run(*(["edit", race.room, "ada", message_id, *each] for each in bodies))
    (facts,), (message,) = (
        race.run(["facts", race.room]),
        race.run(["message", race.room, message_id]),
    )

    assert [message["body"]] == [body for each in taken for body in each]
    assert message["revision"] == 2
    assert [event for _, event, _ in facts] == ["message_sent", "message_edited"]


def test_marks_from_everywhere_at_once_end_at_the_furthest_and_never_went_back(race: Race) -> None:
    race.run(race.send("ada", [f"c{n}" for n in range(20)]))
    readers = [["mark", race.room, who, str(n), "20"] for who in ("ada", "grace") for n in (0, 1)]

    seen = race.run(*readers)
    ((marks, told),) = race.run(["marks", race.room])

    assert marks == {"ada": [20, 20], "grace": [20, 20]}
    assert told == len(marks)
    for each in seen:
        assert each == sorted(each)


def test_what_one_person_may_have_is_counted_over_all_conversations_at_once(race: Race) -> None:
    (rooms,) = race.run(["rooms", "4"])

    *uploaded, begun, others = race.run(
        ["upload", "ada", "6", *rooms],
        ["upload", "ada", "6", *rooms[::-1]],
        ["ask", "ada", "4", *rooms],
        ["ask", "ada", "4", *rooms[::-1]],
    )
    (most,) = race.run(["begin", "8", *rooms])

    assert sum(uploaded) == 3
    assert begun + others == 1
    assert most == 1
