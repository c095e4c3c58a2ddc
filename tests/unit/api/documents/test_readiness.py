from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from agent_bus.blobs import Blobs, BlobStoreFailed
from api.documents import readiness
from api.documents.readiness import Readiness


class Parts:
    """A Redis and a blob store that do as they are told."""

    def __init__(self) -> None:
        self.writes = 0
        self.redis_error: Exception | None = None
        self.store_error: Exception | None = None

    async def ping(self) -> bool:
        if self.redis_error:
            raise self.redis_error
        return True

    async def check_writable(self) -> None:
        self.writes += 1
        if self.store_error:
            raise self.store_error


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def ready(parts: Parts) -> Readiness:
    anything = cast(Any, parts)
    return Readiness(cast(Redis, anything), cast(Blobs, anything))


async def test_all_is_well(ready: Readiness) -> None:
    assert await ready.checks() == {"redis": "ok", "blob_store": "ok"}


async def test_what_is_wrong_is_said_and_no_more_of_the_store_than_clients_may_know(
    ready: Readiness, parts: Parts
) -> None:
    parts.redis_error = RedisConnectionError("refused at 10.0.0.5:6379")
    parts.store_error = BlobStoreFailed("s3://secret-bucket is gone")
    checks = await ready.checks()
    assert checks["redis"] == "Redis does not answer: the log of the server says why"
    assert "secret-bucket" not in checks["blob_store"]
    assert checks["blob_store"] != "ok"


async def test_the_store_is_not_written_to_for_each_probe(
    ready: Readiness, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await ready.checks()
    assert parts.writes == 1
    monkeypatch.setattr(readiness, "BELIEVED_SECONDS", 0.0)
    parts.store_error = TimeoutError()
    assert (await ready.checks())["blob_store"] == "The blob store does not answer in time"


async def test_a_store_that_failed_is_asked_again_at_once(ready: Readiness, parts: Parts) -> None:
    parts.store_error = BlobStoreFailed("full")
    await ready.checks()
    parts.store_error = None
    assert (await ready.checks())["blob_store"] == "ok"
