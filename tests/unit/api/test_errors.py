"""Errors: JSON with a detail from every route, whatever went wrong."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from agent_bus.bus import NotReplicated
from agent_bus.event_writer import WriterFull
from agent_bus.replication import Replication
from api.errors import install_error_handlers


class Body(BaseModel):
    name: str
    count: int = 0


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)

    @app.post("/body")
    async def body(body: Body) -> Body:
        return body

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def fail_with(app: FastAPI, client: httpx.AsyncClient, error: Exception) -> httpx.Response:
    @app.get("/fail")
    async def fail() -> None:
        raise error

    response = await client.get("/fail")
    assert set(response.json()) == {"detail"}
    return response


async def test_unknown_paths_and_methods_are_answered_alike(client: httpx.AsyncClient) -> None:
    missing, method = await client.get("/nowhere"), await client.delete("/body")
    assert (missing.status_code, set(missing.json())) == (404, {"detail"})
    assert (method.status_code, set(method.json()), method.headers["allow"]) == (405, {"detail"}, "POST")


async def test_an_http_error_keeps_its_status_detail_and_headers(app: FastAPI, client: httpx.AsyncClient) -> None:
    response = await fail_with(app, client, HTTPException(418, "Tea only", {"X-Pot": "yes"}))
    assert (response.status_code, response.json()["detail"], response.headers["x-pot"]) == (418, "Tea only", "yes")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": 1}', b'{"count": NaN, "name": "s3cret"}', b"\xff"])
async def test_what_is_invalid_is_named_without_repeating_it(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post("/body", content=content, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert "s3cret" not in response.text
    detail = response.json()["detail"]
    if response.status_code == 422:
        assert all(set(item) == {"loc", "msg", "type"} for item in detail)


@pytest.mark.parametrize("error", [AuthenticationError("user s3cret"), NoPermissionError("may not run 's3cret'")])
async def test_a_redis_that_keeps_us_out_is_the_operator_s_affair(
    app: FastAPI, client: httpx.AsyncClient, error: RedisError, caplog: pytest.LogCaptureFixture
) -> None:
    response = await fail_with(app, client, error)
    assert response.status_code == 503
    assert response.json()["detail"] == "Redis does not let this server do that; its log says why"
    assert "s3cret" in caplog.text


@pytest.mark.parametrize("error", [RedisConnectionError("x"), RedisTimeoutError("x"), BusyLoadingError("x")])
async def test_redis_away_is_worth_another_try(app: FastAPI, client: httpx.AsyncClient, error: RedisError) -> None:
    response = await fail_with(app, client, error)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "not reachable" in response.json()["detail"]


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("no memory"),
        ReadOnlyError("a replica"),
        NoScriptError("x"),
        ResponseError("x"),
        WriterFull("x"),
        NotReplicated(Replication(2, 500), 1),
        NotReplicated(Replication(1, 500), NoPermissionError("no WAIT for this user")),
    ],
)
async def test_what_redis_refuses_is_said(app: FastAPI, client: httpx.AsyncClient, error: RedisError) -> None:
    response = await fail_with(app, client, error)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert str(error) in response.json()["detail"]


async def test_anything_else_is_logged_and_not_told(
    app: FastAPI, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await fail_with(app, client, ZeroDivisionError("s3cret"))
    assert response.status_code == 500
    assert "s3cret" not in response.text
    assert "s3cret" in caplog.text


async def test_a_model_of_the_servers_own_that_does_not_fit_is_not_the_clients_fault(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    def corrupt() -> Any:
        try:
            Body.model_validate_json(b"{}")
        except ValueError as error:
            return error

    response = await fail_with(app, client, corrupt())
    assert response.status_code == 500
