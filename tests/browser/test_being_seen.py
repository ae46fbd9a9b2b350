"""What people let others know of them: when they were last here, where they look, whether they are here at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.test_presence import SOON_GONE_S, at_home, has_state, member
from tests.support.deadline import eventually
from tests.support.people import ADA, GRACE

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import StartSite
    from tests.support.browser import Visitor


async def choose(visitor: Visitor, group: str, option: str) -> None:
    """Sets something about one's privacy on the account page."""
    await visitor.page.goto(f"{visitor.site.url}/account/")
    await visitor.page.get_by_role("group", name=group).get_by_label(option).check()
    await visitor.page.get_by_role("button", name="Save privacy settings").click()
    await expect(visitor.page.locator("main [role=status]")).to_contain_text("Saved.")


async def test_whoever_left_is_shown_with_their_time_also_to_those_who_come_later(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site(COMMSITE_PRESENCE_GRACE_S=SOON_GONE_S, COMMSITE_PRESENCE_SEEN_S="0.5")
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await expect(at_home(ada, GRACE)).to_contain_text("Offline")
    await grace.log_in(GRACE)
    await has_state(at_home(ada, GRACE), "active")
    await grace.page.close()
    await expect(at_home(ada, GRACE)).to_contain_text("Last seen now")

    async def is_shown_after_a_reload() -> bool:
        await ada.page.reload()
        await has_state(at_home(ada, ADA), "active")
        return "Last seen now" in await at_home(ada, GRACE).inner_text()

    await eventually(is_shown_after_a_reload, "time of the last sight, which is written behind")

    again = await visit(site)
    await again.log_in(GRACE)
    await has_state(at_home(ada, GRACE), "active")
    await choose(again, "When you were last here", "Keep no record")
    await again.page.close()
    await expect(at_home(ada, GRACE)).to_contain_text("Last seen")  # she has left
    await ada.page.reload()
    await expect(at_home(ada, GRACE)).to_contain_text("Offline")


async def test_whoever_appears_offline_does_at_once_and_is_told_so(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await grace.enter(GRACE)
    await has_state(at_home(ada, GRACE), "active")
    await choose(grace, "Who sees that you are online", "Nobody")
    await grace.page.goto(f"{site.url}/")
    await expect(at_home(ada, GRACE)).to_contain_text("Last seen")
    told = at_home(grace, GRACE).get_by_role("link", name="You appear offline")
    assert await told.evaluate("link => link.scrollWidth <= link.clientWidth")
    await expect(grace.page.locator(".people-count")).to_have_text("1 online")
    await ada.open()
    await grace.open()
    await has_state(member(grace, ADA), "active")
    await has_state(member(ada, GRACE), "active")  # in a room members always see each other
    await at_link(grace)
    await choose(grace, "Who sees that you are online", "Everyone")
    await grace.page.goto(f"{site.url}/")
    await has_state(member(ada, GRACE), "active")


async def at_link(visitor: Visitor) -> None:
    """The note at home leads to where it can be changed."""
    await visitor.page.goto(f"{visitor.site.url}/")
    await visitor.page.get_by_role("link", name="You appear offline").click()
    await expect(visitor.page.get_by_role("heading", name="Privacy")).to_be_in_viewport()


async def test_members_see_who_looks_at_their_conversation(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site(COMMSITE_PRESENCE_GRACE_S=SOON_GONE_S)
    ada, grace = await visit(site), await visit(site)
    await ada.enter(ADA)
    await grace.log_in(GRACE)
    await has_state(member(ada, GRACE), "active")
    await expect(member(ada, GRACE)).not_to_have_attribute("data-viewing", "")
    await expect(member(ada, ADA)).to_have_attribute("data-viewing", "")
    await expect(at_home(grace, ADA)).to_contain_text("in Demo")  # at home it is seen at once
    await ada.page.goto(f"{site.url}/account/")
    await expect(at_home(grace, ADA)).not_to_contain_text("in Demo")
    await ada.open()
    await expect(at_home(grace, ADA)).to_contain_text("in Demo")
    await grace.open()
    await expect(member(ada, GRACE)).to_have_attribute("data-viewing", "")
    await expect(member(ada, GRACE)).to_contain_text("viewing this conversation")
    await grace.page.goto(f"{site.url}/")
    await expect(member(ada, GRACE)).not_to_have_attribute("data-viewing", "")
    await at_home(grace, ADA).get_by_role("link", name="in Demo").click()
    await grace.is_live()
