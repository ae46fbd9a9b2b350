"""Messages change, gather reactions, threads and files; everybody's pages show the same."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.browser.test_conversation import talkative
from tests.browser.test_hands_and_senses import findings
from tests.support.account import Account
from tests.support.browser import Gate
from tests.support.deadline import eventually
from tests.support.people import ADA, GRACE

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from tests.browser.conftest import Meet, Visit
    from tests.conftest import StartSite
    from tests.support.browser import Visitor
    from tests.support.server import Site

# A picture of 4 by 2 pixels.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAIAAADwyuo0AAAAFElEQVR4nGP8z8AARAwMDIwMDAwAIA8CAWN6zlYAAAAASUVORK5CYII="
)
SHOWN = """() => [...document.querySelectorAll('conversation-timeline .message[data-seq]')].map((row) => [
    row.dataset.seq,
    row.querySelector('.message-body, .tombstone')?.innerText.trim() ?? '',
    [...row.querySelectorAll('.reaction')].map((one) => one.innerText.replace(/\\s+/g, ' ')),
    row.querySelector('.edited') !== null,
    row.querySelector('.pinned-mark') !== null,
    row.querySelector('.thread-link b')?.innerText ?? '',
])"""


def row(visitor: Visitor, text: str) -> Locator:
    """The message with this text."""
    return visitor.page.locator("conversation-timeline .message", has_text=text).last


async def place_of(message: Locator) -> str:
    """Finds this message whatever becomes of it."""
    await expect(message).to_have_id(re.compile(r"message-\d+"))
    return f"#{await message.get_attribute('id')}"


async def shows(page: Page, expected: list[Any]) -> None:
    """Waits until the page shows these messages, just so."""

    async def is_so() -> bool:
        return bool(await page.evaluate(SHOWN) == expected)

    await eventually(is_so, f"page that shows {expected}")


async def choose(visitor: Visitor, text: str, item: str) -> None:
    """Opens the menu of a message and takes an item of it."""
    message = row(visitor, text)
    await message.hover()
    await message.get_by_role("button", name="More (m)").click()
    await visitor.page.get_by_role("menuitem", name=re.compile(f"^{item}")).click()


async def test_what_is_done_to_messages_shows_the_same_in_every_browser_and_tab(
    shared_site: Site, meet: Meet
) -> None:
    ada, grace = await meet(shared_site)
    await ada.say("a firts draft", "to be pinned", "to be gone")
    for visitor in (ada, grace):
        await visitor.sees("to be gone")
    gone = await place_of(row(ada, "to be gone"))
    tab = await ada.context.new_page()
    await tab.goto(ada.page.url)
    await choose(grace, "to be pinned", "React with 👍")
    await choose(ada, "to be pinned", "React with 👍")
    await choose(ada, "to be pinned", "Pin")
    await choose(ada, "to be gone", "Delete")
    await ada.page.get_by_role("button", name="Delete", exact=True).click()
    await choose(ada, "a firts draft", "Edit")
    field = ada.page.get_by_label("Edit message")
    await field.fill("a first draft")
    await field.press("Enter")
    await expect(row(grace, "a first draft")).to_contain_text("(edited)")
    await expect(grace.page.locator(gone)).to_contain_text("This message was deleted.")
    await expect(row(grace, "to be pinned").locator(".reaction")).to_have_text(re.compile("2"))
    await expect(row(grace, "to be pinned")).to_contain_text("Pinned by ada")
    await expect(tab.locator(".message", has_text="a first draft")).to_contain_text("(edited)")
    expected = await grace.page.evaluate(SHOWN)
    await shows(ada.page, expected)
    await shows(tab, expected)
    await grace.page.reload()
    await grace.is_live()
    await shows(grace.page, expected)


async def test_messages_are_deleted_one_after_another(shared_site: Site, visit: Visit) -> None:
    """The dialog that asks works as often as it is opened."""
    ada = await visit(shared_site)
    await ada.enter(ADA)
    await ada.say("go first", "go second")
    await ada.sees("go first", "go second")
    for text in ("go first", "go second"):
        await choose(ada, text, "Delete")
        await ada.page.get_by_role("button", name="Delete", exact=True).click()
        await expect(ada.message(text)).to_have_count(0)


async def test_a_menu_stays_beside_its_message_whatever_moves_it_until_it_is_out_of_view(
    shared_site: Site, meet: Meet
) -> None:
    ada, grace = await meet(shared_site)
    await ada.say("\n".join(f"{number} of many lines" for number in range(60)))
    await ada.say("with a menu", "and last")
    for visitor in (ada, grace):
        await visitor.sees("and last")
    message, menu = row(ada, "with a menu"), ada.page.get_by_role("menu")
    await message.hover()
    await message.get_by_role("button", name="More (m)").click()
    gap = await gap_between(message, menu)
    high = await top_of(message)

    await choose(grace, "and last", "React with 👍")  # a line more below it

    await expect(row(ada, "and last").locator(".reaction")).to_have_count(1)

    async def is_beside_it() -> bool:
        return await top_of(message) < high and abs(await gap_between(message, menu) - gap) < 1

    await eventually(is_beside_it, "menu that has moved along")

    await ada.page.evaluate("document.querySelector('[data-scroller]').scrollTop = -900")
    await expect(menu).to_have_count(0)


async def top_of(place: Locator) -> float:
    return float(await place.evaluate("(place) => place.getBoundingClientRect().top"))


async def gap_between(message: Locator, menu: Locator) -> float:
    return await top_of(menu) - await top_of(message)


async def test_an_edit_of_what_has_changed_meanwhile_says_so_and_loses_no_word(
    shared_site: Site, visit: Visit
) -> None:
    ada = await visit(shared_site)
    await ada.enter(ADA)
    await ada.say("edited twice")
    await ada.sees("edited twice")
    other = await ada.context.new_page()
    await other.goto(ada.page.url)
    await ada.field.press("ArrowUp")
    field = ada.page.get_by_label("Edit message")
    await field.fill("mine")
    await other.locator("#composer-field").press("ArrowUp")
    await other.get_by_label("Edit message").fill("theirs")
    await other.get_by_label("Edit message").press("Enter")
    await expect(other.locator(".message", has_text="theirs")).to_have_count(1)
    await expect(field).to_have_value("mine")
    await field.press("Enter")
    await expect(ada.page.get_by_role("alert")).to_contain_text("changed in the meantime")
    await expect(field).to_have_value("mine")
    await field.press("Enter")
    await expect(row(ada, "mine")).to_contain_text("(edited)")
    await expect(other.locator(".message", has_text="mine")).to_have_count(1)


async def test_a_thread_is_answered_beside_the_conversation(shared_site: Site, meet: Meet) -> None:
    ada, grace = await meet(shared_site)
    await ada.say("who takes the release?")
    await grace.sees("who takes the release?")
    await row(grace, "who takes the release?").hover()
    await row(grace, "who takes the release?").get_by_role("button", name="Thread (t)").click()
    panel = grace.page.get_by_role("complementary", name="Thread")
    await panel.get_by_label("Reply in this thread").fill("I do")
    await panel.get_by_label("Reply in this thread").press("Enter")
    await expect(panel.locator(".message", has_text="I do")).to_be_visible()
    link = row(ada, "who takes the release?").locator(".thread-link")
    await expect(link).to_contain_text("1 reply")
    await expect(link).to_contain_text("1 new")
    await expect(ada.page.locator("conversation-timeline .message", has_text="I do")).to_have_count(
        0
    )
    await link.click()
    there = ada.page.get_by_role("complementary", name="Thread")
    await expect(there.locator(".message", has_text="I do")).to_be_visible()
    await expect(link).not_to_contain_text("new")
    await there.get_by_label("Reply in this thread").fill("thank you")
    await there.get_by_label("Reply in this thread").press("Enter")
    await expect(panel.locator(".message", has_text="thank you")).to_be_visible()
    await ada.page.keyboard.press("Escape")
    await expect(there).to_have_count(0)


async def test_a_search_leads_to_a_message_that_is_not_on_the_page_and_back(
    start_site: StartSite, visit: Visit
) -> None:
    site = talkative(start_site)
    ada = await visit(site)
    await ada.enter(ADA)
    account = await Account.log_in(GRACE, site)
    conversation = f"conversation:{await ada.conversation_id()}"
    await account.say(conversation, "the needle")
    for number in range(240):
        await account.say(conversation, f"hay {number}")
    await ada.page.reload()
    await ada.is_live()
    await expect(ada.message("the needle")).to_have_count(0)
    await ada.field.press("Escape")
    await ada.page.keyboard.press("/")
    await expect(ada.page.get_by_role("searchbox")).to_be_focused()
    await ada.page.keyboard.type("needle")
    result = ada.page.locator(".search-result")
    await expect(result).to_have_count(1)
    await expect(result.locator("mark")).to_have_text("needle")
    await ada.page.keyboard.press("Enter")
    await expect(ada.message("the needle")).to_be_in_viewport()
    await expect(ada.message("the needle")).to_be_focused()
    await ada.page.get_by_role("button", name="Newest messages").click()
    await expect(ada.message("hay 239")).to_be_in_viewport()

    async def begins() -> bool:
        await ada.page.evaluate("document.querySelector('[data-scroller]').scrollTop = -1e6")
        return await ada.page.get_by_text("This is where Demo begins").count() > 0

    # However much has been read, only what is near the view is in the page.
    await eventually(begins, "beginning of the conversation")
    assert await ada.page.locator(".timeline > .message").count() < 140


async def test_files_are_uploaded_shown_and_kept(shared_site: Site, meet: Meet) -> None:
    ada, grace = await meet(shared_site)
    files: list[Any] = [
        {"name": "plan.png", "mimeType": "image/png", "buffer": PNG},
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"one\ntwo\n"},
    ]
    await ada.page.locator("[data-composer] input[type=file]").set_input_files(files)
    await expect(ada.page.locator(".tray-file[data-state=done]")).to_have_count(2)
    await ada.say("see these")
    await expect(ada.page.locator(".tray-file")).to_have_count(0)
    message = row(grace, "see these")
    picture = message.locator("img")
    await expect(picture).to_have_attribute("width", "4")
    await expect(picture).to_have_attribute("height", "2")
    await expect(message.get_by_role("link", name=re.compile("notes.txt"))).to_be_visible()
    await grace.page.reload()
    await grace.is_live()
    await expect(row(grace, "see these").locator("img")).to_have_count(1)


async def test_names_are_completed_and_stand_out_for_whoever_is_meant(
    shared_site: Site, meet: Meet
) -> None:
    ada, grace = await meet(shared_site)
    await ada.field.press_sequentially("look @gr")
    option = ada.page.get_by_role("option", name="grace")
    await expect(option).to_have_attribute("aria-selected", "true")
    await ada.field.press("Tab")
    await expect(ada.field).to_have_value("look @grace ")
    await ada.field.press_sequentially("please")
    await ada.field.press("Enter")
    message = row(grace, "look @grace please")
    await expect(message).to_have_attribute("data-mentioned", "")
    await expect(message.locator(".mention")).to_have_attribute("data-self", "")


async def test_what_one_does_before_the_page_has_joined_is_done_once_it_has(
    shared_site: Site, visit: Visit
) -> None:
    ada, grace = await visit(shared_site), await visit(shared_site)
    await grace.enter(GRACE)
    await ada.log_in(ADA)
    gate = await Gate.shut(ada.page)
    await grace.say("read before you are in")
    await grace.sees("read before you are in")
    await ada.page.goto(grace.page.url)
    await expect(ada.line).to_have_attribute("data-state", "open")
    await expect(ada.page).to_have_title("Demo · Commsite")  # nothing is unread any more
    await choose(ada, "read before you are in", "React with 👍")
    await expect(ada.page.locator(".conversation")).not_to_have_attribute("data-joined", "")
    gate.open()
    message = row(grace, "read before you are in")
    await expect(message.locator(".reaction")).to_have_text(re.compile("1"))
    await expect(message.get_by_role("button", name="Seen by ada")).to_be_visible()


async def test_whoever_types_and_whoever_has_read_is_seen(shared_site: Site, meet: Meet) -> None:
    ada, grace = await meet(shared_site)
    await grace.field.press_sequentially("well")
    await expect(ada.page.locator("[data-status-line]")).to_contain_text("grace is typing…")
    await grace.field.press("Enter")
    await expect(ada.page.locator("[data-status-line]")).not_to_contain_text("typing")
    await ada.say("have you seen this?")
    seen = row(ada, "have you seen this?").get_by_role("button", name="Seen by grace")
    await expect(seen).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_that_opens_has_a_serious_finding(
    shared_site: Site, visit: Visit, scheme: str
) -> None:
    ada = await visit(shared_site, color_scheme=scheme, reduced_motion="reduce")
    await ada.enter(ADA)
    await ada.say(f"**bold** `code` in {scheme}\n```python\nx = 1  # one\n```")
    message = row(ada, f"in {scheme}")
    await expect(message).to_have_attribute("data-seq", re.compile(r"\d+"))
    await message.hover()
    await message.get_by_role("button", name="More (m)").click()
    found = await findings(ada)
    await ada.page.keyboard.press("Escape")
    await message.get_by_role("button", name="React (e)").first.click()
    await ada.page.get_by_role("button", name="🚀 shipped").click()
    await expect(message.locator(".reaction")).to_have_count(1)
    await message.get_by_role("button", name="Thread (t)").click()
    await expect(ada.page.get_by_label("Reply in this thread")).to_be_focused()
    found += await findings(ada)
    await ada.page.keyboard.press("Escape")
    await ada.page.get_by_role("button", name="Search this conversation").click()
    await ada.page.get_by_role("searchbox").fill("welcome")
    await expect(ada.page.locator(".search-result").first).to_be_visible()
    found += await findings(ada)
    await ada.field.fill("/")
    await expect(ada.page.locator("[data-suggestions] [role=option]").first).to_be_visible()
    found += await findings(ada)
    assert found == []


async def test_everything_of_a_message_is_done_by_keys(shared_site: Site, visit: Visit) -> None:
    ada = await visit(shared_site)
    await ada.enter(ADA)
    press = ada.page.keyboard.press
    await ada.say("by keys alone")
    await ada.sees("by keys alone")
    await ada.field.press("Escape")
    await expect(row(ada, "by keys alone")).to_be_focused()
    await press("m")
    await expect(ada.page.get_by_role("menu")).to_be_visible()
    await press("Escape")
    await expect(row(ada, "by keys alone")).to_be_focused()
    await press("p")
    await expect(row(ada, "by keys alone")).to_contain_text("Pinned")
    await press("t")
    await expect(ada.page.get_by_label("Reply in this thread")).to_be_focused()
    await ada.page.keyboard.type("a reply")
    await press("Enter")
    await expect(row(ada, "by keys alone").locator(".thread-link")).to_contain_text("1 reply")
    await press("Escape")
    await expect(ada.page.get_by_role("complementary", name="Thread")).to_have_count(0)
    gone = await place_of(row(ada, "by keys alone"))
    await row(ada, "by keys alone").focus()
    await press("Delete")
    await expect(ada.page.get_by_role("dialog", name="Delete this message?")).to_be_visible()
    await press("Enter")
    await expect(ada.page.locator(gone)).to_contain_text("This message was deleted.")
