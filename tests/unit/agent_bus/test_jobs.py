import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
from redis import Redis as ThreadRedis
from redis.asyncio import Redis
from rq.job import JobStatus
from rq.webhook import Webhook

from agent_bus.connection import connect, connect_threaded
from agent_bus.jobs import (
    JOBS,
    MATERIALISE_TAGS,
    SERIALIZER,
    TAGS,
    KnownJob,
    QueueHealth,
    UnknownJob,
    enqueue,
    open_queue,
    queue_key,
    queue_names,
    work_health,
)
from agent_bus.keys import Keys
from tests.processes import RedisServer


@pytest.fixture
def blocking(redis_server: RedisServer) -> Iterator[ThreadRedis]:
    client = connect_threaded(redis_server.url, name="test")
    yield client
    client.close()


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Redis]:
    client = connect(redis_server.url, name="test")
    yield client
    await client.aclose()


def test_a_job_is_enqueued_as_json_by_name(blocking: ThreadRedis, keys: Keys) -> None:
    job_id = enqueue(blocking, keys, MATERIALISE_TAGS)
    assert blocking.lrange(queue_key(keys, TAGS), 0, -1) == [job_id.encode()]
    job = open_queue(blocking, keys, TAGS).fetch_job(job_id)
    assert isinstance(job, KnownJob)
    assert orjson.loads(SERIALIZER.dumps([job.func_name, job.args, job.kwargs])) == [MATERIALISE_TAGS.path, [], {}]
    assert job.retries_left
    assert job.timeout == MATERIALISE_TAGS.timeout_seconds


def test_every_job_that_is_listed_exists(blocking: ThreadRedis, keys: Keys) -> None:
    for job in JOBS:
        queued = open_queue(blocking, keys, job.queue).fetch_job(enqueue(blocking, keys, job))
        assert queued is not None
        assert queued.func.__name__ == job.name


@pytest.mark.parametrize("args", [("os.getcwd", ()), (MATERIALISE_TAGS.path, ("argument",))])
def test_what_is_not_listed_is_not_run(blocking: ThreadRedis, keys: Keys, args: tuple[str, tuple[str, ...]]) -> None:
    name, arguments = args
    job = open_queue(blocking, keys, TAGS).enqueue_call(name, args=arguments, on_success=None)
    job._success_callback_name = job._failure_callback_name = job._stopped_callback_name = "os.getcwd"
    with pytest.raises(UnknownJob):
        job.func  # noqa: B018
    assert (job.success_callback, job.failure_callback, job.stopped_callback) == (None, None, None)


def test_an_address_in_a_job_is_not_asked(blocking: ThreadRedis, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Webhook, "send", lambda *_, **__: pytest.fail("an address was asked"))
    job = open_queue(blocking, keys, TAGS).enqueue_call(MATERIALISE_TAGS.path)
    job.webhooks = [Webhook("http://evil.example/", "finished"), Webhook("http://evil.example/", "failed")]
    job.send_webhooks(JobStatus.FINISHED)
    job.send_webhooks(JobStatus.FAILED, exc_string="x")


async def test_health_counts_what_waits_and_what_failed_and_who_is_alive(
    client: Redis, blocking: ThreadRedis, keys: Keys
) -> None:
    tags, maintenance = queue_names(keys)
    assert (await work_health(client, keys)).workers_alive == 0
    await asyncio.to_thread(enqueue, blocking, keys, MATERIALISE_TAGS)
    await client.zadd(f"rq:failed:{tags}", {"job": 1})
    workers: dict[str, dict[Any, Any]] = {
        "alive": {"last_heartbeat": "2999-01-01T00:00:00.000000Z"},
        "silent": {"last_heartbeat": "2001-01-01T00:00:00.000000Z"},
        "dead": {"last_heartbeat": "2999-01-01T00:00:00.000000Z", "death": "2001-01-01T00:00:00.000000Z"},
    }
    for name, fields in workers.items():
        await client.hset(f"rq:worker:{keys.namespace}-{name}", mapping=fields)
        await client.sadd(f"rq:workers:{tags}", f"rq:worker:{keys.namespace}-{name}")
    await client.sadd(f"rq:workers:{tags}", f"rq:worker:{keys.namespace}-expired")
    health = await work_health(client, keys)
    assert health.workers_alive == 1
    assert health.queues == {tags: QueueHealth(1, 1), maintenance: QueueHealth(0, 0)}
