"""Documents in the page: uploads, tags and filters, somebody else's edits, and files that would do harm."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from tests.dashboard.browsing import open_page
from tests.dashboard.system import System
from tests.processes import wait_until


@pytest.fixture
def pages(context: BrowserContext, system: System) -> tuple[Page, Page]:
    """The documents, on each replica."""
    a, b = (open_page(context, f"{replica.url}/#/documents") for replica in system.replicas)
    return a, b


def upload(page: Page, *files: FilePayload | Path) -> None:
    """Chooses files, as through the button."""
    page.get_by_role("button", name="Upload").first.click()
    chosen = list(files)
    page.get_by_label("Files to upload").set_input_files(chosen)  # type: ignore[arg-type]


def file(name: str, content: str, kind: str = "text/plain") -> FilePayload:
    """A file that exists in the browser only."""
    return FilePayload(name=name, mimeType=kind, buffer=content.encode())


def stored(system: System, name: str) -> dict[str, object]:
    """The document of that name, as the server has it."""

    def found() -> list[dict[str, object]]:
        documents: list[dict[str, object]] = system.files.get("/documents", params={"filename": name}).json()
        return documents

    return wait_until(found, f"{name} to be stored")[0]


def test_what_is_uploaded_in_one_browser_is_tagged_and_found_in_the_other(
    pages: tuple[Page, Page], system: System
) -> None:
    here, there = pages
    tag = f"t-{uuid.uuid4().hex[:8]}"
    names = [f"{tag}-{letter}.txt" for letter in "abc"]
    upload(here, *(file(name, f"this is {name}") for name in names))
    for page in pages:
        for name in names:
            expect(page.get_by_role("link", name=name)).to_be_visible()
    here.goto(f"{here.url.split('#')[0]}#/documents?doc={stored(system, names[0])['id']}")
    expect(here.get_by_text(f"this is {names[0]}")).to_be_visible()
    here.get_by_role("button", name="Add tags").last.click()
    here.get_by_label("Tags", exact=True).fill(tag)
    here.keyboard.press("Enter")
    here.get_by_role("button", name="Save").click()
    chip = there.get_by_role("group", name="Filter by tags").get_by_role("button", name=re.compile(tag))
    expect(chip).to_contain_text("1")
    chip.click()
    expect(there).to_have_url(re.compile(tag))
    expect(there.get_by_role("link", name=names[0])).to_be_visible()
    expect(there.get_by_role("link", name=names[1])).to_have_count(0)


def test_what_the_server_has_against_a_tag_is_said_at_the_tags(pages: tuple[Page, Page], system: System) -> None:
    name = f"v-{uuid.uuid4().hex[:8]}.txt"
    page, _ = pages
    upload(page, file(name, "x"))
    page.goto(f"{page.url.split('#')[0]}#/documents?doc={stored(system, name)['id']}")
    page.get_by_role("button", name="Add tags").last.click()
    page.get_by_label("Tags", exact=True).fill("not a tag!")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="not a tag!")).to_be_visible()


def test_an_edit_that_somebody_was_quicker_with_is_not_overwritten_unseen(
    pages: tuple[Page, Page], system: System
) -> None:
    name = f"c-{uuid.uuid4().hex[:8]}.txt"
    page, _ = pages
    upload(page, file(name, "x"))
    document = stored(system, name)
    page.goto(f"{page.url.split('#')[0]}#/documents?doc={document['id']}")
    page.get_by_role("button", name=re.compile("description", re.IGNORECASE)).first.click()
    page.get_by_label("Description").last.fill("mine")
    system.files.patch(f"/documents/{document['id']}", json={"description": "theirs"}).raise_for_status()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("theirs").first).to_be_visible()
    expect(page.get_by_text("mine").first).to_be_visible()
    kept = system.files.get(f"/documents/{document['id']}/metadata").json()
    assert kept["metadata"]["description"] == "theirs"


HOSTILE_NAME = '<img src=x onerror="window.ran=1">\u202egpj.html'
HOSTILE_HTML = """<!doctype html><script>parent.ran = 1; document.title = "ran"</script>
<img src="x" onerror="parent.ran = 1"><a href="javascript:parent.ran=1">press me</a>
<iframe srcdoc="<script>top.ran=1</script>"></iframe><p>harmless words</p>"""
HOSTILE_MARKDOWN = """# Harmless heading

<script>window.ran = 1</script> <img src=x onerror="window.ran=1">

[press me](javascript:window.ran=1) ![a picture](https://tracker.invalid/pixel.png)
"""
HOSTILE_SVG = """<svg xmlns="http://www.w3.org/2000/svg" onload="top.ran=1"><script>top.ran = 1</script></svg>"""


@pytest.fixture
def visitor(chrome: Browser, system: System) -> Iterator[Page]:
    """The documents. That the browser complains of what it has refused to run is as it should be."""
    context = chrome.new_context(viewport={"width": 1280, "height": 800})
    yield open_page(context, f"{system.replicas[0].url}/#/documents")
    context.close()


@pytest.mark.parametrize(
    ("content", "kind", "extension", "shown"),
    [
        (HOSTILE_HTML, "text/html", "html", "harmless words"),
        (HOSTILE_MARKDOWN, "text/markdown", "md", "Harmless heading"),
        (HOSTILE_SVG, "image/svg+xml", "svg", None),
    ],
    ids=["HTML", "Markdown", "SVG"],
)
def test_a_document_that_would_run_a_script_is_only_looked_at(
    visitor: Page, system: System, content: str, kind: str, extension: str, shown: str | None
) -> None:
    ours = (system.replicas[0].url, system.documents.url, "blob:", "data:", "about:")
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(request.url))
    name = f"h-{uuid.uuid4().hex[:8]}.{extension}"
    upload(visitor, file(name, content, kind))
    visitor.goto(f"{visitor.url.split('#')[0]}#/documents?doc={stored(system, name)['id']}")
    if extension == "html":
        visitor.get_by_role("radio", name="Rendered, without scripts").click()
        frame = visitor.frame_locator("iframe")
        expect(frame.get_by_text("harmless words")).to_be_visible()
    elif shown is not None:
        expect(visitor.get_by_role("heading", name=shown)).to_be_visible()
        visitor.get_by_text("press me").first.click()
    else:
        expect(visitor.get_by_role("img", name=name)).to_be_visible()
    assert visitor.evaluate("window.ran") is None
    assert visitor.title() != "ran"
    assert [url for url in asked if not url.startswith(ours)] == []


def test_a_file_name_that_would_run_a_script_or_turn_the_text_around_is_shown_as_it_is(
    visitor: Page, system: System
) -> None:
    files = httpx.Client(base_url=system.documents.url)
    with files:
        files.post("/documents", files={"file": (HOSTILE_NAME, b"x", "text/html")}).raise_for_status()
    link = visitor.get_by_role("link", name=re.compile("onerror"))
    expect(link).to_be_visible()
    expect(link).to_contain_text("⟨U+202E⟩")
    link.click()
    expect(visitor.get_by_role("complementary", name="Document")).to_contain_text("⟨U+202E⟩")
    assert visitor.evaluate("window.ran") is None


def test_where_no_token_is_asked_for_a_download_is_a_link_to_the_server(
    pages: tuple[Page, Page], system: System
) -> None:
    name = f"l-{uuid.uuid4().hex[:8]}.txt"
    page, _ = pages
    upload(page, file(name, "as it is"))
    document = stored(system, name)
    page.goto(f"{page.url.split('#')[0]}#/documents?doc={document['id']}")
    link = page.get_by_role("complementary", name="Document").get_by_role("link", name="Download")
    expect(link).to_have_attribute("href", str(document["url"]))
    with page.context.expect_event("download") as downloading:
        link.click()
    assert downloading.value.path().read_text() == "as it is"
