"""Asks the workers for the tag aggregate, beside the requests: no answer waits for it, none fails because of it."""

import asyncio
import logging

from redis import Redis as ThreadRedis
from redis.exceptions import RedisError

from agent_bus.jobs import MATERIALISE_TAGS, enqueue
from agent_bus.keys import Keys
from agent_bus.tags import TagAggregate

logger = logging.getLogger(__name__)


class TagJobs:
    """Enqueues the job that materialises the tag aggregate, each time in a thread: RQ blocks."""

    def __init__(self, redis: ThreadRedis, keys: Keys, aggregate: TagAggregate) -> None:
        self._redis = redis
        self._keys = keys
        self._aggregate = aggregate
        self._under_way: set[asyncio.Task[None]] = set()

    async def request(self) -> None:
        """Has the job enqueued soon; returns at once."""
        task = asyncio.create_task(self._enqueue(), name="enqueue tag job")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _enqueue(self) -> None:
        try:
            await asyncio.to_thread(enqueue, self._redis, self._keys, MATERIALISE_TAGS)
        except RedisError:
            logger.warning("the tag job could not be enqueued; the next change or read asks again", exc_info=True)
            try:
                await self._aggregate.forget_request()
            except RedisError as error:
                logger.warning("the request for a tag job stays until it expires: %s", error)

    async def aclose(self) -> None:
        """Waits for what is under way."""
        await asyncio.gather(*self._under_way)
