"""What a browser does while somebody reads a conversation of 10,000 messages, all of them in the page.

    python -m bench.long_list [--messages 10000] [--json]

Chromium has no window here and draws in software, so the time of a frame says more about the machine than about the
page. What is counted is the main thread's work, in milliseconds per frame by Chromium's own counters: script, style,
layout, and how often layout was made. `plain` is a page with rows as they were drawn, the same styles and no script:
what the renderer does by itself. `task` is everything on the main thread, paint among it.

`slow` moves 40 px a frame, `fast` one view a frame, `anywhere` to another place every frame, as the thumb of the
scroll bar does. `typing` is per key in the composer, `said` per message that somebody else sends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.async_api import async_playwright

from tests.support.account import Account
from tests.support.browser import ARGUMENTS, EXECUTABLE
from tests.support.long_conversation import write_long_conversation
from tests.support.people import ADA, GRACE
from tests.support.server import Site, build_database, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import CDPSession, Page

SCROLL = """async ({frames, step, anywhere}) => {
  const place = document.querySelector("[data-scroller]");
  const span = place.scrollHeight - place.clientHeight;
  let from = Math.min(span - 2000, 20000);
  place.scrollTop = -from;
  for (let i = 0; i < 10; i += 1) await new Promise(requestAnimationFrame);
  window.begin = performance.now();
  const times = [];
  let last = window.begin;
  let seed = 1;
  for (let i = 0; i < frames; i += 1) {
    seed = (seed * 48271) % 2147483647;
    from = anywhere ? 3000 + (seed % (span - 6000)) : from + step;
    place.scrollTop = -from;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times;
}"""
PACES = {
    "slow": {"frames": 200, "step": 40, "anywhere": False},
    "fast": {"frames": 100, "step": 700, "anywhere": False},
    "anywhere": {"frames": 60, "step": 0, "anywhere": True},
}
LOAD_ALL = """async () => {
  const place = document.querySelector("[data-scroller]");
  const list = document.querySelector("conversation-timeline");
  const deadline = performance.now() + 240_000;
  while (list.hasMore && performance.now() < deadline) {
    place.scrollTop = -place.scrollHeight;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return list.rows.length;
}"""
FORTY_KEYS = "forty keys, one after another, like this"
COSTS = {
    "script": "ScriptDuration",
    "style": "RecalcStyleDuration",
    "layout": "LayoutDuration",
    "task": "TaskDuration",
}
COUNTS = {"layouts": "LayoutCount", "styles": "RecalcStyleCount"}


async def metrics(session: CDPSession) -> dict[str, float]:
    """Chromium's counters of a page."""
    found = await session.send("Performance.getMetrics")
    return {each["name"]: each["value"] for each in found["metrics"]}


async def cost(
    session: CDPSession, per: int, do: Callable[[], Awaitable[list[float]]]
) -> dict[str, float]:
    """What `do` costs the main thread, per one of `per`: milliseconds, and counts."""
    before = await metrics(session)
    times = await do()
    after = await metrics(session)
    found = {name: (after[key] - before[key]) * 1_000 / per for name, key in COSTS.items()} | {
        name: (after[key] - before[key]) / per for name, key in COUNTS.items()
    }
    if times:
        found["frame p50"] = statistics.median(times)
    return {name: round(value, 2) for name, value in found.items()}


async def scrolls(page: Page, session: CDPSession) -> dict[str, Any]:
    """The three paces on a page."""

    def pace(given: dict[str, Any]) -> Callable[[], Awaitable[list[float]]]:
        async def do() -> list[float]:
            return list(await page.evaluate(SCROLL, given))

        return do

    return {
        name: await cost(session, int(given["frames"]), pace(given))
        for name, given in PACES.items()
    }


async def plain(page: Page) -> str:
    """A page with the rows that are drawn, again and again, in the same place and styles."""
    return str(
        await page.evaluate(
            """() => {
              const styles = [...document.querySelectorAll("link[rel=stylesheet]")]
                .map(({href}) => `<link rel="stylesheet" href="${href}">`).join("");
              const rows = [...document.querySelectorAll(".timeline > .message")].slice(0, 60)
                .map((row) => row.outerHTML.replace(/<!--.*?-->/g, "")).join("");
              return `<!doctype html><html><head>${styles}</head>
                <body style="height: 100vh; display: flex"><div class="timeline-scroll" data-scroller>
                <div><ol class="timeline">${rows.repeat(40)}</ol></div></div>`;
            }"""
        )
    )


async def measure(messages: int) -> dict[str, Any]:
    """Everything, on a site of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_database(sqlite_url(folder / "site.sqlite3"))
        room = write_long_conversation(folder / "site.sqlite3", messages)
        quick = {"COMMSITE_BENCH": "1"}
        with Site(sqlite_url(folder / "site.sqlite3"), folder, environment=quick) as site:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=EXECUTABLE, args=ARGUMENTS
                )
                context = await browser.new_context(viewport={"width": 1440, "height": 900})
                found = await _measure(await context.new_page(), site, room)
                await browser.close()
    return found


async def _measure(page: Page, site: Site, room: str) -> dict[str, Any]:
    session = await opened(page, site, room)
    rows = await page.evaluate(LOAD_ALL)
    found: dict[str, Any] = {"rows": rows} | await scrolls(page, session)
    found["elements"] = await page.locator("conversation-timeline *").count()
    found["drawn"] = await page.locator(".timeline > .message").count()
    markup = await plain(page)
    await page.evaluate("document.querySelector('[data-scroller]').scrollTop = 0")
    await page.wait_for_timeout(500)

    async def type_keys() -> list[float]:
        await page.locator("#composer-field").press_sequentially(FORTY_KEYS, delay=30)
        return []

    found["typing"] = await cost(session, len(FORTY_KEYS), type_keys)
    grace = await Account.log_in(GRACE, site)

    async def say() -> list[float]:
        await grace.say(f"conversation:{room}", *[f"news {number}" for number in range(20)])
        await page.wait_for_timeout(300)
        return []

    found["said"] = await cost(session, 20, say)
    await session.send("HeapProfiler.collectGarbage")
    found["heap MiB"] = round((await metrics(session))["JSHeapUsedSize"] / 2**20, 1)
    other = await page.context.new_page()
    await other.route(
        "**/plain", lambda route: route.fulfill(body=markup, content_type="text/html")
    )
    await other.goto(f"{site.url}/plain")
    bare = await page.context.new_cdp_session(other)
    await bare.send("Performance.enable")
    found["plain"] = await scrolls(other, bare)
    return found


async def opened(page: Page, site: Site, room: str) -> CDPSession:
    """Signs in and opens the conversation; Chromium counts from here on."""
    await page.goto(f"{site.url}/login/")
    await page.get_by_label("User name").fill(ADA.username)
    await page.get_by_label("Password").fill(ADA.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.goto(f"{site.url}/conversations/{room}/")
    await page.locator("connection-line[data-state=open]").wait_for(state="attached")
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    return session


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000)
    given = parser.parse_args()
    found = asyncio.run(measure(given.messages))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
