"""What each database does in its own way, once more on PostgreSQL: the same tests in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.server import ROOT, clean_environment

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(180)]


SUITES = ("test_search.py", "test_attachments.py", "test_commands.py", "test_export.py")


def test_they_hold_on_postgresql(postgres: PostgresServer) -> None:
    done = subprocess.run(  # noqa: S603 - our own tests
        [
            *(sys.executable, "-m", "pytest", *(f"tests/conversation/{suite}" for suite in SUITES)),
            *("--quiet", "-p", "no:cacheprovider", "-p", "no:xdist"),
        ],
        cwd=ROOT,
        env=clean_environment(DATABASE_URL=postgres.create("suites")),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
