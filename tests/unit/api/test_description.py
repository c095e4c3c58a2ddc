"""The page that describes the API: everything that there is, and nothing that runs."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from agent_bus.settings import Settings
from api.application import create_application
from api.coordinator.app import create_coordinator_api
from api.documents.app import create_documents_api


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


async def page_of(app: FastAPI) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        return await client.get("/docs")


@pytest.mark.parametrize("create", [create_coordinator_api, create_documents_api])
async def test_every_route_and_type_is_on_the_page(create: type) -> None:
    app: FastAPI = create(Settings())
    text = (await page_of(app)).text
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}</h3>" in text
    for name in app.openapi()["components"]["schemas"]:
        assert f"<summary>{name}</summary>" in text


async def test_nothing_on_the_page_runs_or_comes_from_elsewhere() -> None:
    answer = await page_of(create_coordinator_api(Settings()))
    assert "<script" not in answer.text
    assert not re.findall(r"(?:src|href)=\"(?!openapi\.json)", answer.text)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy


async def test_what_a_description_says_is_text() -> None:
    app = create_application("<script>", "<img src=x>", nothing)
    text = (await page_of(app)).text
    assert "<script" not in text
    assert "<img" not in text


async def test_the_pages_that_load_programs_from_elsewhere_are_gone() -> None:
    app = create_coordinator_api(Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        for path in ("/redoc", "/docs/oauth2-redirect"):
            assert (await client.get(path)).status_code == 404
