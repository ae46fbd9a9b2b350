"""The two databases that the site runs on, for tests of what each does in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.server import copy_database

if TYPE_CHECKING:
    from pathlib import Path

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
"""For `parametrize`, or as the parameters of a fixture."""


def own_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a seeded database of this kind, for whoever asks alone."""
    if kind == "sqlite":
        template = request.getfixturevalue("seeded_database")
        return copy_database(template, folder / "site.sqlite3")
    url: str = request.getfixturevalue("postgres").create(f"own_{uuid4().hex}", template="seeded")
    return url
