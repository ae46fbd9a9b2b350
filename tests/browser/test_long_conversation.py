"""Thousands of messages in one page: what the browser has to do is bounded by what is in view. Counted, not timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.browser.test_presence import has_state, member
from tests.support.account import Account
from tests.support.deadline import eventually
from tests.support.long_conversation import TITLE, write_long_conversation
from tests.support.people import ADA, GRACE
from tests.support.server import Site, copy_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import Page

    from tests.browser.conftest import Visit
    from tests.support.browser import Visitor

MESSAGES = 2_000
MOST_ROWS = 75
MOST_ELEMENTS_A_ROW = 14
"""On average, code and lists and the fewest icons included."""
FRAMES = 20
PACES = (40, 700, 2_000)
"""Pixels a frame: slowly, by views, by leaps."""

LOAD = """async (count) => {
  const place = document.querySelector("[data-scroller]");
  const list = document.querySelector("conversation-timeline");
  while (list.hasMore && list.rows.length < count) {
    place.scrollTop = -place.scrollHeight;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}"""
NEWEST = "document.querySelector('conversation-timeline').rows.at(-1).message?.body"
# What happens to the page while the list is moved by `step` pixels a frame.
WATCHED_SCROLL = """async ({frames, step}) => {
  const place = document.querySelector("[data-scroller]");
  place.scrollTop = -15_000;
  for (let i = 0; i < 10; i += 1) await new Promise(requestAnimationFrame);
  const list = document.querySelector("conversation-timeline");
  const before = list.rows.length;
  let writes = 0;
  const watch = new MutationObserver((records) => {
    for (const {addedNodes, removedNodes, type} of records) {
      writes += type === "childList" ? addedNodes.length + removedNodes.length : 1;
    }
  });
  watch.observe(list, {subtree: true, childList: true, attributes: true, characterData: true});
  const found = {rows: 0, elements: 0, writes: 0, blank: 0};
  for (let frame = 0; frame < frames; frame += 1) {
    writes = 0;
    place.scrollTop -= step;
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    found.writes = Math.max(found.writes, writes);
    found.rows = Math.max(found.rows, list.querySelectorAll(".message").length);
    found.elements = Math.max(found.elements, list.querySelectorAll("*").length);
    const {left, width, top, height} = place.getBoundingClientRect();
    const middle = document.elementFromPoint(left + width / 2, top + height / 2);
    if (middle?.closest(".gap") || middle === place) found.blank += 1;
  }
  watch.disconnect();
  return {...found, fetched: list.rows.length - before};
}"""


@pytest.fixture(scope="module")
def long_site(seeded_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a long conversation."""
    folder = tmp_path_factory.mktemp("long")
    url = copy_database(seeded_database, folder / "site.sqlite3")
    write_long_conversation(folder / "site.sqlite3", MESSAGES)
    with Site(database_url=url, folder=folder) as site:
        yield site


async def enter(visit: Visit, site: Site) -> Visitor:
    ada = await visit(site, viewport={"width": 1440, "height": 900})
    await ada.enter(ADA, TITLE)
    return ada


async def counters(page: Page, visitor: Visitor) -> dict[str, float]:
    session = await visitor.context.new_cdp_session(page)
    await session.send("Performance.enable")
    found: dict[str, Any] = await session.send("Performance.getMetrics")
    return {each["name"]: each["value"] for each in found["metrics"]}


async def test_a_frame_of_scrolling_touches_what_is_in_view_and_no_more(
    long_site: Site, visit: Visit
) -> None:
    ada = await enter(visit, long_site)
    await ada.page.evaluate(LOAD, MESSAGES - 200)
    for step in PACES:
        before = await counters(ada.page, ada)
        found = await ada.page.evaluate(WATCHED_SCROLL, {"frames": FRAMES, "step": step})
        after = await counters(ada.page, ada)

        assert found["rows"] <= MOST_ROWS
        assert found["elements"] <= MOST_ROWS * MOST_ELEMENTS_A_ROW
        # A row costs its own node and the marks of its template; those that stay cost nothing.
        assert found["writes"] <= 4 * MOST_ROWS
        assert (found["blank"], found["fetched"]) == (0, 0)
        # Once for what was drawn, once for where that has put the reader; never row by row.
        layouts = after["LayoutCount"] - before["LayoutCount"]
        assert layouts <= 4 * (2 * FRAMES + 20)


async def test_home_and_end_lead_to_the_very_first_and_the_newest_message(
    long_site: Site, visit: Visit
) -> None:
    ada = await enter(visit, long_site)
    await ada.field.press("Escape")
    await ada.page.keyboard.press("Home")
    await expect(ada.page.locator("#message-1")).to_be_focused()
    await expect(ada.page.locator("#message-1")).to_be_in_viewport()
    await ada.page.keyboard.press("j")
    await expect(ada.page.locator("#message-2")).to_be_focused()
    await ada.page.keyboard.press("End")
    newest = ada.page.locator(f"#message-{MESSAGES}")
    await expect(newest).to_be_focused()
    await expect(newest).to_be_in_viewport()


async def test_a_reader_who_leaves_the_end_is_not_drawn_back_by_what_is_drawn_anew(
    long_site: Site, visit: Visit
) -> None:
    ada = await enter(visit, long_site)
    # The place has changed, and the event that says so has not come yet.
    where = await ada.page.evaluate(
        """async () => {
          const place = document.querySelector("[data-scroller]");
          const list = document.querySelector("conversation-timeline");
          place.scrollTop = -900;
          list.requestUpdate();
          await list.updateComplete;
          return place.scrollTop;
        }"""
    )
    assert where == -900


async def test_the_wheel_moves_the_list_under_the_pointer(long_site: Site, visit: Visit) -> None:
    ada = await enter(visit, long_site)
    await ada.page.evaluate("document.querySelector('[data-scroller]').scrollTop = -800")
    await ada.page.mouse.move(600, 400)
    for _ in range(10):
        await ada.page.mouse.wheel(0, -60)
        await ada.page.evaluate("new Promise(requestAnimationFrame)")

    async def has_arrived() -> bool:
        place = "document.querySelector('[data-scroller]').scrollTop"
        return bool(await ada.page.evaluate(place) <= -1_350)

    await eventually(has_arrived, "list where the wheel has turned it")


async def test_writing_and_what_others_do_touch_no_other_row(long_site: Site, visit: Visit) -> None:
    ada = await enter(visit, long_site)
    await has_state(member(ada, ADA), "active")  # who is here has come, and is in the rows
    await ada.page.evaluate(LOAD, 800)
    await ada.page.evaluate(
        """async () => {
          const place = document.querySelector("[data-scroller]");
          place.scrollTop = -20_000;
          for (let i = 0; i < 10; i += 1) await new Promise(requestAnimationFrame);
          const list = document.querySelector("conversation-timeline");
          const {top, bottom} = place.getBoundingClientRect();
          const isInView = (row) => {
            const edges = row.getBoundingClientRect();
            return edges.bottom > top && edges.top < bottom;
          };
          window.inView = [...list.querySelectorAll(".message")].filter(isInView);
          window.writes = [];
          const write = ({type, target, addedNodes}) => {
            // At the far ends, where nobody sees them, rows may leave and come.
            const added = [...addedNodes].filter((node) => node.nodeType === 1 && isInView(node));
            if (type === "childList") window.writes.push(...added.map((row) => `+ ${row.className}`));
            else window.writes.push(`${type} of ${target.className ?? target.parentNode?.className}`);
          };
          new MutationObserver((records) => records.forEach(write))
            .observe(list, {subtree: true, childList: true, attributes: true, characterData: true});
        }"""
    )
    rows = await ada.page.evaluate("inView.length")
    await ada.field.press_sequentially("forty keys, one after another, like this")
    assert await ada.page.evaluate("window.writes") == []
    grace = await Account.log_in(GRACE, long_site)
    await grace.say(f"conversation:{await ada.conversation_id()}", "far below")

    # Not by their number: older ones that were asked for may come meanwhile.
    async def has_come() -> bool:
        return bool(await ada.page.evaluate(f"{NEWEST} === 'far below'"))

    await eventually(has_come, "message far below")
    # Only the space that stands for the rows below may have grown.
    written = await ada.page.evaluate("window.writes")
    assert len(written) <= 4, written
    assert not [what for what in written if what.startswith("+")]
    assert rows > 5
    assert await ada.page.evaluate("inView.filter((row) => row.isConnected).length") == rows
