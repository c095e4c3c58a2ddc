import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from agent_bus.bus import Bus
from agent_bus.connection import connect_threaded
from agent_bus.jobs import TAGS, queue_key
from agent_bus.tags import TagAggregate
from api.documents import tag_jobs
from api.documents.tag_jobs import TagJobs
from tests.processes import RedisServer


async def test_a_request_enqueues_a_job(real_bus: Bus, redis_server: RedisServer) -> None:
    with connect_threaded(redis_server.url, name="test") as blocking:
        jobs = TagJobs(blocking, real_bus.keys, TagAggregate(real_bus))
        await jobs.request()
        await jobs.aclose()
    assert await real_bus.redis.llen(queue_key(real_bus.keys, TAGS)) == 1


async def test_a_request_that_fails_leaves_the_way_free_for_the_next(
    real_bus: Bus, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RedisConnectionError("away")

    monkeypatch.setattr(tag_jobs, "enqueue", fail)
    await real_bus.redis.set(real_bus.keys.tags_pending, "1")
    with connect_threaded(redis_server.url, name="test") as blocking:
        jobs = TagJobs(blocking, real_bus.keys, TagAggregate(real_bus))
        await jobs.request()
        await jobs.aclose()
    assert not await real_bus.redis.exists(real_bus.keys.tags_pending)
