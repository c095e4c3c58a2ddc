"""Pictures of every page, at two sizes, light and dark: `python -m tests.dashboard.screenshots FOLDER`."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page

from tests.dashboard.browsing import chromium, open_page
from tests.dashboard.demonstration import REVIEW, fill
from tests.dashboard.system import System, running
from tests.processes import RedisServer

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
THEMES = ("light", "dark")


def at_rest(page: Page) -> None:
    """Nothing more to do: all of it is there."""
    page.wait_for_load_state("networkidle")


def open_document(page: Page) -> None:
    """A document is open."""
    page.get_by_role("link", name="settling-invoices.md").click()
    page.get_by_role("heading", name="How invoices are settled").wait_for()


def whole_session(page: Page) -> None:
    """The timeline, a little above its end, where there is most to see."""
    page.get_by_role("article").filter(has_text="gh pr create").wait_for()


def whole_agent(page: Page) -> None:
    """The form, with the editor that comes a moment later."""
    page.get_by_role("textbox", name="System prompt").get_by_text("You review changes.").wait_for()


PAGES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "sessions": ("/sessions", at_rest),
    "session": (f"/sessions/{REVIEW}", whole_session),
    "documents": ("/documents", at_rest),
    "document": ("/documents", open_document),
    "agents": ("/agents", at_rest),
    "agent": ("/agents?open=reviewer", whole_agent),
    "charts": ("/charts", at_rest),
}


def take(system: System, browser: Browser, folder: Path) -> None:
    """All of them, named for the page, the size and the theme."""
    for theme in THEMES:
        for size, (width, height) in SIZES.items():
            context = context_of(browser, theme, width, height)
            for name, (address, prepare) in PAGES.items():
                page = open_page(context, f"{system.replicas[0].url}/#{address}")
                prepare(page)
                at_rest(page)
                page.screenshot(path=folder / f"{name}-{size}-{theme}.png")
                page.close()
            context.close()


def context_of(browser: Browser, theme: str, width: int, height: int) -> BrowserContext:
    """A browser of that size, whose system is light or dark."""
    return browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        has_touch=width < 500,
    )


def main() -> None:
    """Starts a system, fills it, and takes its pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        RedisServer(Path(scratch) / "redis") as redis,
        running(redis, "screenshots", Path(scratch) / "system") as system,
        chromium() as browser,
    ):
        fill(system)
        take(system, browser, folder)


if __name__ == "__main__":
    main()
