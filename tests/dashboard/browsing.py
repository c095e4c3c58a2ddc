"""Looking at the page through Playwright: what it complains of, and what axe finds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.chromium import find_chromium
from tests.processes import DEADLINE_SECONDS, REPOSITORY

AXE = REPOSITORY / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
# What the page must meet: WCAG 2.2, levels A and AA.
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# The browser's own words for a server that is away, which the page has words for, too.
TOLD_BY_THE_PAGE = ("Failed to load resource", "WebSocket connection to")

expect.set_options(timeout=DEADLINE_SECONDS * 1000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. In a container it can't make its own sandbox; what it shows here is the tests' own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What a page has thrown or written to the console as an error, and what its policy has blocked."""

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.texts.append(f"thrown: {error}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(known in message.text for known in TOLD_BY_THE_PAGE):
            self.texts.append(message.text)

    def check(self) -> None:
        """Fails if there were any."""
        assert not self.texts, "\n".join(self.texts)


def open_page(context: BrowserContext, url: str) -> Page:
    """A page at the address, once it is live."""
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    page = context.new_page()
    page.goto(url)
    expect(page.locator('[data-connection="live"]').first).to_be_attached()
    return page


@cache
def _axe() -> str:
    return AXE.read_text("utf-8")


def accessibility_problems(page: Page) -> list[str]:
    """What axe finds, a line each: the rule, the element, and what is wrong with it."""
    page.evaluate(_axe())
    options = json.dumps({"runOnly": STANDARDS, "resultTypes": ["violations"]})
    found: list[dict[str, Any]] = page.evaluate(f"axe.run(document, {options}).then((all) => all.violations)")
    return [
        f"{violation['id']}: {node['target']}: {node['failureSummary']}"
        for violation in found
        for node in violation["nodes"]
    ]
