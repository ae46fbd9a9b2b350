"""Two people talk: at once, in order, and through every kind of outage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.support.account import Account
from tests.support.people import ADA, GRACE

if TYPE_CHECKING:
    from tests.browser.conftest import Meet, Visit
    from tests.conftest import StartSite
    from tests.support.server import ServerKind, Site


def talkative(start_site: StartSite) -> Site:
    """A site for people who say more in a second than anybody would."""
    return start_site(
        COMMSITE_MESSAGES_PER_S="1000",
        COMMSITE_MESSAGE_BURST="1000",
        COMMSITE_MESSAGES_PER_MIN="100000",
    )


async def test_two_people_see_each_others_messages_at_once(
    start_site: StartSite, meet: Meet, server_kind: ServerKind
) -> None:
    site = start_site(server_kind)
    ada, grace = await meet(site)
    await ada.say("Can you read this?")
    await expect(grace.message("Can you read this?")).to_be_visible()
    await grace.say("At once.", "And twice as much.")
    await expect(ada.message("And twice as much.")).to_be_visible()
    for visitor in (ada, grace):
        await visitor.sees("Can you read this?", "At once.", "And twice as much.")
        await expect(visitor.page.locator(".new-divider")).to_have_count(0)
    assert await ada.seqs() == await grace.seqs()


async def test_what_came_while_one_was_away_stands_under_a_divider(
    start_site: StartSite, meet: Meet
) -> None:
    site = start_site()
    ada, grace = await meet(site)
    await expect(grace.page.get_by_role("button", name="Seen by ada")).to_be_visible()
    await ada.page.goto(f"{site.url}/")
    row = ada.page.locator("[data-conversation]")
    await expect(row).not_to_have_attribute("data-unread", "")
    await grace.say("for later", "and more")
    await grace.sees("for later", "and more")
    await expect(row).to_have_attribute("data-unread", "")
    await ada.open()
    await expect(ada.page.locator(".new-divider")).to_have_text("2 new messages")
    await expect(ada.page.locator(".new-divider + .message")).to_contain_text("for later")
    await ada.say("read it")
    await expect(ada.page.locator(".new-divider")).to_have_count(0)


async def test_an_outage_loses_and_repeats_nothing(start_site: StartSite, meet: Meet) -> None:
    site = start_site()
    ada, grace = await meet(site)
    await ada.say("before")
    await grace.sees("before")

    await ada.context.set_offline(True)
    await expect(ada.line).to_contain_text("You are offline")
    site.kill()
    await expect(grace.line).to_have_attribute("data-state", "waiting")
    await ada.say("from the tunnel", "still there")
    await grace.say("while nobody listened")
    await expect(ada.page.locator(".message[data-state=pending]")).to_have_count(2)
    site.start()
    await grace.is_live()
    await grace.say("and after")
    await grace.sees("before", "while nobody listened", "and after")

    await ada.context.set_offline(False)
    said = {"before", "while nobody listened", "and after", "from the tunnel", "still there"}
    for visitor in (ada, grace):
        await visitor.sees(
            "before", "while nobody listened", "and after", "from the tunnel", "still there"
        )
    assert await ada.seqs() == await grace.seqs()
    await ada.page.reload()
    await ada.is_live()
    bodies = [body for body in await ada.bodies() if body in said]
    assert len(bodies) == len(said)
    assert await ada.seqs() == await grace.seqs()


async def test_what_was_not_sent_survives_leaving_the_page(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada = await visit(site)
    await ada.enter(ADA)
    address = ada.page.url
    await ada.context.set_offline(True)
    site.kill()
    await ada.say("one", "two")
    await ada.field.fill("a thought that is not finished")
    await ada.page.goto("about:blank")
    site.start()
    await ada.context.set_offline(False)
    await ada.page.goto(address)
    await ada.sees("one", "two")
    await expect(ada.field).to_have_value("a thought that is not finished")
    await expect(ada.page.locator(".message[data-state]")).to_have_count(0)


async def test_the_page_says_when_it_will_try_again(start_site: StartSite, visit: Visit) -> None:
    site = start_site()
    ada = await visit(site)
    await ada.page.clock.install()
    await ada.enter(ADA)
    site.kill()
    await expect(ada.line).to_contain_text("Connection lost.")
    await expect(ada.line).to_contain_text(re.compile(r"Trying again in [4-9] s"))
    # For the page time stands still from here on: it does not try by itself while the site comes back.
    await ada.page.clock.pause_at(await ada.page.evaluate("Date.now() / 1_000 + 0.5"))
    site.start()
    await ada.line.get_by_role("button", name="Try now").click()
    await ada.is_live()
    await ada.page.clock.resume()
    await expect(ada.line).to_have_text("")


async def test_a_drain_is_told_as_a_restart(start_site: StartSite, visit: Visit) -> None:
    site = start_site()
    ada = await visit(site)
    await ada.enter(ADA)
    site.stop()
    await expect(ada.line).to_contain_text("The server is restarting.")
    site.start()
    await ada.is_live()


async def test_older_messages_come_without_moving_what_is_being_read(
    start_site: StartSite, visit: Visit
) -> None:
    site = talkative(start_site)
    ada = await visit(site)
    await ada.enter(ADA)
    account = await Account.log_in(GRACE, site)
    conversation = f"conversation:{await ada.conversation_id()}"
    for number in range(120):
        await account.say(conversation, f"line {number}")
    await ada.page.reload()
    await ada.is_live()
    assert len(await ada.seqs()) == 50
    # The one after the oldest: the oldest itself loses its author's name to a message above it.
    read = ada.page.locator(f"#message-{min(await ada.seqs()) + 1}")
    await read.scroll_into_view_if_needed()
    before = await read.bounding_box()
    await expect(ada.page.locator(".message[data-seq]")).not_to_have_count(50)
    after = await read.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 1
    await ada.page.evaluate("document.querySelector('[data-scroller]').scrollTop = -1e6")
    await ada.page.evaluate("document.querySelector('[data-scroller]').scrollTop = -1e6")
    await expect(ada.page.get_by_text("This is where Demo begins")).to_be_attached()
    await expect(ada.page.locator("#message-1")).to_be_attached()
    seqs = await ada.seqs()
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    assert seqs[0] == 1


async def test_a_reader_who_has_scrolled_up_stays_and_is_told(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada = await visit(site, viewport={"width": 900, "height": 420})
    await ada.enter(ADA)
    account = await Account.log_in(GRACE, site)
    conversation = f"conversation:{await ada.conversation_id()}"
    await ada.page.evaluate("document.querySelector('[data-scroller]').scrollTop = -300")
    first = ada.page.locator("#message-1")
    before = await first.bounding_box()
    await account.say(conversation, "news")
    await expect(ada.page.get_by_role("button", name="1 new message")).to_be_visible()
    after = await first.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 1
    await expect(ada.page).to_have_title("(1) Demo · Commsite")
    await ada.page.get_by_role("button", name="1 new message").click()
    await expect(ada.message("news")).to_be_in_viewport()
    await expect(ada.page).to_have_title("Demo · Commsite")


async def test_what_is_written_is_shown_and_never_run(shared_site: Site, meet: Meet) -> None:
    site = shared_site
    ada, grace = await meet(site)
    attack = "<img src=x onerror=\"document.title='owned'\"> https://example.org/?a=<b> javascript:alert(1)"
    await ada.say(attack)
    await expect(grace.page.locator(".message-body").last).to_have_text(attack)
    links = grace.page.locator(".message-body").last.locator("a")
    await expect(links).to_have_count(1)
    await expect(links).to_have_attribute("href", "https://example.org/?a=")
    await grace.page.reload()
    await grace.is_live()
    await expect(grace.page.locator(".message-body").last).to_have_text(attack)
    await expect(grace.page).to_have_title("Demo · Commsite")


async def test_a_new_conversation_appears_for_whoever_was_added(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada, grace = await visit(site), await visit(site)
    await grace.log_in(GRACE)
    await ada.log_in(ADA)
    await ada.page.get_by_role("link", name="New conversation").click()
    await ada.page.get_by_label("Title").fill("Engines")
    await ada.page.get_by_label("People").fill("grace, nobody-at-all")
    await ada.page.get_by_role("button", name="Start conversation").click()
    await expect(ada.page.get_by_role("alert")).to_contain_text("nobody-at-all")
    await ada.page.get_by_label("People").fill("grace")
    await ada.page.get_by_role("button", name="Start conversation").click()
    await ada.is_live()
    await ada.say("Shall we build one?")
    row = grace.page.locator(".conversation-link", has_text="Engines")
    await expect(row).to_contain_text("ada: Shall we build one?")
    await row.click()
    await grace.is_live()
    await grace.sees("Shall we build one?")


async def test_whoever_is_removed_is_told_so_over_a_begun_draft(
    start_site: StartSite, meet: Meet
) -> None:
    site = start_site()
    _, grace = await meet(site)
    await grace.field.fill("half a sentence")
    conversation = await grace.conversation_id()
    async with await ADA.rest(site) as rest:
        members = (await rest.get(f"/conversations/{conversation}/members/")).json()["results"]
        [grace_id] = [each["id"] for each in members if each["username"] == GRACE.username]
        removed = await rest.delete(f"/conversations/{conversation}/members/{grace_id}/")
        removed.raise_for_status()
    await expect(grace.line).to_contain_text("You are no longer in this conversation.")
    await expect(grace.field).to_be_disabled()
    await expect(grace.field).to_have_value("half a sentence")
    await expect(grace.page.locator(".conversation[data-stale]")).to_be_attached()
    await grace.line.get_by_role("link", name="Go to my conversations").click()
    await expect(grace.page.get_by_text("Your conversations will be here")).to_be_visible()


async def test_a_page_without_script_reads_and_writes(shared_site: Site, visit: Visit) -> None:
    site = shared_site
    ada = await visit(site, java_script_enabled=False)
    await ada.log_in(ADA)
    await ada.page.locator(".conversation-link", has_text="Demo").click()
    await ada.field.fill("by a form alone")
    await ada.page.get_by_role("button", name="Send").click()
    await expect(ada.message("by a form alone")).to_have_count(1)
