"""Real servers for the integration tests: one database built once, a copy for every site."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.support.server import ServerKind, Site, copy_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS: tuple[ServerKind, ...] = ("uvicorn", "daphne")


class Sites(Protocol):
    """Makes sites that end with the test."""

    def __call__(self, kind: ServerKind = "uvicorn", **facts: Any) -> Site:
        """Returns a started site with a database of its own, unless `database_url` names one."""


@pytest.fixture(scope="module")
def module_sites(
    seeded_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sites]:
    """Sites that live as long as the module: for tests that do not disturb them."""
    with _sites(seeded_database, tmp_path_factory.mktemp("sites")) as make:
        yield make


@pytest.fixture
def sites(seeded_database: Path, tmp_path: Path) -> Iterator[Sites]:
    """Sites of one test, to be stopped, starved or flooded."""
    with _sites(seeded_database, tmp_path) as make:
        yield make


@contextlib.contextmanager
def _sites(template: Path, folder: Path) -> Iterator[Sites]:
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def make(kind: ServerKind = "uvicorn", **facts: Any) -> Site:
            if "database_url" not in facts:
                facts["database_url"] = copy_database(template, folder / f"{next(numbers)}.sqlite3")
            facts["environment"] = {"COMMSITE_BENCH": "1"} | facts.get("environment", {})
            return stack.enter_context(Site(folder=folder, kind=kind, **facts))

        yield make
