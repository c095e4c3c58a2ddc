"""What a documents server counts and times."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from agent_bus.jobs import work_health
from api.metrics import RedisMetrics, Registry, RequestMetrics

if TYPE_CHECKING:
    from api.documents.services import Services

logger = logging.getLogger(__name__)

# Whoever reads metrics waits, and wants to know of an outage in particular.
PATIENCE_SECONDS = 0.5


class DocumentsMetrics:
    """A documents server's metrics; `docs/operations.md` has the table."""

    def __init__(self) -> None:
        self.registry = registry = Registry()
        self.requests = RequestMetrics(registry)
        self.redis = RedisMetrics(registry)
        self.uploaded = registry.counter("upload_bytes", "Bytes of files that were received, broken uploads' too.")
        self._downloaded = registry.counter("download_bytes", "Bytes of files that were sent.")
        self._waiting = registry.gauge("queue_jobs", "Jobs that wait for a worker.", ("queue",))
        self._failed = registry.gauge("queue_failed_jobs", "Jobs that failed for good within a week.", ("queue",))
        self._workers = registry.gauge("workers_alive", "Workers that have spoken lately.")

    async def downloading(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes, counted as they go."""
        async for chunk in chunks:
            yield chunk
            self._downloaded.inc(len(chunk))

    async def sample(self, services: "Services") -> None:
        """Reads what stands in Redis; while that is away there is nothing to tell of queues."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                work = await work_health(services.bus.redis, services.bus.keys)
        except (RedisError, OSError):
            self._waiting.clear()
            self._failed.clear()
            self._workers.set(float("nan"))
            return
        for name, queue in work.queues.items():
            self._waiting.labels(name).set(queue.length)
            self._failed.labels(name).set(queue.failed)
        self._workers.set(work.workers_alive)
