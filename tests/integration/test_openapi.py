"""Both servers keep what their OpenAPI documents say, whatever is thrown at them, and whoever does.

`make fuzz` gives each route and each role so many seconds; without, each gets a few examples.
"""

import asyncio
import os
import time
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
from api.roles import Role, who_may
from api.serving import Served
from api.token_commands import create
from tests.fuzz.__main__ import SECONDS_VARIABLE
from tests.processes import RedisServer, Server, worker

SECONDS = float(os.environ.get(SECONDS_VARIABLE) or 0)
EXAMPLES, EXAMPLES_OF_A_ROLE = 25, 4
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


def check(operation: APIOperation, url: str, examples: int, role: Role | None = None, token: str = "") -> None:
    """Holds the server to its description, for so many examples, or for as long as the setting says."""
    until = time.monotonic() + SECONDS
    allowed = who_may(operation.method.upper(), operation.path)
    # Who may not is told so, whatever is asked for; and who says nothing of a role is let in everywhere.
    refused = role is not None and allowed is not None and role not in allowed
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Some rules can't be said in JSON Schema (a time in range, a cursor that we gave, at least one field).
    excluded = [CHECKS.get_one("positive_data_acceptance")]

    @given(case=operation.as_strategy())
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def holds(case: schemathesis.Case) -> None:
        answer = case.call(base_url=url, headers=headers)
        if refused:
            assert answer.status_code in (400, 403, 405), answer.status_code
        else:
            assert role is None or answer.status_code not in (401, 403), answer.status_code
            case.validate_response(answer, excluded_checks=excluded)

    holds()
    while time.monotonic() < until:
        holds()


@pytest.mark.parametrize("operation", operations(create_coordinator(Settings())), ids=lambda o: o.label)
def test_coordinator(operation: APIOperation, coordinator: str) -> None:
    check(operation, coordinator, EXAMPLES)


@pytest.mark.parametrize("operation", operations(create_documents(Settings())), ids=lambda o: o.label)
def test_documents(operation: APIOperation, documents: str) -> None:
    check(operation, documents, EXAMPLES)


@pytest.fixture(scope="module")
def guarded(redis_server: RedisServer, folder: Path) -> Iterator[tuple[dict[str, str], dict[Role, str]]]:
    """Servers that ask for tokens, by their parts, and a token of each role."""
    file = folder / "tokens.json"
    tokens = {role: create(file, role.value, role.value) for role in Role}
    environment = {"AGENT_ORCHESTRATOR_NAMESPACE": "openapi-guarded", "AGENT_ORCHESTRATOR_TOKENS_FILE": str(file)}
    with (
        Server("coordinator", redis_server.url, folder, environment) as coordinator,
        Server("documents", redis_server.url, folder, environment) as documents,
    ):
        yield {"coordinator": coordinator.url, "documents": documents.url}, tokens


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("part", ["coordinator", "documents"])
def test_as(role: Role, part: str, guarded: tuple[dict[str, str], dict[Role, str]]) -> None:
    urls, tokens = guarded
    for operation in operations(
        create_coordinator(Settings()) if part == "coordinator" else create_documents(Settings())
    ):
        check(operation, urls[part], EXAMPLES_OF_A_ROLE, role, tokens[role])
