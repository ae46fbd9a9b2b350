"""Several processes write of the same people at the same time, on both databases: the latest moment stays."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.server import ROOT, clean_environment, manage

READ = """
import json
from presence.models import LastSeen
print("SEEN", json.dumps({row.pk: row.at.timestamp() for row in LastSeen.objects.all()}))
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    name = "database_url" if request.param == "sqlite" else "postgres_url"
    found: str = request.getfixturevalue(name)
    return found


@pytest.mark.timeout(120)
def test_the_latest_moment_stays_and_nobody_waits_for_another_for_ever(url: str) -> None:
    environment = clean_environment(DATABASE_URL=url, DJANGO_SETTINGS_MODULE="commsite.settings")
    writers = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tests.presence.racing", str(seed)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(3)
    ]
    printed = [writer.communicate(timeout=100) for writer in writers]
    assert [
        error for writer, (_, error) in zip(writers, printed, strict=True) if writer.returncode
    ] == []
    wrote = [json.loads(out) for out, _ in printed]

    line = next(
        line
        for line in manage("shell", "-c", READ, DATABASE_URL=url).splitlines()
        if line.startswith("SEEN ")
    )
    stored = json.loads(line.removeprefix("SEEN "))
    assert stored == {key: max(each[key] for each in wrote) for key in wrote[0]}
    assert len(stored) >= 4
