"""Whether a documents server can serve, and if not, why."""

import asyncio
import logging
from time import monotonic

from redis.asyncio import Redis
from redis.exceptions import RedisError

from agent_bus.blobs import Blobs, BlobStoreFailed
from api.readiness import OK, redis_away

logger = logging.getLogger(__name__)

# Sooner than what probes usually allow.
PATIENCE_SECONDS = 1.0
# A store that took a byte does so a little later, too; asking one over the network is not free.
BELIEVED_SECONDS = 10.0


class Readiness:
    """What a documents server needs."""

    def __init__(self, redis: Redis, blobs: Blobs) -> None:
        self._redis = redis
        self._blobs = blobs
        self._written_at: float | None = None

    async def checks(self) -> dict[str, str]:
        """What is needed, each `ok` or what is wrong with it."""
        redis, store = await asyncio.gather(self._ask_redis(), self._ask_store())
        return {"redis": redis, "blob_store": store}

    async def _ask_redis(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._redis.ping()
        except (RedisError, OSError) as error:
            return redis_away(error)
        return OK

    async def _ask_store(self) -> str:
        if self._written_at is not None and monotonic() - self._written_at < BELIEVED_SECONDS:
            return OK
        self._written_at = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._blobs.check_writable()
        except TimeoutError:
            return "The blob store does not answer in time"
        except BlobStoreFailed as error:
            # Its cause may name what is nobody's business but the operator's.
            logger.warning("the blob store can't be written: %s", error.__cause__ or error)
            return "The blob store can't be written; the server's log says why"
        self._written_at = monotonic()
        return OK
