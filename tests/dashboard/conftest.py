"""What the tests of the dashboard share. Playwright holds a loop of its own, so it ends with each module."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.dashboard.browsing import Complaints, chromium
from tests.dashboard.system import System, running
from tests.processes import RedisServer


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """The browser."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def system(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system for one module's tests, which keep apart by session."""
    with running(redis_server, f"d-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    """A browser that has been nowhere yet. Whatever its pages complain of fails the test."""
    context = chrome.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    heard: list[Complaints] = []
    context.on("page", lambda page: heard.append(Complaints(page)))
    yield context
    context.close()
    for complaints in heard:
        complaints.check()


@pytest.fixture
def session_id() -> str:
    """An id that no other test uses."""
    return f"s-{uuid.uuid4().hex[:12]}"
