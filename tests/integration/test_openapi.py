"""Both servers keep what their OpenAPI documents say, whatever is thrown at them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from starlette.types import ASGIApp

from agent_bus.settings import Settings
from api.coordinator.app import create_app as create_coordinator
from api.documents.app import create_app as create_documents
from api.serving import Served
from tests.processes import RedisServer, Server, worker

EXAMPLES = 25
ENVIRONMENT = {"AGENT_ORCHESTRATOR_NAMESPACE": "openapi"}


def operations(served: Served | ASGIApp) -> list[APIOperation]:
    """The routes that a server's OpenAPI document names; reading it needs no Redis."""
    app = served.app if isinstance(served, Served) else served

    async def document() -> dict[str, object]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            found: dict[str, object] = (await client.get("/openapi.json")).json()
            return found

    load_all_checks()
    schema = schemathesis.openapi.from_dict(asyncio.run(document()))
    return [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("openapi")


@pytest.fixture(scope="module")
def coordinator(redis_server: RedisServer, folder: Path) -> Iterator[str]:
    with Server("coordinator", redis_server.url, folder, ENVIRONMENT) as server:
        yield server.url


@pytest.fixture(scope="module")
def documents(redis_server: RedisServer, folder: Path) -> Iterator[str]:
    with (
        worker(redis_server.url, folder, ENVIRONMENT),
        Server("documents", redis_server.url, folder, ENVIRONMENT) as server,
    ):
        yield server.url


def check(operation: APIOperation, url: str) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def holds(case: schemathesis.Case) -> None:
        # Some rules can't be said in JSON Schema (a time in range, a cursor that we gave, at least one field).
        case.call_and_validate(base_url=url, excluded_checks=[CHECKS.get_one("positive_data_acceptance")])

    holds()


@pytest.mark.parametrize("operation", operations(create_coordinator(Settings())), ids=lambda o: o.label)
def test_coordinator(operation: APIOperation, coordinator: str) -> None:
    check(operation, coordinator)


@pytest.mark.parametrize("operation", operations(create_documents(Settings())), ids=lambda o: o.label)
def test_documents(operation: APIOperation, documents: str) -> None:
    check(operation, documents)
