"""Every page, full and empty, at two sizes and in both themes, by the rules of axe; and what the keyboard can do."""

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.browsing import Complaints, accessibility_problems, open_page
from tests.dashboard.demonstration import REVIEW, fill
from tests.dashboard.screenshots import PAGES, SIZES, THEMES, context_of
from tests.dashboard.system import System, running
from tests.processes import RedisServer


@pytest.fixture(scope="module")
def full_system(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system after a day's work."""
    with running(redis_server, f"d-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("full")) as system:
        fill(system)
        yield system


@pytest.fixture(scope="module")
def empty_system(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that nobody has used."""
    with running(redis_server, f"d-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("empty")) as system:
        yield system


@pytest.fixture
def page(full_system: System, chrome: Browser) -> Iterator[Page]:
    """The list of sessions."""
    context = context_of(chrome, "light", *SIZES["wide"])
    yield open_page(context, f"{full_system.replicas[0].url}/#/sessions")
    context.close()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_full_page_has_no_barriers(full_system: System, chrome: Browser, name: str, size: str, theme: str) -> None:
    address, prepare = PAGES[name]
    context = context_of(chrome, theme, *SIZES[size])
    page = open_page(context, f"{full_system.replicas[0].url}/#{address}")
    complaints = Complaints(page)
    prepare(page)
    problems = accessibility_problems(page)
    # The page itself does not scroll sideways: what is too wide scrolls in itself (WCAG 1.4.10).
    sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    assert problems == []
    assert sideways <= 0
    complaints.check()


@pytest.mark.parametrize("address", ["/sessions", "/sessions/nobody", "/documents", "/agents", "/charts", "/nowhere"])
def test_an_empty_page_has_no_barriers(empty_system: System, chrome: Browser, address: str) -> None:
    context = context_of(chrome, "light", *SIZES["wide"])
    page = open_page(context, f"{empty_system.replicas[0].url}/#{address}")
    page.wait_for_load_state("networkidle")
    problems = accessibility_problems(page)
    context.close()
    assert problems == []


def test_dialogs_and_menus_have_no_barriers(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    assert accessibility_problems(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Commands")).to_be_visible()
    assert accessibility_problems(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Theme").click()
    expect(page.get_by_role("menu")).to_be_visible()
    # A menu hangs below the body while it is open, in no landmark: an advice of axe's, not a rule of WCAG.
    assert [problem for problem in accessibility_problems(page) if not problem.startswith("region:")] == []


def test_the_keyboard_finds_opens_and_leaves_a_session(page: Page) -> None:
    expect(page.get_by_label("Search sessions")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Search sessions")).to_be_focused()
    page.keyboard.type("rounding")
    expect(page).to_have_url(re.compile("q=rounding"))
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("tr a:focus")).to_be_attached()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Timeline")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Search sessions")).to_be_visible()


def test_the_command_palette_goes_to_pages_and_sessions(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("documents")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/documents"))
    page.keyboard.press("Control+k")
    page.keyboard.type("rounding")
    expect(page.get_by_role("option", name=re.compile("rounding error"))).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(REVIEW))


def test_a_theme_is_kept(page: Page) -> None:
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitem", name="Dark").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
