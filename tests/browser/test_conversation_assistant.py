"""Answers of the assistant as people see them while they are written, stopped, broken and repeated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.support.model_server import ModelServer, refuses
from tests.support.people import ADA

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.browser.conftest import Meet, Visit
    from tests.conftest import StartSite
    from tests.support.browser import Visitor
    from tests.support.dictated import DictatedSite
    from tests.support.server import Site


def answer(visitor: Visitor) -> Locator:
    """The newest message of the assistant."""
    return visitor.page.locator("conversation-timeline .message[data-role=assistant]").last


async def test_an_answer_survives_a_reload_in_its_middle_and_looks_the_same_to_all(
    dictated: DictatedSite, meet: Meet
) -> None:
    model, site = dictated.model, dictated.site
    ada, grace = await meet(site)
    await ada.say("@assistant tell me")
    model.say("Once ", "upon ")
    await expect(answer(grace)).to_contain_text("Once upon")
    await ada.page.reload()
    await expect(answer(ada)).to_contain_text("Once upon")
    model.say("a **time**", ".")
    for visitor in (ada, grace):
        await expect(answer(visitor).locator("running-answer")).to_have_text("Once upon a time.")
        await expect(answer(visitor).locator("running-answer strong")).to_have_text("time")
    model.end()
    for visitor in (ada, grace):
        await expect(answer(visitor).locator("running-answer")).to_have_count(0)
        await expect(answer(visitor).locator("strong")).to_have_text("time")
        await expect(answer(visitor).locator(".message-body")).to_have_text("Once upon a time.")


async def test_an_answer_keeps_its_look_when_it_ends(dictated: DictatedSite, meet: Meet) -> None:
    """The server's rendering takes the place of the page's own: what stands below must not jump."""
    model, site = dictated.model, dictated.site
    ada, _ = await meet(site)
    await ada.say("@assistant list it")
    model.say("## Why\n\nThree:\n\n- **one** of `them`\n- two\n  - and a half\n- three\n\n")
    model.say("Then:\n1. first\n2. second\n\nAnd that is\nall there is.")
    body = answer(ada).locator(".message-body")
    await expect(body).to_contain_text("all there is.")
    while_written = await height(body)
    model.end()
    await expect(answer(ada).locator("running-answer")).to_have_count(0)
    assert abs(await height(body) - while_written) <= 6


async def height(place: Locator) -> float:
    return float(await place.evaluate("place => place.getBoundingClientRect().height"))


async def test_an_answer_is_stopped_from_another_tab_and_goes_on_when_asked(
    dictated: DictatedSite, meet: Meet
) -> None:
    model, site = dictated.model, dictated.site
    ada, grace = await meet(site)
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
    await dictated.server.exchanges[0].gone.wait()
    await answer(ada).get_by_role("button", name="Continue").click()
    model.say("three")
    model.end()
    await expect(answer(grace).locator(".message-body")).to_contain_text("one two three")


async def test_another_answer_stands_beside_the_first_and_everybody_sees_the_chosen_one(
    dictated: DictatedSite, meet: Meet
) -> None:
    model, site = dictated.model, dictated.site
    ada, grace = await meet(site)
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
    dictated: DictatedSite, meet: Meet
) -> None:
    model, site = dictated.model, dictated.site
    ada, grace = await meet(site)
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
        site = start_site(ASSISTANT_BASE_URL=server.url, ASSISTANT_MODEL="small")
        ada = await visit(site)
        await ada.enter(ADA)
        await ada.say("@assistant are you there?")
        await expect(answer(ada).locator(".run-line[data-tone=danger]")).to_be_visible()
        await expect(answer(ada).get_by_role("button", name="Try again")).to_be_visible()


async def test_an_answer_that_a_killed_server_broke_off_is_kept(
    dictated: DictatedSite, visit: Visit
) -> None:
    model, site = dictated.model, dictated.site
    ada = await visit(site)
    await ada.enter(ADA)
    await ada.say("@assistant go on")
    model.say("as far as this ")
    await expect(answer(ada)).to_contain_text("as far as this")
    site.kill()
    site.start()
    await ada.is_live()
    await expect(answer(ada)).to_contain_text("Interrupted")
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


async def test_what_would_change_something_is_allowed_once_and_both_are_told(
    start_site: StartSite, meet: Meet
) -> None:
    ada, grace = await meet(start_site(DJANGO_SETTINGS_MODULE="tests.support.noting_settings"))
    await grace.say("/note buy milk")
    for visitor in (ada, grace):
        step = answer(visitor).locator(".step")
        await expect(step).to_have_attribute("data-status", "waiting_approval")
        await expect(step).to_contain_text("buy milk")
    # Who asked may answer, and so may the owner.
    await expect(answer(grace).get_by_role("button", name="Allow", exact=True)).to_be_visible()
    await answer(ada).get_by_role("button", name="Allow", exact=True).click()
    for visitor in (ada, grace):
        await expect(answer(visitor).locator(".approval-answer")).to_have_text("Allowed by ada")
        await expect(answer(visitor).locator(".approval")).to_have_count(0)
        await expect(answer(visitor)).to_contain_text("grace has noted: buy milk.")


async def test_what_is_not_allowed_is_not_done_and_others_may_only_watch(
    start_site: StartSite, meet: Meet
) -> None:
    ada, grace = await meet(start_site(DJANGO_SETTINGS_MODULE="tests.support.noting_settings"))
    await ada.say("/note sell the house")
    await expect(answer(grace).locator(".approval-answer")).to_have_text(
        "Waits for ada or an owner to allow it."
    )
    await expect(answer(grace).get_by_role("button", name="Allow", exact=True)).to_have_count(0)
    await answer(ada).get_by_role("button", name="Do not allow").click()
    for visitor in (ada, grace):
        await expect(answer(visitor).locator(".approval-answer")).to_have_text("Not allowed by ada")
        await expect(answer(visitor).locator(".step")).to_have_attribute("data-status", "denied")
        await expect(answer(visitor)).not_to_contain_text("has noted")


async def test_a_reload_shows_at_once_what_has_been_written(
    dictated: DictatedSite, meet: Meet
) -> None:
    ada, grace = await meet(dictated.site)
    await ada.say("@assistant tell me")
    dictated.model.say("Once upon ")
    await expect(answer(grace)).to_contain_text("Once upon")
    # The page has its scripts, but nobody answers its socket.
    await ada.page.route_web_socket("**/socket/**", lambda socket: None)
    await ada.page.route("**/socket/longpoll*", lambda route: route.abort())
    await ada.page.reload()
    await expect(answer(ada)).to_contain_text("Once upon")
    await expect(answer(ada)).to_contain_text("Writing…")
    dictated.model.end()
