"""One credential shown many times at the same moment, on both databases: exactly one wins."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from tests.support.server import ROOT, clean_environment

THREADS = 8


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    name = "database_url" if request.param == "sqlite" else "postgres_url"
    found: str = request.getfixturevalue(name)
    return found


def race(verb: str, url: str) -> Counter[str]:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tests.commsite.clients.racing", verb, str(THREADS)],
        cwd=ROOT,
        env=clean_environment(DATABASE_URL=url, DJANGO_SETTINGS_MODULE="commsite.settings"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return Counter(json.loads(done.stdout)["answers"])


@pytest.mark.timeout(120)
def test_of_parallel_refreshes_of_one_token_exactly_one_wins_and_the_session_lives(
    url: str,
) -> None:
    assert race("refresh", url) == Counter(won=1, conflict=THREADS - 1)


@pytest.mark.timeout(120)
def test_of_parallel_handshakes_with_one_ticket_exactly_one_gets_in(url: str) -> None:
    assert race("ticket", url) == Counter(won=1, bad_credentials=THREADS - 1)
