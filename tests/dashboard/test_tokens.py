"""The page where tokens are asked for: who signs in sees what their role may, and tokens leave it as headers only."""

import base64
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, Route, expect

from api.roles import Role
from api.token_commands import create, revoke
from tests.dashboard.browsing import accessibility_problems
from tests.dashboard.screenshots import SIZES, THEMES, context_of
from tests.dashboard.stories import Reporter, text
from tests.dashboard.system import System, running
from tests.dashboard.test_documents import file, upload
from tests.processes import DEADLINE_SECONDS, RedisServer, free_port, wait_until

Control = Literal["button", "link", "menuitem", "checkbox", "switch"]
CONTROLS: tuple[Control, ...] = get_args(Control)
NOT_HERE = "aot_nobody-has-this-one"
# One pixel.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass
class Guarded:
    """A system that asks for tokens, and one of each role."""

    system: System
    file: Path
    tokens: dict[Role, str]
    secrets: list[str] = field(default_factory=list)

    def create(self, role: Role) -> tuple[str, str]:
        """One more token, of a name of its own."""
        name = f"t-{uuid.uuid4().hex[:8]}"
        token = create(self.file, name, role.value)
        self.secrets.append(token)
        return name, token


@pytest.fixture(scope="module")
def guarded(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The system; no secret may be in what its servers wrote, whatever the pages did."""
    folder = tmp_path_factory.mktemp("guarded")
    tokens_file = folder / "tokens.json"
    tokens = {role: create(tokens_file, f"one-{role.value}", role.value) for role in Role}
    namespace = f"d-{uuid.uuid4().hex[:12]}"
    with running(redis_server, namespace, folder, tokens_file, tokens[Role.OPERATOR]) as system:
        guarded = Guarded(system, tokens_file, tokens, [*tokens.values()])
        yield guarded
    for server in (*system.replicas, system.documents):
        assert [secret for secret in guarded.secrets if secret in server.output] == []
        assert "ticket=" not in server.output


@pytest.fixture
def visit(context: BrowserContext, guarded: Guarded) -> Iterator[Callable[[str], Page]]:
    """Opens tabs, and looks afterwards whether any secret was in an address or is kept where it outlives the tab."""
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    addresses: list[str] = []
    pages: list[Page] = []

    def open_tab(path: str, replica: int = 0) -> Page:
        page = context.new_page()
        page.on("request", lambda request: addresses.append(request.url))
        page.on("websocket", lambda socket: addresses.append(socket.url))
        page.goto(f"{guarded.system.replicas[replica].url}/#{path}")
        pages.append(page)
        return page

    yield open_tab
    kept = [page.evaluate("JSON.stringify({ ...localStorage }) + document.cookie") for page in pages]
    assert any("/ws?" in address for address in addresses)
    for secret in guarded.secrets:
        assert [address for address in addresses if secret in address] == []
        assert [text for text in kept if secret in text] == []


def sign_in(page: Page, token: str) -> None:
    """Types the token into the view that asks for it."""
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Sign in").click()


def expect_live(page: Page) -> None:
    """The page is shown, and its data is live."""
    expect(page.get_by_label("Token", exact=True)).to_have_count(0)
    expect(page.locator('[data-connection="live"]').first).to_be_attached()


def signed_in(visit: Callable[[str], Page], path: str, token: str) -> Page:
    """A tab at the path."""
    page = visit(path)
    sign_in(page, token)
    expect_live(page)
    return page


def wait_for_token(guarded: Guarded, token: str, status: int) -> None:
    """Until each replica knows of the token's making or end."""
    headers = {"Authorization": f"Bearer {token}"}

    def known() -> bool:
        answers = [httpx.get(f"{replica.url}/whoami", headers=headers) for replica in guarded.system.replicas]
        return all(answer.status_code == status for answer in answers)

    wait_until(known, f"each replica to answer {status}")


@pytest.fixture
def session(guarded: Guarded, session_id: str) -> Reporter:
    """A session that runs."""
    reporter = Reporter(guarded.system.http, session_id, agent_name="tester")
    reporter.start()
    reporter.report(text("assistant", f"the first words of {session_id}"))
    return reporter


def test_nothing_is_shown_before_somebody_signs_in_and_wrong_tokens_are_told_apart(
    visit: Callable[[str], Page], guarded: Guarded, session: Reporter, session_id: str
) -> None:
    page = visit("/sessions")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(0)
    field = page.get_by_label("Token", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    sign_in(page, NOT_HERE)
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    sign_in(page, guarded.tokens[Role.AGENT])
    expect(page.get_by_role("alert")).to_contain_text("belongs to an agent")
    # It can't be sent away, and the page's keys mean nothing here.
    for key in ("Escape", "Escape", "Control+k"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog", name="Commands")).to_have_count(0)
    expect(field).to_be_focused()
    sign_in(page, guarded.tokens[Role.VIEWER])
    expect_live(page)
    expect(page.get_by_role("row").filter(has_text=session_id)).to_be_visible()
    expect(page.get_by_role("button", name="Signed in as one-viewer, viewer")).to_be_visible()


def test_a_tab_keeps_its_token_over_a_reload_and_another_asks_again(
    visit: Callable[[str], Page], guarded: Guarded
) -> None:
    page = signed_in(visit, "/charts", guarded.tokens[Role.VIEWER])
    page.reload()
    expect_live(page)
    other = visit("/charts")
    expect(other.get_by_label("Token", exact=True)).to_be_visible()
    page.get_by_role("button", name="Signed in as").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("#/charts"))
    page.reload()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def test_what_is_reported_to_one_replica_arrives_at_the_other_through_a_ticket(
    visit: Callable[..., Page], guarded: Guarded, session: Reporter, session_id: str
) -> None:
    page = visit(f"/sessions/{session_id}", 1)
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    sign_in(page, guarded.tokens[Role.VIEWER])
    expect_live(page)
    session.report(text("assistant", "hot off the wire"))
    expect(page.get_by_text("hot off the wire").first).to_be_visible()
    assert [url for url in sockets if "ticket=" not in url] == []


def test_a_replica_that_comes_back_is_connected_to_with_another_ticket(
    context: BrowserContext, guarded: Guarded, session: Reporter, session_id: str
) -> None:
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    page = context.new_page()
    with guarded.system.coordinator(free_port()) as replica:
        page.goto(f"{replica.url}/#/sessions/{session_id}")
        sign_in(page, guarded.tokens[Role.VIEWER])
        expect_live(page)
        expect(page.get_by_text(f"the first words of {session_id}").first).to_be_visible()
        replica.kill()
        expect(page.locator('[data-connection="waiting"]').first).to_be_attached()
        session.report(text("assistant", "said meanwhile"))
        with guarded.system.coordinator(replica.port):
            expect_live(page)
            session.report(text("assistant", "said afterwards"))
            for words in ("said meanwhile", "said afterwards"):
                expect(page.get_by_role("article").filter(has_text=words)).to_have_count(1)


def commands_of(page: Page) -> str:
    """What the palette offers."""
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Commands")
    expect(palette.get_by_role("option").first).to_be_visible()
    words = palette.inner_text()
    page.keyboard.press("Escape")
    expect(palette).to_have_count(0)
    return words


def test_a_viewer_reads_everything_and_finds_no_way_to_change_it(
    visit: Callable[[str], Page], guarded: Guarded, session: Reporter, session_id: str
) -> None:
    name = f"r-{uuid.uuid4().hex[:8]}"
    sent = guarded.system.files.post(
        "/documents", files={"file": (f"{name}.txt", b"only to be read", "text/plain")}, data={"tags": "kept"}
    )
    document = sent.raise_for_status().json()["id"]
    secret = {"web": {"type": "http", "url": "https://mcp.example", "headers": {"Authorization": "hush"}}}
    blueprint = {"name": name, "description": "Only to be read", "mcp_servers": secret}
    guarded.system.http.post("/agents", json=blueprint).raise_for_status()

    def absent(*names: str) -> None:
        for wanted in names:
            pattern = re.compile(wanted, re.IGNORECASE)
            for role in CONTROLS:
                expect(page.get_by_role(role, name=pattern)).to_have_count(0)

    def go(path: str) -> None:
        page.goto(f"{guarded.system.replicas[0].url}/#{path}")

    page = signed_in(visit, "/sessions", guarded.tokens[Role.VIEWER])
    row = page.get_by_role("row").filter(has_text=session_id)
    expect(row).to_be_visible()
    absent("stop", "^select", "delete", "rename")
    row.get_by_role("button", name="More for").click()
    expect(page.get_by_role("menuitem", name="Copy id")).to_be_visible()
    absent("delete", "rename")
    page.keyboard.press("Escape")
    assert not re.search(r"\bstop|delete|select", commands_of(page), re.IGNORECASE)

    go(f"/sessions/{session_id}")
    expect(page.get_by_text(f"the first words of {session_id}").first).to_be_visible()
    absent("stop", "delete", "rename")
    page.keyboard.press("s")
    page.keyboard.press("s")
    assert not re.search(r"\bstop", commands_of(page), re.IGNORECASE)

    go(f"/documents?doc={document}")
    expect(page.get_by_text("only to be read")).to_be_visible()
    absent("upload", "^select", "delete", "edit", "add ")
    page.keyboard.press("u")
    assert not re.search(r"upload|select", commands_of(page), re.IGNORECASE)
    expect(page.get_by_role("dialog")).to_have_count(0)

    go("/agents")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    absent("new agent", "import", "is active", "duplicate", "delete")
    page.keyboard.press("n")
    assert not re.search(r"new agent", commands_of(page), re.IGNORECASE)
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text("Only to be read")).to_be_visible()
    absent("save", "discard", "add ", "is active")
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_text("hush")).to_have_count(0)
    page.get_by_role("button", name="Show values").click()
    expect(page.get_by_text("hush")).to_be_visible()
    assert accessibility_problems(page) == []
    go("/agents?new=true")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    absent("create")

    kept = guarded.system.http.get(f"/sessions/{session_id}").json()
    assert (kept["status"], kept["stop_requested_at"]) == ("running", None)


def test_an_operator_stops_uploads_and_downloads(
    visit: Callable[[str], Page], guarded: Guarded, session: Reporter, session_id: str
) -> None:
    page = signed_in(visit, "/documents", guarded.tokens[Role.OPERATOR])
    name = f"o-{uuid.uuid4().hex[:8]}"
    picture = FilePayload(name=f"{name}.png", mimeType="image/png", buffer=PICTURE)
    upload(page, picture, file(f"{name}.txt", f"the words of {name}"))
    page.get_by_role("link", name=f"{name}.png").click()
    shown = page.get_by_role("img", name=f"{name}.png")
    expect(shown).to_be_visible()
    assert str(shown.get_attribute("src")).startswith("blob:")
    page.get_by_role("radio", name="Grid").click()
    expect(page.locator('[role="listitem"] img[src^="blob:"]').first).to_be_visible()
    panel = page.get_by_role("complementary", name="Document")
    with page.expect_download() as downloading:
        panel.get_by_role("button", name="Download").click()
    assert downloading.value.suggested_filename == f"{name}.png"
    assert downloading.value.path().read_bytes() == PICTURE
    # One that somebody has deleted is told, and not saved as an error's text.
    panel.get_by_role("button", name="Close").click()
    page.get_by_role("link", name=f"{name}.txt").click()
    expect(page.get_by_text(f"the words of {name}")).to_be_visible()
    page.route("**/documents/*", lambda route: route.fulfill(status=404, json={"detail": "it was deleted meanwhile"}))
    panel.get_by_role("button", name="Download").click()
    expect(page.get_by_text(f"{name}.txt was not downloaded").first).to_be_visible()
    page.unroute("**/documents/*")

    page.goto(f"{guarded.system.replicas[0].url}/#/sessions/{session_id}")
    button = page.locator("button[data-stop]").first
    while button.get_attribute("data-stop") in ("idle", "confirming"):
        button.click()
    expect(page.get_by_text("Stopped, not confirmed: no agent is connected").last).to_be_visible()


def test_a_token_that_is_revoked_leads_to_signing_in_and_back_to_where_one_was(
    visit: Callable[[str], Page], guarded: Guarded, session: Reporter, session_id: str
) -> None:
    leaving, token = guarded.create(Role.OPERATOR)
    wait_for_token(guarded, token, 200)
    page = signed_in(visit, f"/sessions/{session_id}", token)
    editing = signed_in(visit, "/agents?new=true", token)
    editing.get_by_label("Description").fill("half a thought")
    expect(page.get_by_text(f"the first words of {session_id}").first).to_be_visible()
    revoke(guarded.file, leaving)
    for tab in (page, editing):
        expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(tab.get_by_role("alert")).to_contain_text("revoked")
    # Nothing of it is left to come back with.
    assert page.evaluate("sessionStorage.length") == 0
    session.report(text("assistant", "said meanwhile"))
    sign_in(page, guarded.tokens[Role.VIEWER])
    expect_live(page)
    expect(page).to_have_url(re.compile(session_id))
    session.report(text("assistant", "said afterwards"))
    for words in ("said meanwhile", "said afterwards"):
        expect(page.get_by_role("article").filter(has_text=words)).to_have_count(1)
    sign_in(editing, guarded.tokens[Role.OPERATOR])
    expect(editing.get_by_label("Token", exact=True)).to_have_count(0)
    expect(editing.get_by_label("Description")).to_have_value("half a thought")


def test_a_dialog_that_is_open_does_not_keep_anybody_from_signing_in(
    visit: Callable[[str], Page], guarded: Guarded
) -> None:
    leaving, token = guarded.create(Role.OPERATOR)
    wait_for_token(guarded, token, 200)
    page = signed_in(visit, "/sessions", token)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    revoke(guarded.file, leaving)
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    page.get_by_label("Token", exact=True).click()
    page.keyboard.type(guarded.tokens[Role.OPERATOR])
    page.keyboard.press("Enter")
    expect_live(page)


def test_a_refusal_for_the_roles_sake_is_told_in_words(
    visit: Callable[[str], Page], guarded: Guarded, session: Reporter, session_id: str
) -> None:
    def promoted(route: Route) -> None:
        route.fulfill(json={"authentication": "token", "name": "one-viewer", "role": "operator"})

    page = visit(f"/sessions/{session_id}")
    page.route("**/whoami", promoted)
    sign_in(page, guarded.tokens[Role.VIEWER])
    expect_live(page)
    page.unroute("**/whoami")
    button = page.locator("button[data-stop]").first
    expect(button).to_be_visible()
    told = page.get_by_text("Your token may not do this (role viewer)")

    def refused() -> bool:
        # By a script, for the button goes with the refusal: between two looks of the test, it may be gone.
        page.evaluate("document.querySelector('button[data-stop]')?.click()")
        return told.count() > 0

    wait_until(refused, "the refusal to be told")
    expect(told.first).to_be_visible()
    expect(page.locator("button[data-stop]")).to_have_count(0)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_view_to_sign_in_has_no_barriers(guarded: Guarded, chrome: Browser, size: str, theme: str) -> None:
    context = context_of(chrome, theme, *SIZES[size])
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    page = context.new_page()
    page.goto(guarded.system.replicas[0].url)
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    problems = accessibility_problems(page)
    sign_in(page, NOT_HERE)
    expect(page.get_by_role("alert")).to_be_visible()
    problems += accessibility_problems(page)
    sideways = page.evaluate("(view => view.scrollWidth - view.clientWidth)(document.querySelector('dialog'))")
    sign_in(page, guarded.tokens[Role.VIEWER])
    expect_live(page)
    problems += accessibility_problems(page)
    context.close()
    assert problems == []
    assert sideways <= 0
