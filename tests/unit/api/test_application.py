"""What both servers have in common, put together: guard, CORS, errors."""

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from agent_bus.settings import Settings
from api.application import create_application, guard
from api.errors import problem

LISTED = "https://front.example"


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("CORS_ORIGINS", LISTED)
    app = create_application("Test", "", lifespan=nothing)

    @app.post("/change")
    async def change() -> str:
        return "done"

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("x")

    transport = httpx.ASGITransport(guard(app, Settings()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8765") as client:
        yield client


async def test_a_listed_page_may_change_and_read_the_answer(client: httpx.AsyncClient) -> None:
    response = await client.post("/change", headers={"origin": LISTED})
    assert response.json() == "done"
    assert response.headers["access-control-allow-origin"] == LISTED
    assert "ETag" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_listed_page_s_preflight_is_answered(client: httpx.AsyncClient, method: str) -> None:
    asked = {
        "origin": LISTED,
        "access-control-request-method": method,
        "access-control-request-headers": "content-type",
    }
    response = await client.options("/change", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == LISTED


PRIVATE = {"access-control-request-method": "POST", "access-control-request-private-network": "true"}


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:8765", "https://localhost:8765"])
async def test_a_listed_page_and_our_own_may_reach_into_a_private_network(
    client: httpx.AsyncClient, origin: str
) -> None:
    response = await client.options("/change", headers={"origin": origin} | PRIVATE)
    assert response.status_code == 200
    assert response.headers["access-control-allow-private-network"] == "true"
    assert response.headers["access-control-allow-origin"] == origin
    # One that does not ask is not told.
    asked = {"origin": origin, "access-control-request-method": "POST"}
    assert "access-control-allow-private-network" not in (await client.options("/change", headers=asked)).headers


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost", "http://localhost:8766", "https://front.example.evil"]
)
async def test_no_other_page_may_reach_into_a_private_network(client: httpx.AsyncClient, origin: str) -> None:
    response = await client.options("/change", headers={"origin": origin} | PRIVATE)
    assert (response.status_code, set(response.json())) == (400, {"detail"})
    assert not [name for name in response.headers if name.startswith("access-control-allow")]


async def test_a_foreign_name_for_this_server_makes_no_page_our_own(client: httpx.AsyncClient) -> None:
    rebound = {"host": "rebound.example", "origin": "http://rebound.example"}
    response = await client.options("/change", headers=rebound | PRIVATE)
    assert response.status_code == 400
    assert "access-control-allow-private-network" not in response.headers


async def test_a_foreign_page_may_neither_change_nor_read(client: httpx.AsyncClient) -> None:
    asked = {"origin": "http://evil.example"}
    assert (await client.post("/change", headers=asked)).status_code == 403
    read = await client.get("/openapi.json", headers=asked)
    assert "access-control-allow-origin" not in read.headers
    preflight = await client.options("/change", headers=asked | {"access-control-request-method": "PATCH"})
    assert preflight.status_code == 400


async def test_a_foreign_host_is_refused_before_anything_else(client: httpx.AsyncClient) -> None:
    response = await client.get("/openapi.json", headers={"host": "rebound.example"})
    assert (response.status_code, set(response.json())) == (400, {"detail"})


async def test_errors_can_be_read_by_listed_pages_too(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere", headers={"origin": LISTED})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (404, LISTED)


async def test_a_failure_is_json(client: httpx.AsyncClient) -> None:
    response = await client.get("/fail")
    assert (response.status_code, set(response.json())) == (500, {"detail"})


def test_a_problem_carries_status_detail_and_headers() -> None:
    response = problem(413, "too large", {"Connection": "close"})
    assert (response.status_code, response.body, response.headers["connection"]) == (
        413, b'{"detail":"too large"}', "close",
    )  # fmt: skip
    assert "settings" not in inspect.signature(create_application).parameters
