"""Several processes write of the same people at the same time, on both databases: the latest moment stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.databases import DATABASES, own_database
from tests.support.writers import Writers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database", DATABASES)
def test_the_latest_moment_stays_and_nobody_waits_for_another_for_ever(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with Writers("tests.presence.racing", own_database(database, request, tmp_path)) as writers:
        wrote = writers.run(*(["write", seed] for seed in range(3)))
        (stored,) = writers.run(["read"])

    assert stored == {key: max(each[key] for each in wrote) for key in wrote[0]}
    assert len(stored) >= 4
