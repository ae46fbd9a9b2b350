"""People see who is here: it comes, it goes, it does not flicker, and nobody counts twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.support.deadline import eventually
from tests.support.people import ADA, GRACE

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Locator

    from tests.browser.conftest import Meet, Visit
    from tests.conftest import StartSite
    from tests.support.browser import Visitor
    from tests.support.people import Person

# Keeps every state that a person's face has had, from now on.
REMEMBER_STATES = """(face) => {
    window.states = [face.dataset.presence];
    new MutationObserver(() => window.states.push(face.dataset.presence))
        .observe(face, { attributes: true, attributeFilter: ["data-presence"] });
}"""
SOON_GONE_S = "0.2"


def member(visitor: Visitor, person: Person) -> Locator:
    """A person's row beside an open conversation."""
    return visitor.page.locator("[data-members] .member", has_text=person.username)


def at_home(visitor: Visitor, person: Person) -> Locator:
    """A person's row in the panel of the list."""
    return visitor.page.locator("people-panel .person", has_text=person.username)


async def has_state(row: Locator, state: str) -> None:
    await expect(row.locator(".avatar")).to_have_attribute("data-presence", state)
    await expect(row).to_contain_text(state, ignore_case=True)


async def left_of(place: Locator) -> float:
    """Where it begins."""
    return float(await place.evaluate("place => place.getBoundingClientRect().left"))


async def tabs_are(rest: httpx.AsyncClient, user_id: int, number: int) -> bool:
    """Whether the server knows this many connections of somebody in the lobby."""
    answer = await rest.get("/presence/presence:lobby/")
    answer.raise_for_status()
    presence = answer.json()["presences"].get(str(user_id), {"metas": []})
    return len(presence["metas"]) == number


async def test_a_dot_appears_when_somebody_comes_and_goes_when_they_leave(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site(COMMSITE_PRESENCE_GRACE_S=SOON_GONE_S)
    ada, grace = await visit(site), await visit(site)
    await ada.enter(ADA)
    await has_state(member(ada, ADA), "active")
    await has_state(member(ada, GRACE), "offline")
    author = ada.page.locator(".message[data-first]", has_text="grace").first
    await expect(author.locator(".avatar")).to_have_attribute("data-presence", "offline")
    await grace.enter(GRACE)
    await has_state(member(ada, GRACE), "active")
    await expect(author.locator(".avatar")).to_have_attribute("data-presence", "active")
    await expect(ada.page.locator("[data-here-count]")).to_have_text(", 2 online")
    await grace.page.close()
    await has_state(member(ada, GRACE), "offline")
    await expect(ada.page.locator("[data-here-count]")).to_have_text(", 1 online")


async def test_a_reload_does_not_flicker_for_the_others(start_site: StartSite, meet: Meet) -> None:
    site = start_site()
    ada, grace = await meet(site)
    face = member(ada, GRACE).locator(".avatar")
    await has_state(member(ada, GRACE), "active")
    await face.evaluate(REMEMBER_STATES)
    for round_ in range(3):
        await grace.page.reload()
        await has_state(member(grace, GRACE), "active")
        # What is said after the reload is seen after everything that was told of it.
        await grace.say(f"back {round_}")
        await ada.sees(f"back {round_}")
    assert set(await ada.page.evaluate("window.states")) == {"active"}


async def test_two_tabs_of_one_person_count_once(start_site: StartSite, visit: Visit) -> None:
    site = start_site(COMMSITE_PRESENCE_GRACE_S=SOON_GONE_S)
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await grace.log_in(GRACE)
    second = await grace.context.new_page()
    await second.goto(f"{site.url}/")
    grace_id = int(await grace.page.locator("[data-conversations]").get_attribute("data-user") or 0)
    async with await ADA.rest(site) as rest:
        await eventually(lambda: tabs_are(rest, grace_id, 2), "second tab of grace")
        await expect(at_home(ada, GRACE)).to_have_count(1)
        await has_state(at_home(ada, GRACE), "active")
        await expect(ada.page.locator(".people-count")).to_have_text("2 online")
        await second.close()
        await eventually(lambda: tabs_are(rest, grace_id, 1), "end of the second tab")
    await has_state(at_home(ada, GRACE), "active")
    await grace.page.close()
    await expect(at_home(ada, GRACE)).to_contain_text("Last seen")
    await expect(ada.page.locator(".people-count")).to_have_text("1 online")


async def test_a_status_is_seen_by_others_and_taken_back(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await grace.log_in(GRACE)
    await has_state(at_home(grace, GRACE), "active")
    await grace.page.get_by_role("link", name="Set status").click()
    dialog = grace.page.get_by_role("dialog", name="Your status")
    await dialog.get_by_role("button", name="Focusing").click()
    await dialog.get_by_label("Status").fill("Focusing on a proof")
    await dialog.get_by_role("button", name="Save status").click()
    await expect(dialog).to_have_count(0)
    await expect(at_home(grace, GRACE)).to_contain_text("Focusing on a proof")
    shown = at_home(grace, GRACE)
    name, line = shown.locator(".person-name"), shown.locator(".status-emoji")
    assert await left_of(line) == await left_of(name)
    await expect(at_home(ada, GRACE)).to_contain_text("🎧")
    await expect(at_home(ada, GRACE)).to_contain_text("Focusing on a proof")
    await ada.open()
    await expect(member(ada, GRACE)).to_contain_text("Focusing on a proof")
    await grace.page.get_by_role("link", name="Edit status").click()
    await expect(dialog.get_by_label("Status")).to_have_value("Focusing on a proof")
    await dialog.get_by_role("button", name="Clear status").click()
    await expect(member(ada, GRACE)).not_to_contain_text("Focusing on a proof")


async def test_a_status_needs_no_script(start_site: StartSite, visit: Visit) -> None:
    site = start_site()
    ada, grace = await visit(site), await visit(site, java_script_enabled=False)
    await ada.log_in(ADA)
    await grace.log_in(GRACE)
    await grace.page.get_by_role("link", name="Me", exact=True).click()
    await grace.page.get_by_role("link", name="Set your status").click()
    await grace.page.get_by_label("Status", exact=True).fill("Reading on paper")
    await grace.page.get_by_label("Keep it").select_option("For 1 hour")
    await grace.page.get_by_role("button", name="Save status").click()
    await expect(grace.page.locator("main [role=status]")).to_contain_text("Status saved.")
    live = await visit(site)
    await live.log_in(GRACE)
    await expect(at_home(ada, GRACE)).to_contain_text("Reading on paper")


async def test_whoever_does_nothing_for_five_minutes_is_idle(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await grace.page.clock.install()
    await grace.enter(GRACE)
    await has_state(at_home(ada, GRACE), "active")
    await grace.page.clock.fast_forward("05:01")
    await has_state(at_home(ada, GRACE), "idle")
    await grace.page.clock.fast_forward("00:06")
    await grace.field.press("a")
    await has_state(at_home(ada, GRACE), "active")


async def test_whoever_comes_and_goes_is_read_out(start_site: StartSite, visit: Visit) -> None:
    site = start_site(COMMSITE_PRESENCE_GRACE_S=SOON_GONE_S)
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await has_state(at_home(ada, ADA), "active")
    spoken = ada.page.locator("#announcements")
    await expect(spoken).to_have_text("")
    await grace.log_in(GRACE)
    await expect(spoken).to_have_text("grace is here.")
    await grace.page.close()
    await expect(spoken).to_have_text("grace has left.")


async def test_too_many_people_are_counted(start_site: StartSite, visit: Visit) -> None:
    site = start_site(COMMSITE_PRESENCE_COUNTS_ABOVE="1")
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await has_state(at_home(ada, ADA), "active")
    await grace.log_in(GRACE)
    await expect(ada.page.locator(".people-count")).to_have_text("2 online")
    await expect(ada.page.locator("people-panel")).to_contain_text("Too many people are online")
    await expect(ada.page.locator("people-panel .person")).to_have_count(1)


async def test_a_lost_line_leaves_people_as_they_were(start_site: StartSite, visit: Visit) -> None:
    site = start_site()
    ada, grace = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await grace.log_in(GRACE)
    await has_state(at_home(ada, GRACE), "active")
    site.kill()
    await expect(ada.page.locator("people-panel")).to_contain_text("Not connected. This is as it")
    await has_state(at_home(ada, GRACE), "active")
    site.start()
    await expect(ada.page.locator("people-panel")).not_to_contain_text("Not connected")
    await has_state(at_home(ada, GRACE), "active")
