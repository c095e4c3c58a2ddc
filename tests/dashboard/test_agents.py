"""Blueprints in the page: made in one browser and seen in the other, switched off, and never overwritten unseen."""

import uuid

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.dashboard.browsing import open_page
from tests.dashboard.system import System


@pytest.fixture
def pages(context: BrowserContext, system: System) -> tuple[Page, Page]:
    """The agents, on each replica."""
    a, b = (open_page(context, f"{replica.url}/#/agents") for replica in system.replicas)
    return a, b


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"agent-{uuid.uuid4().hex[:8]}"


def test_an_agent_that_is_made_in_one_browser_is_in_the_other_and_can_be_switched_off_there(
    pages: tuple[Page, Page], system: System, name: str
) -> None:
    here, there = pages
    here.get_by_role("button", name="New agent").or_(here.get_by_role("link", name="New agent")).first.click()
    here.get_by_label("Name", exact=True).fill(name)
    here.get_by_label("Description").fill("Made by a test")
    here.get_by_role("button", name="Create").click()
    expect(there.get_by_role("link", name=name)).to_be_visible()
    switch = there.get_by_role("switch", name=f"{name} is active")
    switch.click()
    expect(switch).not_to_be_checked()
    here.goto(f"{here.url.split('#')[0]}#/agents")
    expect(here.get_by_role("switch", name=f"{name} is active")).not_to_be_checked()
    assert system.http.get(f"/agents/{name}").json()["status"] == "inactive"


def test_a_name_that_is_taken_is_said_where_it_is_typed(pages: tuple[Page, Page], system: System, name: str) -> None:
    page, _ = pages
    system.http.post("/agents", json={"name": name, "description": "first"}).raise_for_status()
    page.goto(f"{page.url.split('#')[0]}#/agents?new=true")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Description").fill("second")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("There is an agent of that name already")).to_be_visible()
    assert system.http.get(f"/agents/{name}").json()["description"] == "first"


def test_a_change_by_somebody_else_is_told_to_who_is_editing(
    pages: tuple[Page, Page], system: System, name: str
) -> None:
    page, _ = pages
    system.http.post("/agents", json={"name": name, "description": "first"}).raise_for_status()
    page.goto(f"{page.url.split('#')[0]}#/agents?open={name}")
    page.get_by_label("Description").fill("mine")
    system.http.patch(f"/agents/{name}", json={"description": "theirs"}).raise_for_status()
    expect(page.get_by_role("button", name="Load theirs")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("mine")
    page.get_by_role("button", name="Load theirs").click()
    expect(page.get_by_label("Description")).to_have_value("theirs")
