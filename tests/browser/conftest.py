"""Browsers for the tests of pages: one process per test, one profile per person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.async_api import async_playwright, expect

from tests.support.browser import ARGUMENTS, DEMO, EXECUTABLE, Visitor
from tests.support.deadline import PATIENCE_S
from tests.support.dictated import Dictated, DictatedSite
from tests.support.model_server import ModelServer
from tests.support.people import ADA, GRACE
from tests.support.server import Site, copy_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.conftest import StartSite

# What a page shows in the end is the question; how soon it does depends on the machine.
PATIENCE_MS = PATIENCE_S * 1_000
expect.set_options(timeout=PATIENCE_MS)


class Visit(Protocol):
    """What the fixture `visit` gives: somebody new at a site."""

    async def __call__(self, site: Site, **profile: Any) -> Visitor:
        """Opens a browser profile; `profile` as for Playwright's `new_context`."""


class Meet(Protocol):
    """What the fixture `meet` gives: ada, who owns the conversation, and grace, both in it."""

    async def __call__(self, site: Site, title: str = DEMO) -> tuple[Visitor, Visitor]:
        """Opens a profile for each of them, and the conversation."""


@pytest.fixture(scope="module")
def shared_site(seeded_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for the tests of a file that do nothing to it but talk."""
    folder = tmp_path_factory.mktemp("shared")
    url = copy_database(seeded_database, folder / "site.sqlite3")
    with Site(database_url=url, folder=folder) as site:
        yield site


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The machine's own Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=EXECUTABLE, args=ARGUMENTS, timeout=PATIENCE_MS
        )
        yield browser
        await browser.close()


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Opens profiles; at the end no page may have complained."""
    visitors: list[Visitor] = []

    async def open_profile(site: Site, **profile: Any) -> Visitor:
        context = await browser.new_context(
            **{"locale": "en-GB", "timezone_id": "Europe/Prague", **profile}
        )
        context.set_default_timeout(PATIENCE_MS)
        visitor = Visitor(context, await context.new_page(), site)
        visitors.append(visitor)
        return visitor

    yield open_profile
    assert [complaint for visitor in visitors for complaint in visitor.complaints] == []


@pytest.fixture
def meet(visit: Visit) -> Meet:
    """Two people in one conversation, each in a browser profile of their own."""

    async def both(site: Site, title: str = DEMO) -> tuple[Visitor, Visitor]:
        ada, grace = await visit(site), await visit(site)
        await ada.enter(ADA, title)
        await grace.enter(GRACE, title)
        return ada, grace

    return both


@pytest.fixture
async def dictated(start_site: StartSite) -> AsyncIterator[DictatedSite]:
    """A site whose assistant says what the test dictates."""
    model = Dictated()
    async with ModelServer(model) as server:
        site = start_site(ASSISTANT_BASE_URL=server.url, ASSISTANT_MODEL="small")
        yield DictatedSite(site, model, server)
