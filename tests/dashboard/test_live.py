"""Watching and stopping real agents: what one browser does, and what the other sees, each on a replica of its own."""

import re
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.dashboard.browsing import open_page
from tests.dashboard.stories import Event, Reporter, text, tool
from tests.dashboard.system import System, running
from tests.processes import DEADLINE_SECONDS, Process, RedisServer, wait_until


@pytest.fixture
def pages(context: BrowserContext, system: System) -> tuple[Page, Page]:
    """The list of sessions, on each replica."""
    a, b = (open_page(context, f"{replica.url}/#/sessions") for replica in system.replicas)
    return a, b


@pytest.fixture
def agent(system: System, session_id: str) -> Iterator[Process]:
    """An agent in a process of its own, connected by a bridge."""
    log = system.folder / f"{session_id}.log"
    # Long enough for a frozen agent to be seen as one that is held up, before it is seen as gone.
    environment = system.environment | {"TEST_LEASE_SECONDS": "16"}
    with Process(["-m", "tests.agent_program", "steady", session_id], environment, log) as process:
        wait_until(lambda: "entered" in process.output, "the agent to enter")
        yield process


def row(page: Page, session_id: str) -> Locator:
    """The session's row in the list."""
    return page.get_by_role("row").filter(has_text=session_id)


def press_stop(within: Page | Locator) -> None:
    """Presses until it is asked: on a slow machine the second press may come too late, and is a first one again."""
    button = within.locator("button[data-stop]").first
    while button.get_attribute("data-stop") in ("idle", "confirming"):
        button.click()


def test_an_agent_that_starts_appears_in_every_browser_and_a_stop_from_one_is_seen_in_the_other(
    pages: tuple[Page, Page], agent: Process, session_id: str
) -> None:
    here, there = pages
    for page in pages:
        expect(row(page, session_id)).to_contain_text("running", ignore_case=True)
        expect(row(page, session_id)).to_contain_text("connected", ignore_case=True)
    press_stop(row(here, session_id))
    for page in pages:
        expect(row(page, session_id)).to_contain_text("stopped", ignore_case=True)
    assert agent.popen.wait(DEADLINE_SECONDS) == 3
    row(there, session_id).get_by_role("link").first.click()
    expect(there.get_by_text("Stopped, and confirmed by the agent").last).to_be_visible()


def test_one_press_stops_nothing(pages: tuple[Page, Page], agent: Process, session_id: str, system: System) -> None:
    here, _ = pages
    mine = row(here, session_id)
    mine.get_by_role("button", name=re.compile("^Stop ")).click()
    expect(mine.get_by_role("button", name=re.compile("^Press again"))).to_be_visible()
    # It is armed for four seconds; then it is a first press again.
    expect(mine.get_by_role("button", name=re.compile("^Stop "))).to_be_visible()
    assert system.http.get(f"/sessions/{session_id}").json()["stop_requested_at"] is None
    assert agent.popen.poll() is None


# Keeps what a screen reader is told of the stop: a step may pass while the test looks at another page.
LISTEN = """() => {
  window.told = [];
  const look = () => {
    for (const { textContent } of document.querySelectorAll('main [role="status"]')) {
      if (textContent && window.told.at(-1) !== textContent) window.told.push(textContent);
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def test_a_stop_that_a_frozen_agent_does_not_confirm_is_told_in_both_browsers_step_by_step(
    context: BrowserContext, system: System, agent: Process, session_id: str
) -> None:
    pages = [open_page(context, f"{replica.url}/#/sessions/{session_id}") for replica in system.replicas]
    for page in pages:
        expect(page.get_by_role("heading", name=session_id)).to_be_visible()
        page.evaluate(LISTEN)
    agent.popen.send_signal(signal.SIGSTOP)
    try:
        press_stop(pages[0])
        for page in pages:
            expect(page.get_by_text("Stopped, not confirmed: no agent is connected").last).to_be_visible()
    finally:
        agent.popen.send_signal(signal.SIGCONT)
    # It wakes up, and the stop still waits for it.
    for page in pages:
        expect(page.get_by_text("Stopped, and confirmed by the agent").last).to_be_visible()
        told = [words for words in page.evaluate("window.told") if "top" in words or "confirmed" in words]
        assert told[:3] == [
            "Stop asked for, waiting for the agent",
            "The agent has not confirmed the stop",
            "Stopped, not confirmed: no agent is connected",
        ]
        # Between waking up and confirming, it may be seen connected again.
        assert set(told[3:-1]) <= {"The agent has not confirmed the stop"}
        assert told[-1] == "Stopped, and confirmed by the agent"


def test_the_timeline_is_live_and_pairs_tools_with_their_results(
    context: BrowserContext, system: System, session_id: str
) -> None:
    reporter = Reporter(system.http, session_id, session_name="Live one", agent_name="tester")
    reporter.start()
    page = open_page(context, f"{system.replicas[1].url}/#/sessions/{session_id}")
    expect(page.get_by_role("heading", name="Live one")).to_be_visible()
    before, after = tool("Bash", {"command": "make all-of-it"}, {"stdout": "all made", "exit_code": 0}, key="t1")
    reporter.report(text("user", "Make everything"), before)
    asked = page.get_by_role("article").filter(has_text="make all-of-it")
    expect(asked).to_have_count(1)
    expect(asked).to_contain_text("running", ignore_case=True)
    reporter.report(after)
    expect(asked).to_have_count(1)
    expect(asked).not_to_contain_text("running", ignore_case=True)
    asked.get_by_role("button").first.click()
    expect(asked).to_contain_text("all made")


def words(first: int, end: int) -> list[Event]:
    """Numbered messages."""
    return [text("assistant", f"word {number} of many") for number in range(first, end)]


@pytest.fixture
def own_system(own_redis_server: RedisServer, tmp_path: Path) -> Iterator[System]:
    """A system whose parts the test may kill."""
    with running(own_redis_server, f"d-{uuid.uuid4().hex[:12]}", tmp_path) as system:
        yield system


def test_a_replica_that_is_killed_during_a_stream_leaves_no_gap(
    context: BrowserContext, own_system: System, session_id: str
) -> None:
    a, b = own_system.replicas
    with httpx.Client(base_url=a.url) as http:
        reporter = Reporter(http, session_id, agent_name="tester")
        reporter.start()
        page = open_page(context, f"{a.url}/#/sessions/{session_id}")
        # Tall enough for every row to be drawn.
        page.set_viewport_size({"width": 1200, "height": 4000})
        reporter.report(*words(0, 10))
    expect(page.get_by_text("word 9 of many").first).to_be_visible()
    a.kill()
    expect(page.locator('[data-connection="waiting"]').first).to_be_attached()
    with httpx.Client(base_url=b.url) as http:
        reporter = Reporter(http, session_id)
        reporter.report(*words(10, 25))
        with own_system.coordinator(a.port):
            expect(page.locator('[data-connection="live"]').first).to_be_attached()
            reporter.report(*words(25, 30))
            expect(page.get_by_text("word 29 of many").first).to_be_visible()
            rows = page.get_by_role("article").all_inner_texts()
    numbers = [int(found[1]) for shown in rows if (found := re.search(r"word (\d+) of many", shown))]
    assert numbers == list(range(30))
