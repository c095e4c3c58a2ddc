"""What the stories share: two coordinators on one Redis, browsers, and agents in processes of their own."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser import Browser
from tests.processes import RedisServer, Server

# Long enough for a loaded machine, short enough for a test that waits for it to run out.
STOP_WAIT_SECONDS = 1.5


@pytest.fixture(scope="session")
def replicas(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two coordinators on one Redis."""
    folder = tmp_path_factory.mktemp("replicas")
    environment = {"AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": str(STOP_WAIT_SECONDS)}
    with (
        Server("coordinator", redis_server.url, folder, environment) as a,
        Server("coordinator", redis_server.url, folder, environment) as b,
    ):
        yield a, b


@pytest.fixture
async def http(replicas: tuple[Server, Server]) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A client for each replica."""
    a, b = replicas
    async with (
        httpx.AsyncClient(base_url=a.url, timeout=30) as client_a,
        httpx.AsyncClient(base_url=b.url, timeout=30) as client_b,
    ):
        yield client_a, client_b


@pytest.fixture
async def browsers(replicas: tuple[Server, Server]) -> AsyncIterator[tuple[Browser, Browser]]:
    """A browser on each replica, past its `init`."""
    a, b = replicas
    async with Browser(a.ws_url) as browser_a, Browser(b.ws_url) as browser_b:
        yield browser_a, browser_b


@pytest.fixture
def session_id() -> str:
    """An id that no other test uses."""
    return f"s-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A project folder of the test's own."""
    return tmp_path
