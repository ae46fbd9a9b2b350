"""A page whose session ends says so and stays quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.support.people import ADA

if TYPE_CHECKING:
    from tests.browser.conftest import Visit
    from tests.conftest import StartSite
    from tests.support.browser import Visitor
    from tests.support.server import ServerKind


async def is_signed_out(visitor: Visitor) -> None:
    await expect(visitor.line).to_have_attribute("data-state", "ended")
    await expect(visitor.line).to_contain_text("You are signed out here")
    await expect(visitor.line.get_by_role("link", name="Sign in again")).to_be_visible()
    await expect(visitor.field).to_be_disabled()


async def test_a_device_signed_out_elsewhere_ends_here(
    start_site: StartSite, visit: Visit, server_kind: ServerKind
) -> None:
    site = start_site(server_kind)
    here, elsewhere = await visit(site), await visit(site)
    await here.enter(ADA)
    await here.field.fill("half a thought")
    await elsewhere.log_in(ADA)
    await elsewhere.page.get_by_role("link", name="Me", exact=True).click()
    await elsewhere.page.get_by_role("button", name="Sign out Chrome").click()
    await expect(elsewhere.page.locator("main [role=status]")).to_contain_text("is signed out")
    await is_signed_out(here)
    sockets: list[str] = []
    here.page.on("websocket", lambda socket: sockets.append(socket.url))
    await here.page.evaluate("window.dispatchEvent(new Event('online'))")
    await here.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert sockets == []
    await here.line.get_by_role("link", name="Sign in again").click()
    await here.page.get_by_label("User name").fill(ADA.username)
    await here.page.get_by_label("Password").fill(ADA.password)
    await here.page.keyboard.press("Enter")
    await here.is_live()
    await expect(here.field).to_have_value("half a thought")


async def test_signing_out_in_one_tab_ends_the_other(start_site: StartSite, visit: Visit) -> None:
    site = start_site()
    ada = await visit(site)
    await ada.enter(ADA)
    other = await ada.context.new_page()
    await other.goto(f"{site.url}/account/")
    await other.get_by_role("button", name="Sign out", exact=True).click()
    await expect(other.get_by_role("heading", name="Sign in to Commsite")).to_be_visible()
    await is_signed_out(ada)


async def test_a_session_that_ended_during_an_outage_is_told_from_the_outage(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada, elsewhere = await visit(site), await visit(site)
    await ada.enter(ADA)
    await elsewhere.log_in(ADA)
    await elsewhere.page.get_by_role("link", name="Me", exact=True).click()
    sign_out = elsewhere.page.get_by_role("button", name="Sign out Chrome")
    await expect(sign_out).to_be_visible()
    await ada.context.set_offline(True)
    site.kill()
    site.start()
    await sign_out.click()
    await expect(elsewhere.page.locator("main [role=status]")).to_contain_text("is signed out")
    await ada.context.set_offline(False)
    await is_signed_out(ada)


async def test_a_new_password_keeps_this_device_and_ends_the_others(
    start_site: StartSite, visit: Visit
) -> None:
    site = start_site()
    ada, elsewhere = await visit(site), await visit(site)
    await ada.log_in(ADA)
    await elsewhere.enter(ADA)
    await ada.page.get_by_role("link", name="Me", exact=True).click()
    await ada.page.get_by_label("Old password").fill(ADA.password)
    await ada.page.get_by_label("New password", exact=True).fill("analytical-engine-1843")
    await ada.page.get_by_label("New password confirmation").fill("analytical-engine-1843")
    await ada.page.get_by_role("button", name="Change password").click()
    await expect(ada.page.locator("main [role=status]")).to_contain_text("Password changed")
    await is_signed_out(elsewhere)
    await ada.open()


async def test_a_theme_chosen_once_is_everywhere(start_site: StartSite, visit: Visit) -> None:
    site = start_site()
    ada = await visit(site, color_scheme="light")
    await ada.log_in(ADA)
    await ada.page.get_by_role("link", name="Me", exact=True).click()
    await ada.page.get_by_text("Dark", exact=True).click()
    await ada.page.get_by_text("Ctrl + Enter", exact=True).click()
    await ada.page.get_by_role("button", name="Save preferences").click()
    await expect(ada.page.locator("html")).to_have_attribute("data-theme", "dark")
    await ada.open()
    await ada.field.fill("first line")
    await ada.field.press("Enter")
    await ada.field.press_sequentially("second line")
    await ada.field.press("Control+Enter")
    await expect(ada.page.locator(".message-body").last).to_have_text("first line\nsecond line")
