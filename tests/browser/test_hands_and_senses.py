"""Keyboard, screen readers, narrow windows, a first paint that stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.support.account import Account
from tests.support.people import ADA, GRACE
from tests.support.server import ROOT

if TYPE_CHECKING:
    from tests.browser.conftest import Meet, Visit
    from tests.conftest import StartSite
    from tests.support.browser import Visitor
    from tests.support.server import Site

AXE = (ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js").read_text()
PAGES = {
    "home": "/",
    "new conversation": "/conversations/new/",
    "account": "/account/",
}


async def findings(visitor: Visitor) -> list[str]:
    # Not by a <script>: the page's own policy forbids foreign ones, and that is as it should be.
    await visitor.page.evaluate(AXE)
    found: dict[str, Any] = await visitor.page.evaluate("axe.run()")
    return [
        f"{visitor.page.url} {each['id']}: {node['html']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_has_a_serious_finding(shared_site: Site, visit: Visit, scheme: str) -> None:
    site = shared_site
    ada = await visit(site, color_scheme=scheme, reduced_motion="reduce")
    await ada.page.goto(f"{site.url}/login/")
    found = await findings(ada)
    await ada.log_in(ADA)
    for address in PAGES.values():
        await ada.page.goto(site.url + address)
        found += await findings(ada)
    await ada.open()
    await ada.say(f"hello, {scheme}")
    await ada.sees(f"hello, {scheme}")
    await ada.page.locator(".message").last.hover()
    found += await findings(ada)
    await ada.page.locator("h1").click()
    await ada.page.keyboard.press("?")
    await expect(ada.page.get_by_role("dialog")).to_be_visible()
    found += await findings(ada)
    await ada.page.keyboard.press("Escape")
    await ada.context.set_offline(True)
    await ada.say("later")
    await expect(ada.line).to_contain_text("You are offline")
    found += await findings(ada)
    assert found == []


async def test_signing_in_and_writing_need_no_mouse(shared_site: Site, visit: Visit) -> None:
    site = shared_site
    ada, grace = await visit(site), await visit(site)
    await grace.enter(GRACE)
    page, press = ada.page, ada.page.keyboard.press
    await page.goto(f"{site.url}/login/")
    await expect(page.get_by_label("User name")).to_be_focused()
    await page.keyboard.type("ada")
    await press("Tab")
    await page.keyboard.type(ADA.password)
    await press("Enter")
    row = page.locator(".conversation-link")
    await expect(row).to_be_visible()
    for _ in range(12):
        await press("Tab")
        if await row.evaluate("row => row === document.activeElement"):
            break
    await press("Enter")
    await ada.is_live()
    await press("c")
    await expect(ada.field).to_be_focused()
    await page.keyboard.type("no mouse was used")
    await press("Enter")
    await grace.sees("no mouse was used")


async def test_messages_are_walked_and_answered_by_keys(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada = await visit(site)
    await ada.enter(ADA)
    page, press = ada.page, ada.page.keyboard.press
    rows = page.locator(".message")
    await ada.field.press("Escape")
    await expect(rows.last).to_be_focused()
    await press("k")
    await press("ArrowUp")
    await expect(rows.nth(-3)).to_be_focused()
    await press("j")
    await expect(rows.nth(-2)).to_be_focused()
    await press("r")
    await expect(ada.field).to_be_focused()
    await expect(page.locator("[data-reply]")).to_contain_text("linus:")
    await page.keyboard.type("an answer")
    await press("Enter")
    await expect(rows.last.locator(".message-quote")).to_contain_text("linus")
    await press("Escape")
    await press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    await press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_the_focus_survives_what_others_say(shared_site: Site, meet: Meet) -> None:
    site = shared_site
    ada, grace = await meet(site)
    await ada.field.press("Escape")
    focused = ada.page.locator(".message:focus")
    key = await focused.get_attribute("data-key")
    await grace.say("one", "two")
    await ada.sees("one", "two")
    await expect(focused).to_have_attribute("data-key", str(key))


async def test_messages_of_others_are_read_out(shared_site: Site, visit: Visit) -> None:
    site = shared_site
    ada, grace = await visit(site), await visit(site)
    await ada.page.clock.install()
    await ada.enter(ADA)
    await grace.enter(GRACE)
    await grace.say("can you hear me?")
    await expect(ada.page.locator("#announcements")).to_have_text("grace: can you hear me?")
    # For ada all of them come in one moment, however long grace takes.
    await ada.page.clock.pause_at(await ada.page.evaluate("Date.now() / 1_000 + 2"))
    await grace.say(*(f"word {number}" for number in range(8)))
    await ada.sees(*(f"word {number}" for number in range(8)))
    await ada.page.clock.resume()
    await expect(ada.page.locator("#announcements")).to_have_text("8 new messages")


@pytest.mark.parametrize("width", [360, 390, 1024, 1440])
async def test_no_page_scrolls_sideways(shared_site: Site, visit: Visit, width: int) -> None:
    site = shared_site
    ada = await visit(site, viewport={"width": width, "height": 740})
    await ada.page.goto(f"{site.url}/login/")
    too_wide = {"login": await ada.overflow_px()}
    await ada.log_in(ADA)
    for name, address in PAGES.items():
        await ada.page.goto(site.url + address)
        too_wide[name] = await ada.overflow_px()
    await ada.open()
    await ada.say("https://example.org/" + "long" * 80, f"{width}" * 100)
    await ada.sees(f"{width}" * 100)
    too_wide["conversation"] = await ada.overflow_px()
    scroller = ada.page.locator("[data-scroller]")
    too_wide["messages"] = await scroller.evaluate("it => it.scrollWidth - it.clientWidth")
    assert {name: px for name, px in too_wide.items() if px > 0} == {}


async def test_an_empty_composer_is_one_line_high_however_long_the_title(
    shared_site: Site, visit: Visit
) -> None:
    site = shared_site
    account = await Account.log_in(ADA, site)
    ada = await visit(site, viewport={"width": 390, "height": 740})
    await ada.log_in(ADA)
    heights = []
    for title in ("Tea", "Tea, " * 20 + "and cake"):
        topic = await account.open_conversation(title=title)
        await ada.page.goto(f"{site.url}/conversations/{topic.partition(':')[2]}/")
        heights.append(await ada.field.evaluate("it => it.clientHeight"))
    assert heights[0] == heights[1]


async def test_the_first_paint_of_a_conversation_stays_where_it_is(
    shared_site: Site, visit: Visit
) -> None:
    site = shared_site
    ada = await visit(site)
    await ada.enter(ADA)
    await ada.context.add_init_script(
        "window.shifted = 0; new PerformanceObserver((list) => {"
        " for (const entry of list.getEntries()) window.shifted += entry.value;"
        "}).observe({ type: 'layout-shift', buffered: true });"
    )
    await ada.page.reload()
    await ada.is_live()
    await ada.page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
    assert await ada.page.evaluate("window.shifted") < 0.01
