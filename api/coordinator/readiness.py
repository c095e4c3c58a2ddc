"""Whether a replica can serve, and if not, why."""

import asyncio

from redis.exceptions import RedisError

from api.bus_contract import PATIENCE_SECONDS, contract
from api.coordinator.services import Services
from api.readiness import OK, redis_away


async def checks(services: Services) -> dict[str, str]:
    """What a replica needs, each `ok` or what is wrong with it."""
    redis = await _redis(services)
    return {
        "redis": redis,
        "contract": await contract(services.bus) if redis == OK else OK,
        "subscription": OK if services.relay.ready else "The bus subscription is being renewed",
        "draining": "The process is going down" if services.relay.draining else OK,
    }


async def _redis(services: Services) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await services.bus.redis.ping()
    except (RedisError, OSError) as error:
        return redis_away(error)
    return OK
