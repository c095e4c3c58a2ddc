"""Work done outside the requests: its queues, its jobs by name, and how they are enqueued.

Jobs go over Redis as JSON, by name and without arguments: who can write to Redis must not thereby run code of theirs.
"""

import logging
from dataclasses import dataclass
from typing import Any

from redis import Redis as ThreadRedis
from redis.asyncio import Redis
from rq import Queue
from rq.job import Job, Retry
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import utcparse
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from agent_bus import tracing
from agent_bus.keys import Keys

logger = logging.getLogger(__name__)

SERIALIZER = JSONSerializer

# Aggregates have a queue of their own, looked at first: people wait for them, and nobody for maintenance.
TAGS = "tags"
MAINTENANCE = "maintenance"
KINDS = (TAGS, MAINTENANCE)

# A worker that has said nothing for this long is taken for dead; it speaks every few seconds, and every
# `JOB_MONITORING_SECONDS` while it is busy.
WORKER_SILENCE_SECONDS = 45
JOB_MONITORING_SECONDS = 15

FAILURES_KEPT_SECONDS = 7 * 24 * 3600
# Seconds between the tries: Redis that restarts is back after the first, a longer outage may end within the last.
RETRY_AFTER_SECONDS = (1, 10, 60)


@dataclass(frozen=True, slots=True)
class JobKind:
    """A job: the function that does it, the kind of queue it waits in, and how long it may take.

    every_seconds: how often it runs by itself; None for never.
    """

    name: str
    queue: str
    timeout_seconds: int
    every_seconds: int | None = None

    @property
    def path(self) -> str:
        """The function's dotted name."""
        return f"workers.jobs.{self.name}"


MATERIALISE_TAGS = JobKind("materialise_tags", TAGS, timeout_seconds=60)
REBUILD_INDEX = JobKind("rebuild_index", MAINTENANCE, timeout_seconds=3600, every_seconds=24 * 3600)
REMOVE_ORPHANED_BLOBS = JobKind("remove_orphaned_blobs", MAINTENANCE, timeout_seconds=3600, every_seconds=3600)
END_LOST_RUNS = JobKind("end_lost_runs", MAINTENANCE, timeout_seconds=600, every_seconds=60)
ARCHIVE_HISTORIES = JobKind("archive_histories", MAINTENANCE, timeout_seconds=3600, every_seconds=120)
JOBS = (MATERIALISE_TAGS, REBUILD_INDEX, REMOVE_ORPHANED_BLOBS, END_LOST_RUNS, ARCHIVE_HISTORIES)


class UnknownJob(Exception):
    """A job in the queue is none of ours, and is not run."""


class KnownJob(Job):
    """RQ's job, which runs nothing but what is listed here."""

    @property
    def func(self) -> Any:
        """The function. Raises UnknownJob."""
        if self.func_name not in {job.path for job in JOBS} or self.instance or self.args or self.kwargs:
            raise UnknownJob(f"{self.func_name!r} is not a job of this program, or comes with arguments")
        return super().func

    @property
    def success_callback(self) -> None:
        """None: a callback is a function by name too."""

    @property
    def failure_callback(self) -> None:
        """None, likewise."""

    @property
    def stopped_callback(self) -> None:
        """None, likewise."""

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """Asks nobody: the addresses, which RQ would tell of the job's end, come out of Redis too."""


def queue_name(keys: Keys, kind: str) -> str:
    """The name of a namespace's queue, as RQ knows it."""
    return f"{keys.namespace}-{kind}"


def queue_names(keys: Keys) -> list[str]:
    """All queues of a namespace, those to look at first in front."""
    return [queue_name(keys, kind) for kind in KINDS]


def queue_key(keys: Keys, kind: str) -> str:
    """The key of RQ's list of the jobs that wait in a queue."""
    return f"{Queue.redis_queue_namespace_prefix}{queue_name(keys, kind)}"


def open_queue(connection: ThreadRedis, keys: Keys, kind: str) -> Queue:
    """A queue of the namespace; it blocks when used."""
    return Queue(queue_name(keys, kind), connection=connection, job_class=KnownJob, serializer=SERIALIZER)


def enqueue(connection: ThreadRedis, keys: Keys, job: JobKind) -> str:
    """Puts a job at the end of its queue and returns its id; blocks. Raises RedisError."""
    queued = open_queue(connection, keys, job.queue).enqueue_call(
        job.path,
        timeout=job.timeout_seconds,
        result_ttl=0,
        failure_ttl=FAILURES_KEPT_SECONDS,
        description=job.name,
        # The trace goes on where the job is done; a reader takes nothing else from it.
        meta=tracing.carried() or None,
        retry=Retry(max=len(RETRY_AFTER_SECONDS), interval=list(RETRY_AFTER_SECONDS)),
    )
    logger.debug("enqueued %s as %s", job.name, queued.id)
    return str(queued.id)


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """How many jobs wait in a queue, and how many have failed for good lately."""

    length: int
    failed: int


@dataclass(frozen=True, slots=True)
class WorkHealth:
    """How many workers have spoken lately, and the namespace's queues by name."""

    workers_alive: int
    queues: dict[str, QueueHealth]


async def work_health(redis: Redis, keys: Keys) -> WorkHealth:
    """The state of the workers and queues, in two round trips. Raises RedisError."""
    names = queue_names(keys)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.smembers(WORKERS_BY_QUEUE_KEY % names[0])
        for name in names:
            pipe.llen(f"{Queue.redis_queue_namespace_prefix}{name}")
            pipe.zcard(FailedJobRegistry.key_template.format(name))
        (seconds, _), workers, *numbers = await pipe.execute()
    async with redis.pipeline(transaction=False) as pipe:
        for worker in workers:
            pipe.hmget(worker, "last_heartbeat", "death")
        heartbeats = await pipe.execute() if workers else []
    queues = {name: QueueHealth(*numbers[2 * i : 2 * i + 2]) for i, name in enumerate(names)}
    return WorkHealth(sum(_alive(heartbeat, death, seconds) for heartbeat, death in heartbeats), queues)


def _alive(heartbeat: bytes | None, death: bytes | None, now_seconds: int) -> bool:
    if heartbeat is None or death is not None:
        return False
    return now_seconds - utcparse(heartbeat.decode()).timestamp() < WORKER_SILENCE_SECONDS
