"""Whether a newer version of this software, which this one does not understand, works on the same namespace."""

import asyncio
import logging

from redis.exceptions import RedisError

from agent_bus.bus import Bus
from agent_bus.connection import connect_threaded
from agent_bus.contract import NewerContract, look, state
from agent_bus.settings import Settings
from api.cannot_start import CannotStart
from api.readiness import OK

logger = logging.getLogger(__name__)

# Sooner than what probes usually allow.
PATIENCE_SECONDS = 1.0
RETRY_SECONDS = 1.0


def refuse_newer(settings: Settings) -> None:
    """Raises CannotStart if a newer version is at work; with Redis away, `/ready` says it later. Blocks."""
    with connect_threaded(settings.redis_url, name="check") as redis:
        try:
            look(redis, settings.keys)
        except NewerContract as error:
            raise CannotStart(str(error)) from error
        except (RedisError, OSError) as error:
            logger.debug("the bus's contract can't be looked at: %s", error)


async def contract(bus: Bus) -> str:
    """`ok`, or that a newer version is at work; `ok` with Redis away, too, which is said elsewhere."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await state(bus)
    except NewerContract as error:
        return str(error)
    except (RedisError, OSError) as error:
        logger.debug("the bus's contract can't be looked at: %s", error)
    return OK


async def state_contract(bus: Bus) -> None:
    """States the contract when a server starts, as soon as Redis is there, and says in the log if a newer one is."""
    while True:
        try:
            await state(bus)
        except NewerContract as error:
            logger.warning("%s", error)
        except (RedisError, OSError) as error:
            logger.debug("the bus's contract is stated later: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
            continue
        return
