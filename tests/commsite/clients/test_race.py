"""One credential shown many times at the same moment, on both databases: exactly one wins."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.databases import DATABASES, own_database
from tests.support.writers import Writers

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = 8
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module", params=DATABASES)
def writers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Writers]:
    url = own_database(request.param, request, tmp_path_factory.mktemp("race"))
    with Writers("tests.commsite.clients.racing", url) as writers:
        yield writers


def test_of_parallel_refreshes_of_one_token_exactly_one_wins_and_the_session_lives(
    writers: Writers,
) -> None:
    (answers,) = writers.run(["refresh", THREADS])

    assert Counter(answers) == Counter(won=1, conflict=THREADS - 1)


def test_of_parallel_handshakes_with_one_ticket_exactly_one_gets_in(writers: Writers) -> None:
    (answers,) = writers.run(["ticket", THREADS])

    assert Counter(answers) == Counter(won=1, bad_credentials=THREADS - 1)
