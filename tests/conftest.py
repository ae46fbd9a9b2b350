"""Fixtures every suite shares: a quick password hash, people, and real servers for those who need them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import hypothesis
import pytest
from blockbuster import blockbuster_ctx
from django.conf import settings as site_settings
from django.contrib.auth.models import User

from tests.support.deadline import PATIENCE_S
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.server import ServerKind, Site, build_database, build_once, copy_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import Settings

HERE = Path(__file__).parent
SERVERS: tuple[ServerKind, ...] = ("uvicorn", "daphne")

hypothesis.settings.register_profile(
    "ci", max_examples=100, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("nightly", max_examples=2_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by the folder they live in, and gives the slow folders more time."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in ("integration", "browser"):
            item.add_marker(getattr(pytest.mark, folder))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(5 * PATIENCE_S))


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Argon2 is slow on purpose; a test that is not about it should not wait for it."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]


@pytest.fixture(autouse=True)
def no_blocking_on_the_loop() -> Iterator[None]:
    """A database, file or socket call of our packages on the event loop fails the test."""
    with blockbuster_ctx(["commsite", "conversation", "presence"]):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file instead of SQLite's memory: there, threads do not wait for each other but fail."""
    if site_settings.IS_SQLITE:
        name = tmp_path_factory.mktemp("database") / "test.sqlite3"
        site_settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(name)


# ---- People --------------------------------------------------------------------------------------


@pytest.fixture
def ada(db: None) -> User:
    """Three people, in the database of this process."""
    return User.objects.create_user("ada")


@pytest.fixture
def grace(db: None) -> User:
    """The second."""
    return User.objects.create_user("grace")


@pytest.fixture
def linus(db: None) -> User:
    """The third."""
    return User.objects.create_user("linus")


# ---- Real servers ------------------------------------------------------------------------------


class StartSite(Protocol):
    """What the fixture `start_site` gives: starts a site that ends with the test."""

    def __call__(
        self,
        kind: ServerKind = "uvicorn",
        *arguments: str,
        database_url: str | None = None,
        scheme: str = "http",
        **environment: str,
    ) -> Site:
        """Starts a server with its own copy of the seeded database, or on `database_url`."""


@pytest.fixture(scope="session")
def seeded_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file with the demo in it, one for all workers. Copy it; never serve it."""
    folder = tmp_path_factory.getbasetemp()
    path = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "seeded.sqlite3"
    build_once(path)
    return path


@pytest.fixture
def database_url(seeded_database: Path, tmp_path: Path) -> str:
    """This test's own copy of the seeded database, which several of its sites may share."""
    return copy_database(seeded_database, tmp_path / "site.sqlite3")


@pytest.fixture
def start_site(seeded_database: Path, tmp_path: Path) -> Iterator[StartSite]:
    """Starts sites; each ends with the test. `start_site("daphne", REDIS_URL=redis.url)`."""
    sites: list[Site] = []

    def start(
        kind: ServerKind = "uvicorn",
        *arguments: str,
        database_url: str | None = None,
        scheme: str = "http",
        **environment: str,
    ) -> Site:
        if database_url is None:
            database_url = copy_database(seeded_database, tmp_path / f"{len(sites)}.sqlite3")
        site = Site(
            database_url=database_url,
            folder=tmp_path,
            kind=kind,
            environment=environment,
            arguments=arguments,
            scheme="https" if scheme == "https" else "http",
        )
        sites.append(site)
        return site.start()

    yield start
    for site in sites:
        site.stop(timeout_s=5)


@pytest.fixture(params=SERVERS)
def server_kind(request: pytest.FixtureRequest) -> ServerKind:
    """Each kind of server in turn, for tests that start their own site."""
    kind: ServerKind = request.param
    return kind


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A private Redis that a test may stop and restart."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server for the whole run, with the seeded database `seeded`."""
    with PostgresServer() as server:
        build_database(server.create("seeded"))
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer, request: pytest.FixtureRequest) -> str:
    """This test's own copy of the seeded PostgreSQL database."""
    return postgres.create(f"test_{abs(hash(request.node.nodeid)):x}", template="seeded")
