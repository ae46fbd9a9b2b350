"""Many writers at once, in threads and in processes, on both databases: no gap, no repeat, nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.server import ROOT, clean_environment

THREADS = 6
MESSAGES = 40


class Race:
    """Writers of one database, each a process with several threads."""

    def __init__(self, database_url: str) -> None:
        self.environment = clean_environment(
            DATABASE_URL=database_url, DJANGO_SETTINGS_MODULE="commsite.settings"
        )
        self.room: str = self.answer(self.start("open"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tests.conversation.racing", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def answer(process: subprocess.Popen[str]) -> Any:
        out, error = process.communicate(timeout=100)
        assert process.returncode == 0, error
        return json.loads(out)

    def run(self, *writers: tuple[str, list[str]]) -> list[list[Any]]:
        """Lets (username, client ids) write at once; what each send was answered."""
        processes = [
            self.start("send", self.room, username, str(THREADS), *client_ids)
            for username, client_ids in writers
        ]
        return [answer for process in processes for answer in self.answer(process)]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def race(request: pytest.FixtureRequest) -> Race:
    url = "database_url" if request.param == "sqlite" else "postgres_url"
    return Race(request.getfixturevalue(url))


@pytest.mark.timeout(120)
def test_many_writers_make_one_sequence_without_gap_or_repeat(race: Race) -> None:
    answers = race.run(
        ("ada", [f"ada {n}" for n in range(MESSAGES)]),
        ("grace", [f"grace {n}" for n in range(MESSAGES)]),
    )

    assert sorted(seq for _, seq, _, _ in answers) == list(range(1, 2 * MESSAGES + 1))
    assert len({message_id for _, _, message_id, _ in answers}) == 2 * MESSAGES
    assert all(is_new for _, _, _, is_new in answers)


@pytest.mark.timeout(120)
def test_a_message_sent_from_everywhere_at_once_is_one_message(race: Race) -> None:
    client_ids = [f"c{n // 4}" for n in range(MESSAGES)]

    answers = race.run(("ada", client_ids), ("ada", client_ids))

    messages: dict[str, set[tuple[int, str]]] = {}
    for client_id, seq, message_id, _ in answers:
        messages.setdefault(client_id, set()).add((seq, message_id))
    assert all(len(found) == 1 for found in messages.values())
    assert sorted(client_id for client_id, _, _, is_new in answers if is_new) == sorted(
        set(client_ids)
    )
    seqs = sorted(seq for found in messages.values() for seq, _ in found)
    assert seqs == list(range(1, MESSAGES // 4 + 1))
