"""Fixtures that all tests share: a real redis-server of their own, and a namespace of their own on it."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fakeredis import FakeAsyncRedis
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.keys import Keys
from tests.processes import RedisServer

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One redis-server for the whole run, on a free port; tests keep apart by namespace."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A redis-server for one test, which may stop, kill and restart it."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def keys() -> Keys:
    """A namespace that no other test uses."""
    return Keys(f"t-{uuid.uuid4().hex[:12]}")


@pytest.fixture(params=["fakeredis", "redis-server"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    """The same suite on the fake and on the real server, so that the fake can't lie."""
    if request.param == "fakeredis":
        client: Redis = FakeAsyncRedis(version=(7,))
    else:
        client = connect(request.getfixturevalue("redis_server").url, name="test")
    yield client
    await client.aclose()


@pytest.fixture
async def bus(redis: Redis, keys: Keys) -> Bus:
    """The bus, once on fakeredis and once on a real server."""
    return Bus(redis, keys)


@pytest.fixture
async def real_bus(redis_server: RedisServer, keys: Keys) -> AsyncIterator[Bus]:
    """The bus on a real server."""
    client = connect(redis_server.url, name="test")
    yield Bus(client, keys)
    await client.aclose()
