"""People at real browsers: what they do and what they see on the site's pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, WebSocketRoute

    from tests.support.people import Person
    from tests.support.server import Site

EXECUTABLE = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DEMO = "Demo"


@dataclass
class Visitor:
    """One person's page in a browser profile of its own. Collects what the page complains about."""

    context: BrowserContext
    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Scripts that fail and policies that are broken are failures of the test."""
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.complaints.append(message.text)

    # --- Doing -----------------------------------------------------------------------------------
    async def log_in(self, person: Person) -> None:
        """Signs in by the form; ends at the list of conversations."""
        await self.page.goto(f"{self.site.url}/login/")
        await self.page.get_by_label("User name").fill(person.username)
        await self.page.get_by_label("Password").fill(person.password)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Conversations")).to_be_visible()

    async def open(self, title: str = DEMO) -> None:
        """Opens a conversation from the list and waits until it is live."""
        await self.page.goto(f"{self.site.url}/")
        await self.page.locator(".conversation-link", has_text=title).first.click()
        await self.is_live()

    async def enter(self, person: Person, title: str = DEMO) -> None:
        """Signs in and opens a conversation."""
        await self.log_in(person)
        await self.open(title)

    async def say(self, *texts: str) -> None:
        """Writes messages and sends each with Enter."""
        for text in texts:
            await self.field.fill(text)
            await self.field.press("Enter")

    # --- Seeing ----------------------------------------------------------------------------------
    @property
    def field(self) -> Locator:
        """Where messages are written."""
        return self.page.locator("#composer-field")

    @property
    def line(self) -> Locator:
        """What the page says about its connection."""
        return self.page.locator("connection-line")

    def message(self, text: str) -> Locator:
        """The messages with exactly this text, sent or not."""
        return self.page.locator(".message").filter(has=self.page.get_by_text(text, exact=True))

    async def is_live(self) -> None:
        """Waits until the server listens to the page: it is connected, and has joined its conversation."""
        await expect(self.page.locator(".conversation[data-joined]")).to_be_attached()
        await expect(self.line).to_have_attribute("data-state", "open")

    async def sees(self, *texts: str) -> None:
        """Waits until each of these is here once, confirmed by the server, in this order."""
        for text in texts:
            sent = self.message(text).and_(self.page.locator("[data-seq]"))
            await expect(sent).to_have_count(1)
            await expect(self.message(text)).to_have_count(1)
        bodies = [body for body in await self.bodies() if body in texts]
        assert bodies == list(texts)

    async def bodies(self) -> list[str]:
        """Every message's text, oldest first."""
        return await self.page.locator(".message-body").all_inner_texts()

    async def seqs(self) -> list[int]:
        """Every confirmed message's place, as the page shows them."""
        rows = self.page.locator(".message[data-seq]")
        return [
            int(seq)
            for seq in await rows.evaluate_all("rows => rows.map((row) => row.dataset.seq)")
        ]

    async def overflow_px(self) -> int:
        """By how much the page is wider than its window."""
        return int(
            await self.page.evaluate(
                "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
                " - document.documentElement.clientWidth"
            )
        )

    async def conversation_id(self) -> str:
        """The conversation that is open."""
        found = re.search(r"/conversations/([0-9a-f-]{36})/", self.page.url)
        assert found is not None
        return found[1]


class Gate:
    """Between pages and their server: what the server says waits while it is shut. Put it there before a page opens."""

    def __init__(self) -> None:
        self._is_open = False
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []

    @classmethod
    async def shut(cls, page: Page) -> Gate:
        """Lines of this page that are opened from here on stand, but nothing comes through them."""
        gate = cls()
        await page.route_web_socket("**/socket/websocket*", gate._pass_on)
        return gate

    def open(self) -> None:
        """Lets through what has waited, and all that comes."""
        self._is_open = True
        for line, said in self._waiting:
            line.send(said)

    def _pass_on(self, line: WebSocketRoute) -> None:
        def hear(said: str | bytes) -> None:
            if self._is_open:
                line.send(said)
            else:
                self._waiting.append((line, said))

        line.connect_to_server().on_message(hear)
