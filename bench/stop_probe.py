"""The least that telling somebody over Redis can take: PUBLISH to a subscriber, with the client that everybody uses."""

import asyncio
import time
import uuid

from redis.asyncio import Redis


class Echo:
    """A publisher and a subscriber on two connections in one process."""

    def __init__(self, redis_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._redis = Redis.from_url(redis_url)
        self._pubsub = self._redis.pubsub()
        self._channel = f"bench:{uuid.uuid4().hex}"
        self._loop.run_until_complete(self._pubsub.subscribe(self._channel))
        self._loop.run_until_complete(self._pubsub.get_message(timeout=5))

    def once(self) -> float:
        """Seconds from publishing to having the message."""
        return self._loop.run_until_complete(self._once())

    async def _once(self) -> float:
        began = time.perf_counter()
        publishing = asyncio.create_task(self._redis.publish(self._channel, b"stop"))
        while await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=5) is None:
            pass
        took = time.perf_counter() - began
        await publishing
        return took

    def close(self) -> None:
        """Hangs up."""
        self._loop.run_until_complete(self._pubsub.aclose())
        self._loop.run_until_complete(self._redis.aclose())
        self._loop.close()
