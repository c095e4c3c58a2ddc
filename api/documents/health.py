"""`GET /health`: the process is alive; what it works with is told beside that."""

import asyncio
from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from redis.exceptions import RedisError

from agent_bus.jobs import work_health
from api.application import VERSION
from api.documents.failures import problems
from api.documents.services import ServicesOf

router = APIRouter(tags=["health"])

# A health check that waits as long as Redis is given to answer would be taken for a dead process.
PATIENCE_SECONDS = 0.5


class WorkersHealth(BaseModel):
    """How many workers have spoken lately."""

    alive: int


class QueueState(BaseModel):
    """How many jobs wait in a queue, and how many failed for good within the last days."""

    length: int
    failed: int


class Health(BaseModel):
    """`status` is the process's own; workers and queues are null while Redis is unreachable."""

    status: Literal["healthy"] = "healthy"
    service: Literal["documents"] = "documents"
    version: str = VERSION
    redis: Literal["ok", "unreachable"]
    workers: WorkersHealth | None = None
    queues: dict[str, QueueState] | None = None


@router.get("/health", responses=problems())
async def health(services: ServicesOf) -> Health:
    """Says that the process is alive, whether Redis answers, and how the workers are doing."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            work = await work_health(services.bus.redis, services.bus.keys)
    except (RedisError, TimeoutError):
        return Health(redis="unreachable")
    return Health(
        redis="ok",
        workers=WorkersHealth(alive=work.workers_alive),
        queues={name: QueueState(**asdict(queue)) for name, queue in work.queues.items()},
    )
