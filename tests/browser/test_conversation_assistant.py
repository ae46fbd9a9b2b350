"""Answers of the assistant as people see them while they are written, stopped, broken and repeated."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.support.model_server import ModelServer, content, finish, refuses
from tests.support.people import ADA, GRACE

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.browser.conftest import Visit
    from tests.conftest import StartSite
    from tests.support.browser import Visitor
    from tests.support.model_server import Exchange
    from tests.support.server import Site


class Dictated:
    """A model that says what the test dictates, word by word, until it is told to end."""

    def __init__(self) -> None:
        self._words: asyncio.Queue[str | None] = asyncio.Queue()

    def say(self, *words: str) -> None:
        """What comes next."""
        for word in words:
            self._words.put_nowait(word)

    def end(self) -> None:
        """The answer is complete."""
        self._words.put_nowait(None)

    async def __call__(self, exchange: Exchange) -> None:
        """One answer; a client that goes away takes no word of the next one along."""
        await exchange.begin()
        gone = asyncio.ensure_future(exchange.gone.wait())
        while not gone.done():
            word = asyncio.ensure_future(self._words.get())
            await asyncio.wait({gone, word}, return_when=asyncio.FIRST_COMPLETED)
            if not word.done():
                word.cancel()
                return
            spoken = word.result()
            if spoken is None:
                break
            await exchange.say(content(spoken))
        await exchange.say(finish(), "[DONE]")
        await exchange.end()
        gone.cancel()


def with_model(start_site: StartSite, model: ModelServer) -> Site:
    """A site whose assistant is that model."""
    return start_site(ASSISTANT_BASE_URL=model.url, ASSISTANT_MODEL="small")


def answer(visitor: Visitor) -> Locator:
    """The newest message of the assistant."""
    return visitor.page.locator("conversation-timeline .message[data-role=assistant]").last


async def test_an_answer_survives_a_reload_in_its_middle_and_looks_the_same_to_all(
    start_site: StartSite, visit: Visit
) -> None:
    model = Dictated()
    async with ModelServer(model) as server:
        site = with_model(start_site, server)
        ada, grace = await visit(site), await visit(site)
        await ada.enter(ADA)
        await grace.enter(GRACE)
        await ada.say("@assistant tell me")
        model.say("Once ", "upon ")
        await expect(answer(grace)).to_contain_text("Once upon")
        await ada.page.reload()
        await expect(answer(ada)).to_contain_text("Once upon")
        model.say("a **time**", ".")
        await expect(answer(ada)).to_contain_text("Once upon a **time**.")
        await expect(answer(grace)).to_contain_text("Once upon a **time**.")
        model.end()
        for visitor in (ada, grace):
            await expect(answer(visitor).locator("running-answer")).to_have_count(0)
            await expect(answer(visitor).locator("strong")).to_have_text("time")
            await expect(answer(visitor).locator(".message-body")).to_have_text("Once upon a time.")


async def test_an_answer_is_stopped_from_another_tab_and_goes_on_when_asked(
    start_site: StartSite, visit: Visit
) -> None:
    model = Dictated()
    async with ModelServer(model) as server:
        site = with_model(start_site, server)
        ada, grace = await visit(site), await visit(site)
        await ada.enter(ADA)
        await grace.enter(GRACE)
        await ada.say("@assistant count")
        model.say("one two ")
        await expect(answer(grace)).to_contain_text("one two")
        # Only who asked, and owners, are offered to stop it.
        await expect(grace.page.get_by_role("button", name="Stop")).to_have_count(0)
        tab = await ada.context.new_page()
        await tab.goto(ada.page.url)
        await tab.get_by_role("button", name="Stop").first.click()
        for page in (ada.page, grace.page, tab):
            stopped = page.locator(".message[data-role=assistant]").last
            await expect(stopped).to_contain_text("Stopped by ada")
            await expect(stopped.locator(".message-body")).to_contain_text("one two")
        await server.exchanges[0].gone.wait()
        await answer(ada).get_by_role("button", name="Continue").click()
        model.say("three")
        model.end()
        await expect(answer(grace).locator(".message-body")).to_contain_text("one two three")


async def test_another_answer_stands_beside_the_first_and_everybody_sees_the_chosen_one(
    start_site: StartSite, visit: Visit
) -> None:
    model = Dictated()
    async with ModelServer(model) as server:
        site = with_model(start_site, server)
        ada, grace = await visit(site), await visit(site)
        await ada.enter(ADA)
        await grace.enter(GRACE)
        await ada.say("@assistant name a colour")
        model.say("red")
        model.end()
        await expect(answer(ada).locator(".message-body")).to_have_text("red")
        await answer(ada).hover()
        await answer(ada).get_by_role("button", name="Answer again").click()
        model.say("blue")
        model.end()
        for visitor in (ada, grace):
            await expect(answer(visitor).locator(".message-body")).to_have_text("blue")
            await expect(answer(visitor).locator(".branches")).to_contain_text("2/2")
        await grace.page.reload()
        await grace.is_live()
        # This page has never had the first answer.
        await answer(grace).get_by_role("button", name="Previous version").click()
        for visitor in (ada, grace):
            await expect(answer(visitor).locator(".message-body")).to_have_text("red")
            await expect(answer(visitor).locator(".branches")).to_contain_text("1/2")


async def test_a_second_question_waits_visibly_and_can_be_taken_back(
    start_site: StartSite, visit: Visit
) -> None:
    model = Dictated()
    async with ModelServer(model) as server:
        site = with_model(start_site, server)
        ada, grace = await visit(site), await visit(site)
        await ada.enter(ADA)
        await grace.enter(GRACE)
        await ada.say("@assistant first")
        model.say("thinking aloud ")
        await expect(answer(ada)).to_contain_text("thinking aloud")
        await grace.say("@assistant second")
        await expect(answer(ada)).to_contain_text("Waits for its turn · asked by grace")
        await answer(grace).get_by_role("button", name="Cancel").click()
        await expect(answer(ada)).not_to_contain_text("Waits for its turn")
        model.end()
        await expect(ada.page.locator("running-answer")).to_have_count(0)


async def test_what_goes_wrong_with_the_model_is_said(start_site: StartSite, visit: Visit) -> None:
    async with ModelServer(refuses("401 Unauthorized", {"error": {"message": "no"}})) as server:
        site = with_model(start_site, server)
        ada = await visit(site)
        await ada.enter(ADA)
        await ada.say("@assistant are you there?")
        await expect(answer(ada).locator(".run-line[data-tone=danger]")).to_be_visible()
        await expect(answer(ada).get_by_role("button", name="Try again")).to_be_visible()


async def test_an_answer_that_a_killed_server_broke_off_is_kept(
    start_site: StartSite, visit: Visit
) -> None:
    model = Dictated()
    async with ModelServer(model) as server:
        site = with_model(start_site, server)
        ada = await visit(site)
        await ada.enter(ADA)
        await ada.say("@assistant go on")
        model.say("as far as this ")
        await expect(answer(ada)).to_contain_text("as far as this")
        site.kill()
        site.start()
        await ada.is_live()
        await expect(answer(ada)).to_contain_text("Interrupted", timeout=40_000)
        await expect(answer(ada).locator(".message-body")).to_contain_text("as far as this")
        await answer(ada).get_by_role("button", name="Continue").click()
        model.say("and further")
        model.end()
        await expect(answer(ada).locator(".message-body")).to_contain_text(
            re.compile(r"as far as this\s+and further")
        )


async def test_commands_are_completed_and_answered_without_a_model(
    shared_site: Site, visit: Visit
) -> None:
    ada = await visit(shared_site)
    await ada.enter(ADA)
    await ada.field.press_sequentially("/wh")
    await expect(ada.page.locator("[data-suggestions] [role=option]")).to_have_count(1)
    await ada.field.press("Tab")
    await ada.field.press("Enter")
    await expect(answer(ada)).to_contain_text("workspace assistant · no model")
    await expect(answer(ada)).to_contain_text("grace")
