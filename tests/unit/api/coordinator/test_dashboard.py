"""The page that the coordinator serves: what it may do, what it is told, and what is there when it was not built."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from agent_bus.settings import Settings
from api.coordinator.dashboard import routes
from api.errors import install_error_handlers

PAGE = '<meta name="csp-nonce" content="%CSP_NONCE%"><meta name="documents-url" content="%DOCUMENTS_URL%">'


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DOCUMENT_SERVER_PUBLIC_URL", "https://files.example/a")
    return Settings()


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> httpx.AsyncClient:
    app = FastAPI()
    install_error_handlers(app)
    app.router.routes.extend(routes(settings, tmp_path))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8765")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE, "utf-8")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-1a2b.js").write_text("export const x = 1;\n" * 100, "utf-8")
    return tmp_path


def policy_of(response: httpx.Response) -> dict[str, str]:
    parts = (part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    return {name: sources for name, sources in parts}  # noqa: C416 - a list of two is no pair to a type checker


@pytest.mark.usefixtures("built")
async def test_the_page_may_talk_to_the_two_servers_and_run_nothing_but_its_own_files(
    client: httpx.AsyncClient,
) -> None:
    policy = policy_of(await client.get("/"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://files.example"
    assert (policy["base-uri"], policy["form-action"], policy["frame-ancestors"]) == ("'none'",) * 3
    assert "unsafe" not in str(policy)


@pytest.mark.usefixtures("built")
async def test_each_answer_has_a_nonce_of_its_own_which_the_page_knows(client: httpx.AsyncClient) -> None:
    nonces = set()
    for _ in range(2):
        response = await client.get("/")
        nonce = re.search(r'name="csp-nonce" content="([\w-]{20,})"', response.text)
        assert nonce is not None
        assert policy_of(response)["style-src"] == f"'self' 'nonce-{nonce[1]}'"
        assert response.headers["cache-control"] == "no-store"
        nonces.add(nonce[1])
    assert len(nonces) == 2


@pytest.mark.usefixtures("built")
async def test_the_page_is_told_where_the_documents_are(client: httpx.AsyncClient) -> None:
    assert 'content="https://files.example/a"' in (await client.get("/")).text


@pytest.mark.usefixtures("built")
async def test_an_address_that_is_no_html_stays_an_address(monkeypatch: pytest.MonkeyPatch, built: Path) -> None:
    monkeypatch.setenv("DOCUMENT_SERVER_PUBLIC_URL", 'https://files.example/"><script>')
    app = FastAPI()
    app.router.routes.extend(routes(Settings(), built))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert "<script>" not in (await client.get("/")).text


@pytest.mark.usefixtures("built")
async def test_files_are_kept_by_the_browser_and_sent_compressed(client: httpx.AsyncClient) -> None:
    response = await client.get("/assets/index-1a2b.js")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/javascript")
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["content-encoding"] == "gzip"


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/assets/no.js", "/assets/", "/assets/%2e%2e/index.html", "/assets/..%2findex.html"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.json()["detail"]


async def test_without_the_page_it_is_said_how_to_build_it(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 404
    assert "make dashboard" in response.text
    assert policy_of(response)["default-src"] == "'none'"


async def test_a_page_that_is_built_while_the_server_runs_is_served(client: httpx.AsyncClient, tmp_path: Path) -> None:
    assert (await client.get("/")).status_code == 404
    (tmp_path / "index.html").write_text(PAGE, "utf-8")
    assert (await client.get("/")).status_code == 200
